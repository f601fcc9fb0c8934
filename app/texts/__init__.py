"""Russian for every status, every stage and every reason: what is wrong, and what to do."""

import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from flask import current_app

from app.texts import arrivals, moments
from app.texts.problems import PROBLEMS

if TYPE_CHECKING:
    from app.models import Publication

STATUSES = {
    "scheduled": "Запланировано",
    "publishing": "Публикация...",
    "awaiting_user": "Ждёт вас",
    "unconfirmed": "Проверьте",
    "published": "Опубликовано",
    "failed": "Ошибка",
    "cancelled": "Отменено",
}

STAGES = {
    "queued": "в очереди",
    "starting": "начинаем",
    "preparing": "готовим файл",
    "uploading": "загрузка",
    "sent": "площадка принимает клип",
    "processing": "обрабатывается площадкой",
    "checking": "ответ потерян, проверяем на площадке",
    "waiting": "ждём: площадка просит не спешить",
    "quota": "ждём: сегодня площадка больше не примет",
    "incident": "у площадки сбой, ждём: выйдет само",
    "storage": "хранилище клипов не отвечает, ждём",
    "outage": "сбой на нашей стороне, ждём",
    "retry": "повтор",
}

EVENTS = {
    "created": "Создана",
    "scheduled": "Запланирована",
    "moved": "Перенесена",
    "options_changed": "Настройки изменены",
    "paused": "Набор поставлен на паузу",
    "resumed": "Набор снят с паузы",
    "published_now": "Вы попросили опубликовать сейчас",
    "started": "Началась",
    "preparing": "Готовим файл для площадки: попытки не тратятся",
    "step": "Шаг сделан",
    "commit_started": "Последний шаг: отправляем",
    "accepted": "Площадка приняла клип",
    "answer_lost": "Ответ площадки потерян",
    "not_found": "Площадка: клипа там нет",
    "retry": "Не вышло, будет повтор",
    "quota": "Сегодня площадка больше не примет: ждём, попытки не тратятся",
    "incident": "У площадки сбой: ждём, попытки не тратятся",
    "outage": "Сбой на нашей стороне: ждём, попытки не тратятся",
    "receipt_found": "Пришёл поздний ответ площадки",
    "published": "Опубликована",
    "failed": "Не опубликована",
    "unconfirmed": "Неизвестно, дошёл ли клип",
    "awaiting_user": "Ждёт вас",
    "cancelled": "Отменена",
    "restored": "Вы вернули публикацию",
    "retried": "Повтор по вашей просьбе",
    "confirmed": "Вы подтвердили публикацию",
    "resent": "Вы попросили отправить ещё раз",
    "disconnected": "Аккаунт отключён, публикация заканчивается сама",
    "rescheduled": "Вы вернули её: запланирована снова, новой публикацией",
}

# The same lines, where the adapter names the step.
STEP_EVENTS = {
    "step": "Готово: {step}",
    "waiting": "Ждём: {step}",
    "commit_started": "Передаём площадке: {step}",
    "accepted": "Площадка подтвердила: {step}",
}

SECURITY = {
    "signed_up": "Аккаунт создан",
    "signed_in": "Вход",
    "password_accepted": "Пароль принят, ждём код или ключ доступа",
    "confirmation_asked": "Запрошено ещё одно письмо для подтверждения почты",
    "email_confirmed": "Почта подтверждена",
    "second_factor_failed": "Неверный код или ключ доступа",
    "second_factor_added": "Вход с кодом включён",
    "second_factor_removed": "Вход с кодом выключен",
    "passkey_added": "Добавлен ключ доступа",
    "passkey_removed": "Удалён ключ доступа",
    "recovery_code_used": "Использован код восстановления",
    "recovery_codes_renewed": "Коды восстановления заменены",
    "sign_in_failed": "Неудачная попытка входа",
    "signed_out": "Выход",
    "signed_out_everywhere": "Выход на всех устройствах",  # lines of before 0.4
    "session_ended": "Сеанс завершён",
    "other_sessions_ended": "Остальные сеансы завершены",
    "confirmed": "Пароль подтверждён",
    "password_changed": "Пароль изменён",
    "recovery_asked": "Запрошена ссылка для нового пароля",
    "password_recovered": "Пароль изменён по ссылке из письма",
    "plan_changed": "Тариф изменён",
    "connected": "Аккаунт подключён",
    "disconnect_undone": "Отключение аккаунта отменено",
    "disconnected": "Аккаунт отключён",
    "api_key_created": "Создан ключ API",
    "api_key_revoked": "Отозван ключ API",
    "api_key_refused": "Отказ: ключ API больше не действует",
    "data_downloaded": "Данные скачаны",
    "webhook_added": "Добавлен вебхук",
    "webhook_moved": "Изменён адрес вебхука",
    "webhook_secret_rotated": "Сменён секрет вебхука",
    "webhook_removed": "Удалён вебхук",
    "telegram_linked": "Связан чат Telegram",
    "telegram_unlinked": "Отвязан чат Telegram",
}

# In the place of an address, where it was an operator's command.
# Where clips come from, by `Clip.source`.
SOURCES = {
    "upload": "загрузка в браузере",
    "api": "программа по ключу",
    "import": "по ссылке",
    "hook": "сигнал другой программы",
    "inbox": "папка",
}

OPERATOR = "администратор сервиса"

# What is wrong, what to do. Adapters add their own: `add_reasons()`. They are shown in letters and notifications too:
# none refers to what is beside it on a page.
REASONS: dict[str, tuple[str, str]] = {
    "unavailable": ("Площадка не отвечает", "Повторите позже: с вашей стороны ничего менять не нужно."),
    "incident": (
        "У площадки был долгий сбой",
        "Повторите, когда она снова заработает: с вашей стороны ничего менять не нужно.",
    ),
    "untrusted_certificate": (
        "Защищённая связь с площадкой не установилась: её сертификат не удалось проверить",
        "Это на нашей стороне, у вас ничего менять не нужно. Напишите в поддержку и повторите позже.",
    ),
    "unexpected_answer": (
        "Площадка ответила не так, как описано в её правилах",
        "Мы это уже видим. Попробуйте позже; если не поможет, напишите в поддержку.",
    ),
    "internal": ("Внутренняя ошибка", "Мы её уже видим. Повторите; если не поможет, напишите в поддержку."),
    "crashed": ("Публикация обрывается раз за разом", "Проверьте, что файл открывается, и повторите."),
    "reconnect": (
        "Доступ к аккаунту больше не действует",
        "Переподключите его в «Настройки → Интеграции» и повторите.",
    ),
    "rate_limited": ("Площадка просит подождать", "Попробуйте через несколько минут."),
    "quota_spent": (
        "Площадка день за днём не принимает больше клипов от нашего сервиса",
        "Опубликуйте позже. Если это повторяется, напишите в поддержку.",
    ),
    "refused": ("Площадка отказала", "Исправьте клип или текст и повторите."),
    "forbidden_address": (
        "Площадка назвала адрес, по которому мы не ходим",
        "Это защита нашей сети. Повторите; если не поможет, напишите в поддержку.",
    ),
    "consent_stale": (
        "{platform} не подключён: это подключение устарело, уже использовано или начато в другом браузере",
        "Начните ещё раз: «Подключить {platform}».",
    ),
    "consent_refused": ("{platform} не подключён: площадка не приняла запрос", "Начните ещё раз."),
    "consent_unavailable": ("{platform} не отвечает", "Подождите минуту и попробуйте ещё раз."),
    "too_large": ("Файл больше, чем принимает площадка", "Сожмите клип или укоротите его и загрузите заново."),
    "unknown": (
        "Ответ площадки потерян: клип мог опубликоваться",
        "Откройте свою страницу на площадке и скажите, есть ли он там.",
    ),
    "left_unconfirmed": (
        "Публикация отменена, но клип мог остаться на площадке",
        "Откройте страницу и, если он там есть, удалите его сами.",
    ),
    "missed": ("Пропущено время публикации", "Сервис в этот час не работал. Опубликуйте сейчас."),
    "plan": ("Ваш тариф больше не включает эту площадку", "Смените тариф и повторите."),
    "disconnected": (
        "Аккаунт отключён",
        "Подключите его в «Настройки → Интеграции»: запланированное можно вернуть, остальное опубликуйте заново.",
    ),
    "not_in_plan_any_more": (
        "Тариф больше не включает эту площадку",
        "Смените тариф: запланированное можно вернуть, пока его время не прошло.",
    ),
    "rescheduled": ("Запланирована снова", "Следите за новой публикацией: она тоже есть в списке."),
    "clip_gone": ("Файла клипа больше нет", "Загрузите клип заново."),
    "clip_changed": ("Файл клипа повреждён: он не тот, что был загружен", "Загрузите клип заново."),
    "webhook_failing": (
        "Сервер сутки не принимал события",
        "Проверьте его и включите вебхук снова: всё, что случится за 30 дней, мы сохраним и тогда пришлём.",
    ),
    "webhook_gone": (
        "Сервер ответил 410: этого адреса больше нет",
        "Исправьте адрес и включите вебхук снова: всё, что случится за 30 дней, мы сохраним и тогда пришлём.",
    ),
    "storage_away": (
        "Хранилище клипов не отвечает",
        "Это сбой на нашей стороне. Повторите позже: загружать клип заново не нужно.",
    ),
    "fetch_away": (
        "Площадка не смогла забрать клип: наш адрес не отвечает",
        "Это сбой на нашей стороне. Повторите позже: загружать клип заново не нужно.",
    ),
}


# A notification's headline and sentence, which its facts fill. Keys are `Notification.kind`.
NOTIFICATIONS: dict[str, tuple[str, str]] = {
    "reconnect": (
        "Переподключите {platform}",
        "Доступ к аккаунту «{account}» больше не действует. Переподключите его, чтобы публикации шли дальше.",
    ),
    "ahead": (
        "Скоро публикация, а {platform} не подключён",
        "Клип «{title}» выйдет {when}, но доступ к аккаунту «{account}» не действует. Переподключите его заранее.",
    ),
    "failed": ("Не опубликовано: «{title}»", "{platform}, «{account}». {reason}"),
    "unconfirmed": ("Проверьте публикацию «{title}»", "{platform}, «{account}». {reason}"),
    "new_device": (
        "Вход с нового устройства",
        "{device}, адрес {address}, {when}. Если это не вы, завершите этот сеанс и смените пароль.",
    ),
    "second_factor_added": (
        "Вход с кодом включён",
        "{when}, {address}. Теперь кроме пароля вход спрашивает код. Если это не вы, сразу напишите в поддержку.",
    ),
    "second_factor_removed": (
        "Вход с кодом выключен",
        "{when}, {address}. Теперь для входа хватит пароля. Если это не вы, смените пароль и включите его снова.",
    ),
    "passkey_added": (
        "Добавлен ключ доступа",
        "{when}, {address}. С ним входят без пароля. Если это не вы, удалите его и смените пароль.",
    ),
    "passkey_removed": (
        "Удалён ключ доступа",
        "{when}, {address}. Войти с ним больше нельзя. Если это не вы, смените пароль и добавьте ключ снова.",
    ),
    "recovery_code_used": (
        "Использован код восстановления",
        "{when}, {address}. Больше он не действует. Если это не вы, смените пароль и замените коды.",
    ),
    "held": ("Ждёт вашего решения: «{title}»", "Правило «{rule}». {why}"),
    "api_key_created": (
        "Создан ключ API",
        "{when}, {address}. С ним программа управляет клипами. Если это не вы, отзовите его и смените пароль.",
    ),
    "api_key_revoked": (
        "Отозван ключ API",
        "{when}, {address}. Программам с этим ключом теперь отказано. Если это не вы, смените пароль.",
    ),
    "not_published": ("Не опубликовано после загрузки: «{title}»", "Почему: {why}"),
    "plan_withheld": (
        "Отменено запланированных публикаций: {count}",
        "Тариф {plan} не включает эти площадки: {where}. Смените тариф, и то, чьё время не прошло, можно вернуть.",
    ),
    "plan_returnable": (
        "Можно вернуть запланированных публикаций: {count}",
        "Тариф {plan} включает эти площадки: {where}. Время и тексты будут прежними.",
    ),
    "webhook_paused": (
        "Вебхук «{name}» остановлен",
        "События туда больше не уходят. {reason}",
    ),
    "incident": (
        "У {platform} сбой, ждём",
        "Площадка не принимает клипы ни у кого. Ваши публикации ждут и выйдут сами. Чем кончилось, напишем.",
    ),
    "recovered": ("{platform} снова работает", "Выходят сейчас: {waiting}. Не дождались: {missed}."),
    "awaiting_user": (
        "Публикация ждёт вас: «{title}»",
        "{platform}, «{account}». Всё готово: опубликуйте клип и вставьте ссылку на результат.",
    ),
}

REASONS |= arrivals.REASONS
NOTIFICATIONS |= arrivals.NOTIFICATIONS


def add_reasons(reasons: Mapping[str, tuple[str, str]]) -> None:
    REASONS.update(reasons)


def reason(key: str, params: Mapping[str, str] | None = None, detail: str | None = None) -> tuple[str, str]:
    """What is wrong and what to do, as two sentences; `detail` where it is shown below them."""
    what, advice = REASONS[key]
    if detail and key == "refused":
        advice = "Прочитайте её ответ ниже, исправьте и повторите."
    known = defaultdict(str, params or {})  # a stored reason has none: the text reads on without them and without a gap
    return " ".join(what.format_map(known).split()), " ".join(advice.format_map(known).split())


def detail_label(detail: str, reason_key: str | None = None) -> str:
    """The origin of a detail: our own (`app.platforms.errors`) begins with a small Russian letter."""
    own = reason_key in (None, "unavailable", "unknown", "reconnect") and re.match("[а-яё]", detail)
    return "Что случилось" if own else "Ответ площадки"


def sentence(key: str, params: Mapping[str, str] | None = None) -> str:
    what, advice = reason(key, params)
    return f"{what}. {advice}"


def problem(code: str, params: Mapping[str, object]) -> str:
    if code in REASONS:
        return sentence(code, params)
    return PROBLEMS[code].format_map(params)


def notification(kind: str, facts: Mapping[str, str | None], zone_name: str) -> tuple[str, str]:
    """Headline and sentence. Of the facts `reason` is a key of REASONS, `due_at` or `at` an ISO time in UTC."""
    filled = defaultdict(str, {name: fact for name, fact in facts.items() if fact is not None})
    if facts.get("reason"):
        filled["reason"] = sentence(facts["reason"])
    if when := facts.get("due_at") or facts.get("at"):
        filled["when"] = moments.dated(datetime.fromisoformat(when), zone_name)
    headline, text = NOTIFICATIONS[kind]
    return headline.format_map(filled), text.format_map(filled).strip()


def event(kind: str, name: str | None, zone_name: str, step: str = "") -> str:
    """A line of the history: «Перенесена на чт, 26 ноября, 18:30», where the event's name is its due time; about a
    step, by its adapter's name for it: «Готово: загрузка видео».
    """
    if step:
        return STEP_EVENTS[kind].format(step=step)
    if kind in ("scheduled", "moved") and name:
        return f"{EVENTS[kind]} на {moments.dated(datetime.fromisoformat(name), zone_name)}"
    return EVENTS[kind]


def status(publication: "Publication", zone_name: str) -> str:
    if publication.status == "scheduled":
        paused = ", на паузе" if publication.is_paused else ""
        return f"Запланировано на {moments.exact(publication.due_at, zone_name)}{paused}"  # US-AP-06, AC4
    return STATUSES[publication.status]


def progress(publication: "Publication", now: datetime) -> str:
    """What is going on inside «Публикация...»; empty in other statuses."""
    if publication.status != "publishing":
        return ""
    if publication.stage == "uploading" and publication.total:
        return f"загрузка {100 * (publication.sent or 0) // publication.total} %"
    if publication.stage == "preparing" and publication.reason:
        return f"готовим файл, ждём: {_uncapitalized(REASONS[publication.reason][0])}"
    if publication.stage == "preparing" and publication.total:
        return f"готовим файл, {publication.sent or 0} %"
    if publication.stage == "retry" and publication.wake_at:
        most = max(len(current_app.config["RETRY_SECONDS"]), publication.attempt)
        return f"повтор {_in(publication.wake_at, now)} ({publication.attempt} из {most})"
    if publication.stage == "waiting" and publication.wake_at:
        return f"ждём: площадка просит не спешить, продолжим {_in(publication.wake_at, now)}"
    if publication.stage == "quota" and publication.wake_at:
        return f"начнём {_in(publication.wake_at, now)}: сегодня площадка больше не примет"
    if publication.stage == "incident" and publication.wake_at:
        return f"сбой у площадки, попробуем снова {_in(publication.wake_at, now)}"
    return STAGES[publication.stage or "queued"]


def _uncapitalized(text: str) -> str:
    return text[:1].lower() + text[1:]


def _in(then: datetime, now: datetime) -> str:
    seconds = max(round((then - now).total_seconds()), 1)
    if seconds < 60:
        return f"через {seconds} с"
    minutes = round(seconds / 60)
    return f"через {minutes} мин" if minutes < 100 else f"через {round(minutes / 60)} ч"
