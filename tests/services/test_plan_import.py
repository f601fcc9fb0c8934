"""A plan's table: each line with what is wrong, and one press for all that is right."""

from datetime import datetime, timedelta

import pytest

from app import clock, platforms
from app.db import commit, db
from app.models import (
    Clip,
    ClipStatus,
    ConnectionStatus,
    PlanImport,
    PlatformConnection,
    Publication,
    Status,
    Upload,
    User,
)
from app.platforms.options import Checkbox, Select, Text
from app.problems import NotFound, Problem
from app.services import account_sets, plan_export, plan_import, publications, tables, typed_times
from app.services.drafts import Choice
from app.services.plan_import import Row, Sheet, State
from tests import asking

HEAD = "Файл;Название;Текст;Когда;Куда"


def in_days(days: float) -> datetime:
    return clock.now().replace(second=0, microsecond=0) + timedelta(days=days)


class Plan:
    """A user with two channels and three clips, and what is made of a table of theirs."""

    def __init__(self, owner: User) -> None:
        self.owner = owner
        self.kitchen, self.studio = (asking.connection(owner, f"-100{number}") for number in (1, 2))
        self.kitchen.account_name, self.studio.account_name = "Кухня", "Студия"
        self.clips = [self.clip(f"{name}.mp4", name.title()) for name in ("закат", "волга", "сырники")]
        commit()

    def clip(self, file_name: str, title: str, **more) -> Clip:
        one = asking.clip(self.owner, title)
        one.file_name = file_name
        for name, value in more.items():
            setattr(one, name, value)
        commit()
        return one

    def at(self, days: float = 1) -> str:
        return typed_times.written(self.owner, in_days(days))

    def start(self, *lines: str, head: str = HEAD, expected=()) -> PlanImport:
        one = plan_import.start(self.owner, "план.csv", "\n".join([head, *lines]).encode(), expected)
        commit()
        return one

    def check(self, *lines: str, head: str = HEAD, expected=()) -> Sheet:
        return plan_import.check(self.owner, self.start(*lines, head=head, expected=expected))


@pytest.fixture
def plan(user) -> Plan:
    return Plan(user())


def codes(row: Row) -> list[str]:
    found = [*row.problems, *(problem for line in row.unmade for problem in line.problems)]
    return list(dict.fromkeys(one.code if isinstance(one, Problem) else "gone" for one in found))


def made() -> list[Publication]:
    db.session.rollback()
    rows = db.select(Publication).order_by(Publication.due_at, Publication.id)
    return list(db.session.scalars(rows.execution_options(populate_existing=True)))


# What is right


def test_a_line_becomes_a_publication_on_each_account(plan: Plan):
    one = plan.start(
        f"закат.mp4;Вечер;Над рекой;{plan.at(1)};Telegram — Кухня, студия",
        "",
        f"C:\\Клипы\\ВОЛГА.MP4;;;{plan.at(2)};все",
        f"Сырники;;;{plan.at(3)};Telegram - Студия",
    )
    assert made() == []
    result = plan_import.carry_out(plan.owner, one)
    commit()
    assert (result.lines, len(result.publications), result.refused) == (3, 5, 0)
    assert [(row.title, row.description, row.account_name, row.status) for row in made()] == [
        ("Вечер", "Над рекой", "Кухня", Status.SCHEDULED),
        ("Вечер", "Над рекой", "Студия", Status.SCHEDULED),
        ("Волга", "", "Кухня", Status.SCHEDULED),
        ("Волга", "", "Студия", Status.SCHEDULED),
        ("Сырники", "", "Студия", Status.SCHEDULED),
    ]
    assert [row.due_at for row in made()][::2] == [in_days(1), in_days(2), in_days(3)]
    # The second half of a double press, and the table sent again: nothing is made twice, nothing is a fault.
    again = plan_import.carry_out(plan.owner, plan_import.get(plan.owner, one.id))
    assert (again.lines, again.publications) == (0, [])
    assert [row.state for row in plan_import.check(plan.owner, one).rows] == [State.THERE] * 3
    assert len(made()) == 5
    # With another text or time it is one.
    sheet = plan.check(f"закат.mp4;Утро;Над рекой;{plan.at(1)};Кухня", f"волга.mp4;;;{plan.at(3)};Кухня")
    assert [codes(row) for row in sheet.rows] == [["already_live"]] * 2


def test_columns_in_any_order_and_language_with_the_time_apart(plan: Plan):
    at = in_days(1)
    local = clock.to_zone(at, plan.owner.timezone)
    line = f"все\t{local:%H:%M}\tзакат.mp4\tмоё\t{local:%Y-%m-%d}"
    sheet = plan.check(line, head="WHERE*\tTime\tFile_name\tЗаметки\tDate")
    assert sheet.meanings == ["where", "time", "file", "", "when"]
    assert [(row.state, row.due_at) for row in sheet.rows] == [(State.READY, at)]


def test_a_set_and_a_part_of_what_stands_there(plan: Plan):
    account_sets.save(plan.owner, "Оба, дома", [plan.kitchen.id, plan.studio.id])
    publications.publish(plan.owner, plan.clips[0].id, [Choice(plan.kitchen.id, "Закат", "")], in_days(1))
    commit()
    one = plan.start(f"закат.mp4;;;{plan.at(1)};оба, дома", f'волга.mp4;;;{plan.at(1)};"Оба, дома; Кухня"')
    assert len(plan_import.carry_out(plan.owner, one).publications) == 1 + 2


def test_accounts_as_people_write_them(plan: Plan):
    plan.studio.account_url = "https://t.me/studia/"
    commit()
    for where in (
        "кухня, СТУДИЯ",
        "Кухня / @studia",
        "Кухня+@studia",
        "Кухня; https://t.me/studia",
        "Все",
        f"Telegram #{plan.studio.id}, Кухня",
    ):
        [row] = plan.check(f'закат.mp4;;;{plan.at()};"{where}"').rows
        assert {line.item.choice.connection_id for line in row.lines} == {plan.kitchen.id, plan.studio.id}, where


def test_names_of_columns_that_only_begin_so(plan: Plan):
    one = plan.start("а;б;в;г;д", head="Файл клипа;Название ролика;Название;Дата и время выхода;Где публиковать")
    assert one.columns == ["file", "", "title", "when", "where"]


def test_formulas_are_texts(plan: Plan):
    sheet = plan.check(f'закат.mp4;\'=cmd();"=HYPERLINK(""x"")";{plan.at()};все')
    assert [(line.title, line.description) for line in sheet.rows[0].lines] == [("=cmd()", '=HYPERLINK("x")')] * 2


# What is wrong: a line each, and what is said of it

FAULTS = {
    ";;;{at};все": "import_file_missing",
    "нет.mp4;;;{at};все": "import_clip_not_found",
    "#999999;;;{at};все": "import_clip_not_found",
    "дубль.mp4;;;{at};все": "import_clip_ambiguous",
    "едет.mp4;;;{at};все": "import_clip_uploading",
    "в папке.mp4;;;{at};все": "import_clip_uploading",
    "битый.mp4;;;{at};все": "import_clip_failed",
    "новый.mp4;;;{at};все": "clip_not_ready",
    "закат.mp4;;;;все": "due_missing",
    "закат.mp4;;;завтра;все": "typed_time_malformed",
    "закат.mp4;;;28.11.2026;все": "typed_time_without_hour",
    "закат.mp4;;;31.02.2027 10:00;все": "typed_time_impossible",
    "закат.mp4;;;{past};все": "due_in_past",
    "закат.mp4;;;{soon};все": "due_too_soon",
    "закат.mp4;;;{far};все": "due_too_late",
    "закат.mp4;;;{at};": "import_where_missing",
    "закат.mp4;;;{at};Гараж": "import_where_unknown",
    "закат.mp4;;;{at};Кухня; Гараж": "import_cells_too_many",
    'закат.mp4;;;{at};"Кухня; Гараж"': "import_where_unknown",
    "закат.mp4;;;{at};Телеграм": "import_where_ambiguous",
    "закат.mp4;;;{at};Рутуб": "import_platform_not_connected",
    "закат.mp4;;;{at};Гость": "account_needs_reconnect",
    "закат.mp4;{title};;{at};все": "title_over_column",
    "закат.mp4;;{text};{at};все": "text_too_long",
    "закат.mp4;;;{at};все;лишняя": "import_cells_too_many",
    "закат.mp4;;\0;{at};все": "table_line_unreadable",
    'закат.mp4;;"откр"ыта;{at};все': "table_quotes_open",
    "волга.mp4;;;{at};Студия": "already_live",
    "сырники.mp4;;;{at};Кухня": "already_published",
}  # fmt: skip


@pytest.fixture
def crowded(plan: Plan) -> Plan:
    """All that can be wrong with what a line names."""
    plan.clip("дубль.mp4", "Первый")
    plan.clip("дубль.mp4", "Второй")
    plan.clip("битый.mp4", "Битый", status=ClipStatus.FAILED)
    plan.clip("новый.mp4", "Новый", status=ClipStatus.PROCESSING)
    upload = Upload(id="1", user_id=plan.owner.id, file_name="едет.mp4", length=1, expires_at=in_days(1))
    guest = asking.connection(plan.owner, "-1003")
    guest.account_name, guest.status = "Гость", ConnectionStatus.RECONNECT
    db.session.add_all([upload, asking.publication(plan.clips[2], plan.kitchen)])
    publications.publish(plan.owner, plan.clips[1].id, [Choice(plan.studio.id, "Волга", "")], in_days(9))
    commit()
    return plan


def test_each_fault_is_said_at_its_line(crowded: Plan):
    values = {
        "at": crowded.at(),
        "past": crowded.at(-1),
        "soon": typed_times.written(crowded.owner, clock.now() + timedelta(minutes=2)),
        "far": crowded.at(400),
        "title": "н" * 201,
        "text": "т" * 5000,
    }
    lines = [line.format(**values) for line in FAULTS]
    sheet = crowded.check(*lines, f"закат.mp4;;;{crowded.at()};все", expected=["в папке.mp4"])
    assert len(FAULTS) >= 28
    found = {(row.number, code) for row in sheet.rows for code in codes(row)}
    assert found >= {(number, code) for number, code in enumerate(FAULTS.values(), 2)}
    several = [row.number for row in sheet.rows if len(codes(row)) > 1]
    assert several == [], [codes(row) for row in sheet.rows if row.number in several]
    waiting = {"import_clip_uploading", "clip_not_ready"}
    states = [State.WAITING if code in waiting else State.BAD for code in FAULTS.values()]
    assert [row.state for row in sheet.rows] == [*states, State.READY]
    for row in sheet.rows:
        assert all("{" not in problem.text for problem in row.problems)


def test_a_plan_without_the_platform(plan: Plan):
    plan.owner.plan_key = "start"
    commit()
    sheet = plan.check(f"закат.mp4;;;{plan.at()};все", f"волга.mp4;;;{plan.at()};Кухня")
    assert [codes(row) for row in sheet.rows] == [["not_in_plan"]] * 2


def test_all_that_is_wrong_with_a_line_is_said_at_once(plan: Plan):
    [row] = plan.check(f"закат.mp4;{'н' * 201};;вчера;Гараж, Кухня").rows
    assert codes(row) == ["typed_time_malformed", "import_where_unknown"]
    [row] = plan.check(f"закат.mp4;{'н' * 201};{'т' * 5000};вчера;Кухня").rows
    assert codes(row) == ["typed_time_malformed", "title_over_column", "text_too_long"]


def test_of_lines_alike_the_first_that_is_right_counts(plan: Plan):
    sheet = plan.check(
        "закат.mp4;;;вчера;Кухня",
        f"закат.mp4;;;{plan.at(1)};Кухня",
        f"Закат;;;{plan.at(1)};Кухня",
        f"закат;Другое;;{plan.at(2)};все",
        f"закат.mp4;;;{plan.at(2)};Студия",
    )
    assert [codes(row) for row in sheet.rows] == [
        ["typed_time_malformed"],
        [],
        ["import_line_twice"],
        ["import_line_twice"],
        [],
    ]
    assert [row.problems[0].params for row in sheet.rows[2:4]] == [{"line": 3}, {"line": 3}]


def test_a_line_is_made_as_a_whole_or_not_at_all(crowded: Plan):
    one = crowded.start(
        f'закат.mp4;;;{crowded.at()};"Кухня; Гость"', f"закат.mp4;;;{crowded.at()};Студия", "битый.mp4;;;;"
    )
    result = plan_import.carry_out(crowded.owner, one)
    commit()
    assert (result.lines, result.refused) == (1, 0)
    assert [row.account_name for row in made() if row.title == "Закат"] == ["Студия"]


def test_once_more_where_it_stands_already(crowded: Plan):
    one = crowded.start(f"сырники.mp4;;;{crowded.at()};Кухня")
    plan_import.choose(one, {}, again=True)
    assert len(plan_import.carry_out(crowded.owner, one).publications) == 1


def test_the_same_file_twice_is_the_newer_one(plan: Plan):
    for title in ("Старый", "Новый"):
        plan.clip("копия.mp4", title, fingerprint="a" * 64)
    [row] = plan.check(f"копия.mp4;;;{plan.at()};Кухня").rows
    assert row.lines[0].title == "Новый"
    plan.clip("копия.mp4", "Битый", fingerprint="b" * 64, status=ClipStatus.FAILED)
    assert plan.check(f"копия.mp4;;;{plan.at()};Кухня").rows[0].lines[0].title == "Новый"


def test_a_strangers_clips_accounts_and_tables_are_not_there(plan: Plan, user):
    other = Plan(user())
    alien = other.clip("чужой.mp4", "Чужой")
    other.kitchen.account_name = "Чужая кухня"
    commit()
    sheet = plan.check(f"чужой.mp4;;;{plan.at()};Кухня", f"#{alien.id};;;{plan.at()};Чужая кухня")
    assert [codes(row) for row in sheet.rows] == [
        ["import_clip_not_found"],
        ["import_clip_not_found", "import_where_unknown"],
    ]
    with pytest.raises(NotFound):
        plan_import.get(plan.owner, other.start(f"закат.mp4;;;{plan.at()};все").id)


# Columns


@pytest.mark.parametrize(
    ("head", "code", "names"),
    [
        ("а;б", "import_column_missing", "«Файл», «Когда», «Куда»"),
        ("Файл;Время;Куда", "import_column_missing", "«Когда»"),
        ("Файл;Когда;Куда;Клип", "import_column_twice", "«Файл»"),
        ("Файл;Дата;Куда;Когда;где", "import_column_twice", "«Когда», «Куда»"),
    ],
)
def test_columns_that_are_missing_or_there_twice(plan: Plan, head, code, names):
    sheet = plan.check("а;б;в;г;д;е", head=head)
    assert (sheet.problem.code, sheet.problem.params, sheet.rows) == (code, {"names": names}, ())
    with pytest.raises(Problem):
        plan_import.carry_out(plan.owner, plan.start("а;б", head=head))


def test_the_user_says_what_columns_mean(plan: Plan):
    one = plan.start(f"закат.mp4;закат;{plan.at()};все", head="Клип;Файл;x;y")
    plan_import.choose(one, {1: "", 2: "when", 3: "where", 9: "title", 0: "чушь"}, again=False)
    assert one.columns == ["file", "", "when", "where"]
    assert [row.state for row in plan_import.check(plan.owner, one).rows] == [State.READY]


@pytest.fixture
def asks(monkeypatch):
    audience = Select(name="audience", label="Кому", choices={"all": "Всем", "adults": "Взрослым"}, required=True)
    notify = Checkbox(name="notify", label="Без звука", default=True, bulk_default=False)
    place = Text(name="place", label="Место", max_length=10)
    monkeypatch.setattr(platforms.ADAPTERS["telegram"], "options", (audience, notify, place))


def test_options_by_their_labels(plan: Plan, asks):
    head = f"{HEAD};Telegram: без звука;телеграм : Кому;Telegram: место;Telegram: цвет;VK: эхо"
    start = f"закат.mp4;;;{plan.at()};Кухня;"
    sheet = plan.check(
        f"{start}да;взрослым;Дом;;",
        f"{start};all;;;",
        f"{start};;;;",
        f"{start}может быть;Всем;;;",
        f"{start};Никому;;;",
        f"{start};Всем;{'м' * 11};;",
        f"{start};Всем;;красный;",
        f"{start};Всем;;;эхо",
        head=head,
    )
    assert [[code for code in codes(row) if code != "import_line_twice"] for row in sheet.rows[2:]] == [
        ["option_not_chosen"],
        ["option_not_true_or_false"],
        ["option_not_among_choices"],
        ["option_too_long"],
        ["import_option_unknown"],
        ["import_option_unknown"],
    ]
    assert sheet.rows[0].lines[0].options == {"audience": "adults", "notify": True, "place": "Дом"}
    assert sheet.rows[1].lines[0].options == {"audience": "all", "notify": False, "place": ""}


# Tables to save


def _csv(rows) -> bytes:
    return "".join(tables.write(rows)).encode()


def test_what_is_exported_can_be_imported_again(plan: Plan, asks):
    owner, kitchen, studio = plan.owner, plan.kitchen, plan.studio
    studio.account_name = "Студия; дом"
    _, twin, formula = (plan.clip(*names) for names in (("а.mp4", "Дубль"), ("а.mp4", "Дубль"), ("=1.mp4", "+7")))

    def publish(clip: Clip, days: float, *accounts: PlatformConnection, text: str = "", **options) -> None:
        choices = [Choice(one.id, clip.title, text, options={"audience": "all"} | options) for one in accounts]
        publications.publish(owner, clip.id, choices, in_days(days))

    publish(plan.clips[0], 1, kitchen, studio, text="'=Текст;\n«в две строки»", notify=True)
    publish(twin, 2, kitchen)
    publish(formula, 2, kitchen, place="Дом")
    commit()
    facts = [(one.clip_id, one.connection_id, one.title, one.description, one.due_at) for one in made()]
    content = _csv(plan_export.scheduled(owner))
    assert content.startswith("\ufeffФайл;Название;Текст;Когда;Куда;Telegram: Кому".encode())

    # As it is, it changes nothing; with all cancelled, it brings all back.
    one = plan_import.start(owner, "план.csv", content)
    assert {row.state for row in plan_import.check(owner, one).rows} == {State.THERE}
    waiting = [row.id for row in made() if row.status == Status.SCHEDULED]
    chosen = {row.clip_id: row.options for row in made() if row.id in waiting}
    publications.cancel_many(owner, waiting)
    commit()
    one = plan_import.start(owner, "план.csv", content)
    assert {row.state for row in plan_import.check(owner, one).rows} == {State.READY}
    plan_import.carry_out(owner, one)
    commit()
    back = [row for row in made() if row.status == Status.SCHEDULED]
    assert sorted(facts) == sorted(
        (row.clip_id, row.connection_id, row.title, row.description, row.due_at) for row in back
    )
    assert {row.clip_id: row.options for row in back} == chosen


def test_what_was_refused_is_mended_and_sent_again(plan: Plan):
    one = plan.start(
        f"закат.mp4;;=1;{plan.at()};Гараж", f"волга.mp4;;;{plan.at()};все", "нет;;;;", 'x;"y" z;', head=HEAD
    )
    sheet = plan_import.check(plan.owner, one)
    words = ["Где это?", "Нет клипа", "Кавычки"]
    content = _csv(plan_export.faulty(sheet, words))
    table = tables.read(content, lambda name: name == "Файл")
    assert table.head == ["Ошибка", *HEAD.split(";")]
    assert [line.cells[:2] for line in table.lines] == [
        ["Где это?", "закат.mp4"],
        ["Нет клипа", "нет"],
        ["Кавычки", 'x;"y" z;'],
    ]
    mended = plan_import.start(plan.owner, "снова.csv", content.replace("Гараж".encode(), "Кухня".encode()))
    sheet = plan_import.check(plan.owner, mended)
    assert [row.state for row in sheet.rows] == [State.READY, State.BAD, State.BAD]
    assert sheet.rows[0].lines[0].description == "=1"
    again = _csv(plan_export.faulty(sheet, ["1", "2"]))
    assert tables.read(again, lambda name: name == "Файл").head == ["Ошибка", *HEAD.split(";")]


def test_the_template_is_read_as_it_is(plan: Plan, asks):
    one = plan_import.start(plan.owner, "образец.csv", _csv(plan_export.template(plan.owner)))
    sheet = plan_import.check(plan.owner, one)
    assert not sheet.problem and len(sheet.rows) == 2
    assert {code for row in sheet.rows for code in codes(row)} == {"import_clip_not_found"}


# What is kept


def test_tables_are_kept_for_a_day_and_no_more_than_some(plan: Plan):
    ids = [plan.start(f"закат.mp4;;;{plan.at()};все").id for _ in range(plan_import.MAX_KEPT + 2)]
    assert [one.id for one in plan_import.recent(plan.owner)] == ids[:1:-1]
    clock.correct(clock.now() + timedelta(hours=25))
    with pytest.raises(NotFound):
        plan_import.get(plan.owner, ids[-1])
    plan_import.sweep()
    commit()
    assert db.session.scalar(db.select(db.func.count()).select_from(PlanImport)) == 0


def test_a_table_asks_as_often_for_many_lines(plan: Plan, monkeypatch):
    counts = []
    for count in (2, 40):
        some = [plan.clip(f"{count}-{number}.mp4", f"Клип {number}") for number in range(count)]
        one = plan.start(*(f"{clip.file_name};;;{plan.at()};все" for clip in some))
        with asking.asked() as found:
            plan_import.carry_out(plan.owner, one)
        counts.append(len(found))
        commit()
    assert counts[0] == counts[1] <= 30, counts
    monkeypatch.setattr(plan_import, "MAX_PUBLICATIONS", 79)
    assert plan_import.check(plan.owner, one).problem.code == "import_too_many"
