"""Takes screenshots of every page and dialog, on a phone, a tablet and a desktop, light and dark, into var/shots.

Runs an application with rows in every state that a page can show. `python scripts/shots.py [NAME…]` takes only the
screenshots whose names begin with NAME.
"""

import colorsys
import secrets
import sys
import tempfile
import threading
from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import av  # noqa: E402
from flask import Flask  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

from app import clock, create_app, vault  # noqa: E402
from app.db import db, transaction  # noqa: E402
from app.models import (  # noqa: E402
    AuditEvent,
    Clip,
    ClipImport,
    ClipStatus,
    ConnectionStatus,
    ImportState,
    Notification,
    PlatformConnection,
    Publication,
    PublicationEvent,
    RuleCheck,
    Source,
    Stage,
    StatsSample,
    Status,
    User,
    WebhookDelivery,
)
from app.problems import Problem  # noqa: E402
from app.services import (  # noqa: E402
    account_sets,
    api_keys,
    incoming_hooks,
    plan_import,
    rule_runs,
    rules,
    slot_changes,
    slots,
    typed_times,
    users,
    webhooks,
)
from app.services.rules import Wish  # noqa: E402
from app.statistics import daily  # noqa: E402
from app.storage import key_from, storage  # noqa: E402

OUT = ROOT / "var" / "shots"
WIDTHS = {"phone": (390, 844), "tablet": (820, 1180), "desktop": (1280, 860)}
SCHEMES = ("light", "dark")
PASSWORD = users.DEMO_PASSWORD
LATER = timedelta(minutes=28)


def main(names: list[str]) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        app = application(Path(folder))
        with app.app_context():
            db.create_all()
            with transaction():
                users.create_demo_users()
                fill()
        server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
            )
            for width in WIDTHS:
                for scheme in SCHEMES:
                    shoot(browser, f"http://127.0.0.1:{server.port}", width, scheme, names)
            browser.close()
        server.shutdown()


def application(folder: Path) -> Flask:
    public_key, private_key = vault.generate()
    return create_app(
        {
            "DATABASE_URL": f"sqlite:///{folder}/shots.db",
            "REDIS_URL": f"unix://{folder}/absent.sock",
            "SECRET_KEY": "shots" * 8,
            "PUBLIC_URL": "http://127.0.0.1",
            "VAULT_PUBLIC_KEY": public_key,
            "VAULT_PRIVATE_KEY": private_key,
            "STORAGE_URL": f"file:{folder}/clips",
            "VAR_DIR": str(folder),
            "DEMO": "1",
        }
    )


# Rows

# The publication that each picture of a publication's page is of: its state, and words of its title and account.
PUBLICATIONS = (
    ("story", Status.PUBLISHED, "разминка каждый день"),
    ("scheduled", Status.SCHEDULED, "волга"),
    ("uploading", Status.PUBLISHING, "ошибки"),
    ("retry", Status.PUBLISHING, "сырники"),
    ("by-hand", Status.AWAITING_USER, "сырники"),
    ("unconfirmed", Status.UNCONFIRMED, "канала"),
    ("failed", Status.FAILED, "кофе"),
    ("cancelled", Status.CANCELLED, "волга"),
)


def fill() -> None:
    user = users.by_email("pro@demo.vezde.ru")
    channel = connection(user.id, "Везде: демо", "-1001")
    kitchen = connection(user.id, "Кухня за минуту — рецепты каждый день", "-1002")
    kitchen.status = ConnectionStatus.RECONNECT
    db.session.commit()

    titles = (
        "Как снять закат на телефон",
        "Три ошибки в монтаже, из-за которых клип не досматривают до конца",
        "Кофе по-вьетнамски",
        "Запуск канала: первый день",
        "Сырники без муки",
        "Волга утром",
        "Разминка для глаз",
    )
    made = [clip(user.id, title, hue) for hue, title in enumerate(titles)]
    processing = clip(user.id, "IMG 4821", 0)
    processing.status, processing.poster_key, processing.duration_ms = ClipStatus.PROCESSING, None, None
    broken = clip(user.id, "Запись экрана 12 мая", 0)
    broken.status, broken.reason, broken.poster_key = ClipStatus.FAILED, "broken_file", None

    import_tables(user)
    api_keys.create(user, "Ферма рендера", "write", 365)
    api_keys.revoke(user, api_keys.create(user, "Старый скрипт монтажа на ноутбуке у Пети", "read").row.id)
    now = clock.now()
    states: tuple[dict, ...] = (
        {"status": Status.PUBLISHED, "url": "https://t.me/vezde_demo/12", "published_at": now},
        {"status": Status.PUBLISHING, "stage": Stage.UPLOADING, "sent": 42, "total": 100},
        {"status": Status.FAILED, "reason": "telegram_rights", "detail": "Bad Request: need administrator rights"},
        {"status": Status.UNCONFIRMED, "reason": "unknown"},
        {
            "status": Status.PUBLISHING,
            "stage": Stage.RETRY,
            "wake_at": now + timedelta(minutes=2),
            "attempt": 2,
        },
    )
    for one, state in zip(made, states, strict=False):
        db.session.add(publication(one, channel, **state))
    for kind, detail, address in (
        ("connected", "Telegram: Везде: демо", "203.0.113.7"),
        ("plan_changed", "Pro", None),
        ("sign_in_failed", "", "198.51.100.23"),
    ):
        db.session.add(AuditEvent(user_id=user.id, kind=kind, detail=detail, address=address))
    db.session.add(publication(made[0], kitchen, status=Status.FAILED, reason="reconnect"))
    studio = connection(user.id, "Анна Волкова", "42", platform="dzen")
    db.session.flush()
    by_hand = {
        "text": "Сырники без муки\n\nТворог, яйцо, сковорода.",
        "link": "https://dzen.ru",
        "label": "Открыть Дзен Студию",
    }
    db.session.add(publication(made[4], studio, status=Status.AWAITING_USER, ask=by_hand))
    db.session.add(publication(made[5], studio, status=Status.SCHEDULED, due_in=timedelta(hours=20)))
    db.session.add(publication(made[5], channel, status=Status.CANCELLED))
    story = publication(
        made[6],
        connection(user.id, "Волга каждый день", "7", platform="vk"),
        status=Status.PUBLISHED,
        url="https://vk.com/clip-7_456239017",
        published_at=now + timedelta(seconds=131),
        started_at=now,
    )
    db.session.add(story)
    db.session.flush()
    db.session.add_all(history(story))
    fill_notifications(user.id, story)
    db.session.commit()
    places = fill_stats(user.id, made)
    fill_sets(user, made[0], [channel, *places])
    fill_rules(user, made, [channel, *places])
    fill_webhooks(user)
    fill_arrivals(users.by_email("business@demo.vezde.ru"))
    db.session.commit()


def fill_stats(user_id: int, made: list[Clip]) -> list[PlatformConnection]:
    """Adds six clips on three platforms, with a history of up to 40 days; only VK has shares."""
    places = {key: connection(user_id, name, "8", key) for key, name in (("vk", "Анна Волгина"), ("rutube", "Волга"))}
    places["telegram"] = connection(user_id, "Анна о съёмке", "-1003")
    now = clock.now()
    for number, one in enumerate(made[1:]):
        for key, place in places.items():
            counts = {"views": 0, "likes": 0, "shares": None if key != "vk" else 0}
            published = publication(one, place, status=Status.PUBLISHED, external_id="1", url="https://vk.com/clip1_1")
            published.published_at = now - timedelta(days=40 - 5 * number)
            db.session.add(published)
            db.session.flush()
            for age in range(40 - 5 * number):
                more = round((14_000 if key == "vk" else 3_100) * (1 + number % 3) / (age + 1) ** 1.3)
                counts["views"] += more
                counts["likes"] += more // 19
                counts["shares"] = None if counts["shares"] is None else counts["shares"] + more // 140
                at = published.published_at + timedelta(days=age, hours=3)
                sample = StatsSample(publication_id=published.id, at=at, **counts)
                daily.record(daily.lock(user_id), [(published, sample)])
                published.stats_at = at
            published.views, published.likes, published.shares = counts["views"], counts["likes"], counts["shares"]
    db.session.commit()
    return list(places.values())


def fill_arrivals(user: User) -> None:
    """Adds imports in every state, and webhooks with calls that were taken and refused."""
    for number, (state, name, reason) in enumerate(
        (
            (ImportState.RUNNING, "Ночной рендер — финальная версия с титрами.mp4", None),
            (ImportState.WAITING, "", None),
            (ImportState.WAITING, "teaser.mov", "import_unavailable"),
            (ImportState.FAILED, "", "import_web_page"),
        )
    ):
        one = ClipImport(user_id=user.id, url="https://files.example.ru/a", host="files.example.ru", file_name=name)
        one.key, one.source, one.state, one.reason = f"shot-{number}", Source.IMPORT, state, reason
        one.size, one.received = (48 << 20, 20 << 20) if name else (None, 0)
        one.wake_at = None if state == ImportState.FAILED else clock.now() + timedelta(hours=1)
        db.session.add(one)
    clip(user.id, "Пришёл сам", 3).source = Source.HOOK
    farm = incoming_hooks.create(user, "Рендер-ферма", incoming_hooks.DEFAULTS, signed=True).hook
    incoming_hooks.create(user, "n8n", {"url": "data.file.url", "title": "data.name"}, signed=False)
    incoming_hooks.mark_used(farm)
    body = b'{"url": "https://files.example.ru/clip.mp4?key=1", "title": "\xd0\x9c\xd0\xbe\xd1\x80\xd0\xb5"}'
    incoming_hooks.record(farm.id, 202, body)
    incoming_hooks.record(farm.id, 401, body, Problem("hook_signature_wrong"))
    db.session.commit()


def refused_address(page: Page) -> None:
    page.get_by_role("button", name="По ссылке").click()
    page.get_by_label("Ссылка на файл").fill("example.ru/clip.mp4")
    page.get_by_role("button", name="Загрузить", exact=True).click()
    page.get_by_text("Вставьте ссылку на файл целиком").wait_for()


def tried_mapping(page: Page) -> None:
    page.get_by_role("button", name="Новый вебхук").click()
    page.get_by_label("Ссылка на файл").fill("data.file")
    page.get_by_text("Проверить на примере").click()
    page.get_by_label("Пример тела").fill('{"data": {"file": "https://example.ru/clip.mp4"}, "title": "Море"}')
    page.get_by_role("button", name="Проверить", exact=True).click()
    page.get_by_text("Море", exact=True).wait_for()


def renewed_address(page: Page) -> None:
    page.get_by_role("button", name="Новый адрес: n8n").click()
    page.get_by_role("button", name="Сменить адрес").click()
    page.get_by_text("Скопируйте сейчас").wait_for()


def fill_sets(user: User, waiting: Clip, places: list[PlatformConnection]) -> None:
    """Adds a set with slots on workdays, in one of which a clip waits, and one that is paused."""
    daily = account_sets.save(user, "Каждый день", [one.id for one in places])
    slots.add(user, daily.id, range(5), [10 * 60, 19 * 60])
    [first] = slots.next_free(user, daily.id, 1)
    row = publication(waiting, places[-1], status=Status.SCHEDULED, slot_id=first.slot_id, wake_at=first.due_at)
    row.due_at = first.due_at
    db.session.add(row)
    weekend = account_sets.save(user, "Выходные, длинное название набора", [places[0].id])
    slots.add(user, weekend.id, [5, 6], [9 * 60, 12 * 60 + 30, 15 * 60, 21 * 60])
    slot_changes.pause(user, weekend.id)


def fill_rules(user: User, made: list[Clip], places: list[PlatformConnection]) -> None:
    """Rules of each kind, and clips that were published, held for an approval and because they do not fit."""
    every_day = account_sets.all_of(user)[0]
    wishes = (
        Wish("Монтажная ферма", source="api", source_name="Ферма", account_set_id=every_day.id, when_kind="slot"),
        Wish("Рилсы для Telegram", name_pattern="*кофе*", connection_ids=[places[0].id], needs_approval=True),
        Wish(
            "Всё остальное, с длинным названием правила и пределом в день",
            name_pattern="*вьетнам*",
            connection_ids=[one.id for one in places],
            text_template="{text}\n\n{date}" + "!" * 1200,
            when_kind="after",
            after_minutes=30,
            daily_limit=3,
        ),
        Wish("Волга", name_pattern="Волга*", connection_ids=[places[1].id], daily_limit=5),
    )
    saved = [rules.save(user, wish) for wish in wishes]
    for one in made:
        row = RuleCheck(user_id=user.id, clip_id=one.id, title=one.title, ready_at=clock.now(), wake_at=clock.now())
        row.tries = 1
        db.session.add(row)
        db.session.flush()
        rule_runs.apply(row)
    rules.switch(user, saved[0].id, on=False)


def fill_notifications(user_id: int, about: Publication) -> None:
    facts = {"platform": "Telegram", "account": "Кухня за минуту — рецепты каждый день", "title": about.title}
    soon = (clock.now() + timedelta(hours=24)).isoformat()
    kinds = {
        "awaiting_user": {},
        "failed": {"reason": "telegram_rights"},
        "unconfirmed": {"reason": "unknown"},
        "ahead": {"due_at": soon},
        "reconnect": {},
    }
    for number, (kind, more) in enumerate(kinds.items()):
        read_at = clock.now() if number < 2 else None
        db.session.add(
            Notification(
                user_id=user_id,
                kind=kind,
                dedup_key=kind,
                facts=facts | more,
                publication_id=about.id,
                read_at=read_at,
            )
        )


def fill_webhooks(user: User) -> None:
    """One that works, one that is paused, and one that is off, with a history of every kind."""
    now = clock.now()
    farm, _ = webhooks.create(user, "https://93.184.215.14/vezde/hook", "Рендер-ферма")
    paused, _ = webhooks.create(user, f"https://93.184.215.14/{'очень-длинный-адрес/' * 8}", "n8n", ["clip.ready"])
    off, _ = webhooks.create(user, "https://93.184.215.14/off")
    webhooks.turn_off(user, off.id)
    farm.failing_since, farm.tried_at = now - timedelta(hours=2), now
    paused.state, paused.paused_at, paused.pause_reason = "paused", now - timedelta(days=1), "webhook_failing"
    for number, (kind, state, values) in enumerate(
        (
            ("clip.ready", "delivered", {"status_code": 200, "excerpt": "ok"}),
            ("publication.failed", "failed", {"error": "skipped", "status_code": 422, "excerpt": "<html>\n  nope"}),
            ("publication.published", "pending", {"error": "status", "status_code": 500, "wake_at": now + LATER}),
            ("connection.reconnect", "pending", {"error": "timeout", "wake_at": now + LATER}),
            ("ping", "failed", {"error": "redirect", "status_code": 302, "excerpt": "x" * 300}),
        )
    ):
        tried = {"tries": 1 + number, "tried_at": now, "took_ms": 240 + 3800 * number, "message_id": f"msg_{number}"}
        row = {"webhook_id": farm.id, "kind": kind, "state": state, "payload": {}, "wake_at": None, **tried, **values}
        db.session.add(WebhookDelivery(**row))


def history(row: Publication) -> list[PublicationEvent]:
    """Returns the events of a publication that was accepted at the second attempt."""
    lines = (
        (0, "created", None, None),
        (1, "step", "create", None),
        (9, "retry", "unavailable", "HTTP 502: upstream timed out"),
        (70, "step", "upload", None),
        (71, "step", "encoded: since", None),
        (102, "step", "encoded", None),
        (103, "step", "describe", None),
        (103, "commit_started", "publish", None),
        (105, "accepted", "publish", None),
        (106, "step", "confirmed: since", None),
        (131, "step", "confirmed", None),
        (131, "published", None, None),
    )
    return [
        PublicationEvent(
            publication_id=row.id,
            at=row.created_at + timedelta(seconds=after),
            kind=kind,
            status=Status.PUBLISHED if kind == "published" else Status.PUBLISHING,
            name=name,
            detail=detail,
        )
        for after, kind, name, detail in lines
    ]


def import_tables(user: User) -> None:
    """One with lines of every kind, and one whose columns are not recognized."""
    first, second = (typed_times.written(user, clock.now() + timedelta(days=days)) for days in (3, 500))
    lines = [
        "Файл;Название;Текст;Когда;Куда;Заметки",
        f"Кофе по-вьетнамски;;Снято на кухне;{first};Telegram — Везде: демо;для себя",
        f"Разминка для глаз;Разминка для глаз: три упражнения на каждый день;;{first};Telegram — Везде: демо;",
        f"разминка.mp4;;;{first};все;",
        "Сырники без муки;;;28.11;Telegram — Везде: демо, Гараж;",
        f"Сырники без муки;;;{second};Telegram;",
        f"Разминка для глаз;{'Очень длинное название ' * 10};;{first};Telegram — Везде: демо;",
        f"Разминка для глаз;;;{first};Telegram — Везде: демо;",
        f"IMG 4821;;;{first};Telegram — Везде: демо;",
        f'Кофе;"не "сошлись" кавычки;{first}',
    ]
    plan_import.start(user, "План на декабрь.csv", "\n".join(lines).encode())
    plan_import.start(user, "Без названий.csv", "\n".join(["Ролик;Выход;Место;Клип", *lines[1:]]).encode())


def connection(user_id: int, name: str, account_id: str, platform: str = "telegram") -> PlatformConnection:
    one = PlatformConnection(
        user_id=user_id,
        platform=platform,
        account_id=account_id,
        account_name=name,
        account_url="https://t.me/vezde_demo",
        facts={},
    )
    db.session.add(one)
    return one


def clip(user_id: int, title: str, hue: int) -> Clip:
    one = Clip(
        user_id=user_id,
        title=title,
        description="Снято на обычный телефон, без света и штатива. #съёмка #советы",
        file_name="clip.mp4",
        status=ClipStatus.READY,
        storage_key=storage().put_bytes(b"not a video: nothing is played here", key_from(secrets.token_hex())),
        poster_key=storage().put_bytes(picture(hue), key_from(secrets.token_hex())),
        size=18_400_000 + 3_000_000 * hue,
        sha256="0" * 64,
        content_type="video/mp4",
        container="mp4",
        video_codec="h264",
        audio_codec="aac",
        duration_ms=47_000 + 9_000 * hue,
        width=1080,
        height=1920,
    )
    db.session.add(one)
    db.session.flush()
    return one


def publication(one: Clip, where: PlatformConnection, due_in: timedelta = timedelta(0), **state) -> Publication:
    return Publication(
        user_id=one.user_id,
        clip_id=one.id,
        connection_id=where.id,
        platform=where.platform,
        account_id=where.account_id,
        account_name=where.account_name,
        account_url=where.account_url,
        title=one.title,
        description=one.description,
        due_at=clock.now() + due_in,
        **state,
    )


def picture(hue: int) -> bytes:
    """Returns a poster: a gradient with a colour for each clip, and a bright circle that shows how it is cropped."""
    width, height = 180, 320
    sky = colorsys.hsv_to_rgb(hue * 0.13 % 1, 0.55, 0.75)
    pixels = bytearray()
    for row in range(height):
        for column in range(width):
            bright = (column - 90) ** 2 + (row - 130) ** 2 < 45**2
            shade = 1.25 if bright else 1.0 - 0.75 * row / height
            pixels += bytes([*(min(255, int(255 * part * shade)) for part in sky), 255])
    frame = av.VideoFrame.from_bytes(bytes(pixels), width, height, format="rgba")
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, "yuvj420p", Fraction(1)
    return b"".join(bytes(packet) for packet in (*encoder.encode(frame.reformat(format="yuvj420p")), *encoder.encode()))


# Screenshots


def shoot(browser: Browser, base: str, width: str, scheme: str, names: list[str]) -> None:
    screen_width, screen_height = WIDTHS[width]

    def sign_in(email: str | None) -> Page:
        context = browser.new_context(
            base_url=base,
            viewport={"width": screen_width, "height": screen_height},
            color_scheme=scheme,
            device_scale_factor=1,
            locale="ru-RU",
        )
        page = context.new_page()
        if email:
            page.goto("/sign-in")
            page.get_by_label("Почта").fill(email)
            page.get_by_label("Пароль").fill(PASSWORD)
            page.get_by_role("button", name="Войти").click()
            page.wait_for_url("**/")
        return page

    def shot(page: Page, name: str, path: str, act: Callable[[Page], object] | None = None) -> None:
        if names and not name.startswith(tuple(names)):
            return
        page.goto(path)
        if act:
            act(page)
            page.wait_for_timeout(400)
        # A full-page screenshot does not scroll, so lazy images would not load.
        page.evaluate("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=OUT / f"{name}-{width}-{scheme}.png", full_page=act is None)

    def opens(label: str, number: int = 0) -> Callable[[Page], object]:
        return lambda page: page.get_by_role("button", name=label, exact=True).nth(number).click()

    def new_secret(page: Page) -> None:
        opens("Сменить секрет")(page)
        page.locator("#dialog").get_by_role("button", name="Сменить секрет").click()
        page.get_by_label("Секрет", exact=True).wait_for()

    def asked_connection(page: Page) -> None:
        page.get_by_role("button", name="Добавить аккаунт: Telegram").click()
        page.get_by_label("Токен бота").fill("не токен")
        page.get_by_label("Канал").fill("@kanal")
        page.get_by_role("button", name="Подключить", exact=True).click()
        page.get_by_text("Проверяем…").wait_for()  # there is no worker

    def new_api_key(page: Page) -> None:
        page.get_by_label("Название").fill("Скрипт монтажа")
        page.get_by_role("button", name="Создать ключ").click()
        page.get_by_text("Сохраните его сейчас").wait_for()

    def revoke_api_key(page: Page) -> None:
        page.get_by_role("link", name="Отозвать").first.click()

    def refused_date(page: Page) -> None:
        first.click()
        page.get_by_label("Дата и время").fill("2020-01-01T12:00")
        page.get_by_role("button", name="Запланировать").click()
        page.get_by_text("Это время уже прошло").wait_for()

    def in_queue(page: Page) -> None:
        first.click()
        page.get_by_role("button", name="Каждый день", exact=True).click()
        page.locator("[data-accounts]:not([hidden])").first.click()

    def in_panel(title: str, label: str) -> Callable[[Page], object]:
        def act(page: Page) -> None:
            page.locator("article", has_text=title).get_by_role("heading").get_by_role("link").click()
            page.locator("#clip-panel").get_by_role("button", name=label, exact=True).first.click()

        return act

    def choose_some(page: Page) -> None:
        for number in (1, 3):
            page.locator("#clips .pick").nth(number).dispatch_event("click")

    def delete_some(page: Page) -> None:
        choose_some(page)
        page.locator("#bulk-delete").click()

    def make_some(page: Page) -> None:
        if (button := page.get_by_role("button", name="Запланировать")).is_visible():  # the first picture has done it
            button.click()

    def dry_run(page: Page) -> None:
        page.get_by_role("button", name="Проверить на последних клипах").click()
        page.get_by_role("heading", name="Что сделало бы правило").scroll_into_view_if_needed()

    anonymous = sign_in(None)
    shot(anonymous, "sign-in", "/sign-in")
    shot(anonymous, "sign-up", "/sign-up")
    shot(anonymous, "recovery", "/recovery")
    shot(anonymous, "recovery-over", "/recovery/x")
    shot(anonymous, "privacy", "/privacy")
    pro = sign_in("pro@demo.vezde.ru")
    shot(pro, "clips", "/")
    card = pro.locator("article", has_text="Как снять закат")
    first = pro.locator("article", has_text="Разминка для глаз").locator(".clip-foot .button")
    shot(pro, "clips-panel", "/", lambda _page: card.get_by_role("heading").get_by_role("link").click())
    shot(pro, "clips-menu", "/", lambda _page: card.locator("summary").click())
    shot(pro, "clips-chosen", "/", choose_some)
    shot(pro, "clips-delete-many", "/", delete_some)
    shot(pro, "clips-none", "/?q=борщ&view=grid")
    shot(pro, "clips-rows", "/?view=list")
    shot(pro, "clips-rows-panel", "/?view=list", lambda _page: card.get_by_role("heading").get_by_role("link").click())
    pro.goto("/?view=grid")
    shot(pro, "clip-page", f"/clips/{first_clip_id(pro)}")
    shot(pro, "clips-publish", "/", lambda _page: first.click())
    shot(pro, "clips-schedule", "/", refused_date)
    shot(pro, "clips-move", "/", in_panel("Волга утром", "Перенести"))
    shot(pro, "clips-edit", "/", opens("Изменить", 3))
    shot(pro, "clips-delete", "/", opens("Удалить", 3))
    shot(pro, "clips-play", "/", opens("Смотреть"))
    shot(pro, "clips-confirm", "/", in_panel("Запуск канала", "Есть"))
    shot(pro, "clips-publish-page", f"/clips/{first_clip_id(pro)}/publish")
    shot(pro, "plan", "/plan")
    shot(pro, "plan-week", "/plan?view=week")
    shot(pro, "plan-add", "/plan?view=week", lambda page: page.locator(".plan-add").first.click())
    shot(pro, "plan-feed", "/plan", opens("Календарь в телефоне"))
    shot(pro, "plan-list", "/publications?state=upcoming")
    shot(pro, "publications", "/publications")
    shot(pro, "publications-none", "/publications?q=борщ")
    shot(pro, "publications-confirm", "/publications", opens("Есть"))
    for name, status, words in PUBLICATIONS:
        shot(pro, f"publication-{name}", publication_page(pro, status, words))
    shot(pro, "import", "/bulk/import")
    shot(pro, "import-table", "/bulk/import/1")
    shot(pro, "import-columns", "/bulk/import/2")
    shot(pro, "import-made", "/bulk/import/1", make_some)
    shot(pro, "stats", "/stats/")
    shot(pro, "stats-90", "/stats/?days=90")
    shot(pro, "stats-table", "/stats/?days=7", lambda page: page.get_by_text("Таблица по дням").click())
    shot(pro, "settings-integrations", "/settings/integrations")
    shot(pro, "settings-connect", "/settings/integrations", opens("Добавить аккаунт: Telegram"))
    shot(pro, "settings-refused", "/settings/integrations", asked_connection)
    shot(pro, "settings-disconnect", "/settings/integrations", opens("Отключить"))
    shot(pro, "notifications", "/notices")
    shot(pro, "settings-webhooks", "/settings/webhooks")
    shot(pro, "settings-webhooks-history", "/settings/webhooks/1")
    shot(pro, "settings-webhooks-edit", "/settings/webhooks", opens("Изменить", 1))
    shot(pro, "settings-webhooks-rotate", "/settings/webhooks", opens("Сменить секрет"))
    shot(pro, "settings-webhooks-secret", "/settings/webhooks", new_secret)
    shot(pro, "settings-sets", "/settings/sets")
    shot(pro, "settings-sets-slot", "/settings/sets", lambda page: page.locator(".slot.taken").first.click())
    shot(pro, "settings-sets-new", "/settings/sets", opens("Новый набор"))
    shot(pro, "settings-sets-add", "/settings/sets", lambda page: page.get_by_text("Добавить слоты").first.click())
    shot(pro, "clips-queue", "/", in_queue)
    shot(pro, "settings-rules", "/settings/rules")
    shot(pro, "settings-rules-new", "/settings/rules/new")
    shot(pro, "settings-rules-dry", "/settings/rules/2/edit", dry_run)
    shot(pro, "settings-rules-delete", "/settings/rules", opens("Удалить", 1))
    shot(pro, "settings-approvals", "/settings/rules/approvals")
    shot(pro, "settings-profile", "/settings/profile")
    shot(pro, "settings-password", "/settings/password")
    shot(pro, "settings-security", "/settings/security")
    shot(pro, "settings-delete", "/settings/delete")
    shot(pro, "settings-api", "/settings/api")
    shot(pro, "settings-api-new", "/settings/api/new")
    shot(pro, "settings-api-created", "/settings/api/new", new_api_key)
    shot(pro, "settings-api-revoke", "/settings/api", revoke_api_key)
    shot(pro, "api-docs", "/api/v1/docs")
    shot(pro, "plans", "/plans")
    shot(pro, "error-404", "/nowhere")
    studio = sign_in("business@demo.vezde.ru")
    shot(studio, "arrivals", "/")
    shot(studio, "arrivals-new", "/", refused_address)
    shot(studio, "hooks", "/settings/hooks", lambda page: page.get_by_text("Последние вызовы").first.click())
    shot(studio, "hooks-new", "/settings/hooks", tried_mapping)
    shot(studio, "hooks-renewed", "/settings/hooks", renewed_address)
    free = sign_in("free@demo.vezde.ru")
    shot(free, "empty", "/")
    shot(free, "settings-rules-empty", "/settings/rules")
    shot(free, "settings-approvals-empty", "/settings/rules/approvals")
    shot(free, "notifications-empty", "/notices")
    shot(free, "stats-empty", "/stats/")
    shot(free, "plan-empty", "/plan")
    shot(free, "publications-empty", "/publications")
    shot(free, "upgrade", "/settings/integrations")
    admin = sign_in("admin@demo.vezde.ru")
    shot(admin, "ops", "/ops")
    for page in (anonymous, pro, studio, free, admin):
        page.context.close()


def first_clip_id(page: Page) -> str:
    page.goto("/")
    return page.locator("article").last.get_attribute("id").removeprefix("clip-")


def publication_page(page: Page, status: Status, words: str) -> str:
    """Of the one in this state whose title and account have these words."""
    page.goto(f"/publications?status={status}&q={words}")
    [found] = page.locator(".entry-title a").all()
    return found.get_attribute("href")


if __name__ == "__main__":
    main(sys.argv[1:])
