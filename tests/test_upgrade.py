"""A filled database of an older version goes up to the present one without a loss. On both databases.

`tests/fixtures/database_0012.*.sql` were made once, at git 63b0b84 (Alembic 0012), by a script that is not kept: the
migrations, then services, engine and models of that day, with the clock at moments up to AT. They hold every status,
stage and kind of event, notification and security event, NULLs, long texts and emoji, and what is sealed with the key
below. SQLite's is `iterdump()`, PostgreSQL's `pg_dump --inserts --no-owner --no-privileges` without what names a
version of PostgreSQL. A dump never changes; a migration that renames something adds a line to the mapping below.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from markupsafe import escape
from rq.utils import import_attribute
from sqlalchemy import MetaData, create_engine, func, select

from app import clock, queue
from app.db import db, transaction
from app.models import (
    ConnectionStatus,
    PlatformConnection,
    Publication,
    PublicationStep,
    Revocation,
    StatsSample,
    Status,
    User,
)
from app.platform_access import tokens
from app.problems import Problem
from app.publishing import engine
from app.queue.table import BULK, CHORES, CLIPS, MAILS, PERIODIC, PUBLISH, REMOVALS, STATS
from app.services import connections, consents, second_factor, users
from app.services.connecting import accept
from app.statistics import report
from tests import codes, connecting, one_run
from tests.conftest import SQLITE, settings
from tests.edges import committed
from tests.postgres import Postgres
from tests.publishing.conftest import at_work, fresh
from tests.shared_app import migrate

# The mapping, from the dump's names to those of today: what is not in it has kept its name and its values.
TABLES = {"notices": "notifications", "security_events": "audit_events"}
COLUMNS = {
    "notices": {"matter": "dedup_key"},
    "oauth_states": {"encrypted": "sealed"},
    "publications": {
        "armed": "commit_in_doubt",
        "armed_until": "in_doubt_until",
        "committed": "has_receipt",
        "not_there": "not_found_count",
    },
}
EVENTS = {
    "armed": "commit_started",
    "evidence": "receipt_found",
    "hastened": "published_now",
    "not_there": "not_found",
}
VALUES: dict[str, Callable[[Any], Any]] = {
    "publication_events.kind": lambda kind: EVENTS.get(kind, kind),
    "platform_connections.choices": lambda choices: choices and [_renamed(choice) for choice in choices],
}
# Made of other tables, so that a migration may drop them, and a version may fill them anew.
DERIVED = {"standings", "standing_days", "standing_platforms", "tallies", "uncounted"}

DUMPS = Path(__file__).parent / "fixtures"
VAULT_PUBLIC_KEY = "PgbUNQpPYpAaWmVq7z6OCjztcroZINkvAqMABMFCzxI="
VAULT_PRIVATE_KEY = "testKeyOfTheDatabaseInTestsFixtures0012AAAA="
PASSWORD = "parol-parol"
AT = datetime(2026, 11, 20, 12, 5, tzinfo=UTC)

Rows = dict[str, list[dict[str, Any]]]


def _renamed(choice: dict[str, Any]) -> dict[str, Any]:
    return {{"formerly": "previous_id"}.get(name, name): value for name, value in choice.items()}


@pytest.fixture(autouse=True)
def time() -> Iterator[None]:
    clock.correct(AT)
    yield
    clock.correct(datetime.now(UTC))


@pytest.fixture(scope="module")
def upgraded() -> dict[str, tuple[str, Rows]]:
    """By kind of database, made by the first test on it: the upgraded one that is copied, and the rows before."""
    return {}


@pytest.fixture
def template(
    upgraded: dict[str, tuple[str, Rows]],
    database_kind: str,
    tmp_path_factory: pytest.TempPathFactory,
    redis_url: str,
    request: pytest.FixtureRequest,
) -> tuple[str, Rows]:
    if database_kind not in upgraded:
        folder = tmp_path_factory.mktemp("upgraded")
        template, address = str(folder / "template.db"), f"sqlite:///{folder}/template.db"
        if database_kind != SQLITE:
            template = f"upgraded_{one_run.process_name()}"
            address = request.getfixturevalue("postgresql").create(template)
        restore(address, database_kind)
        before = rows(address)
        migrate(settings(folder, address, (VAULT_PUBLIC_KEY, VAULT_PRIVATE_KEY), redis_url, "http://127.0.0.1:9"))
        clock.correct(AT)  # the upgrade may have read the database's clock
        upgraded[database_kind] = template, before
    return upgraded[database_kind]


def restore(address: str, database_kind: str) -> None:
    """The dump, as it is."""
    made = create_engine(address)
    script = (DUMPS / f"database_0012.{database_kind}.sql").read_text()
    connection = made.raw_connection()
    if database_kind == SQLITE:
        connection.driver_connection.executescript(script)
    else:
        connection.driver_connection.execute(script)
    connection.commit()
    connection.close()
    made.dispose()


@pytest.fixture
def before(template: tuple[str, Rows]) -> Rows:
    return template[1]


@pytest.fixture
def database(
    template: tuple[str, Rows], database_kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The address of an upgraded one of the test's own."""
    name, _ = template
    if database_kind == SQLITE:
        yield f"sqlite:///{shutil.copy(name, tmp_path / 'upgraded.db')}"
        return
    server: Postgres = request.getfixturevalue("postgresql")
    yield server.create(f"{name}_own", name)
    server.drop(f"{name}_own")


@pytest.fixture
def environment(environment: dict[str, str], database: str) -> dict[str, str]:
    keys = {"VAULT_PUBLIC_KEY": VAULT_PUBLIC_KEY, "VAULT_PRIVATE_KEY": VAULT_PRIVATE_KEY}
    return {**environment, **keys, "DATABASE_URL": database}


def rows(address: str) -> Rows:
    """Each table's rows, without regard to the models."""
    made, there = create_engine(address), MetaData()
    there.reflect(made)
    with made.connect() as connection:
        found = {
            name: list(map(dict, connection.execute(select(table).order_by(*table.primary_key)).mappings()))
            for name, table in there.tables.items()
        }
    made.dispose()
    del found["alembic_version"]
    return found


def lost(before: Rows, after: Rows) -> list[str]:
    """The tables, columns and rows that are not there any more, under the names and with the values of today."""
    missing = []
    for table, old in before.items():
        new = after.get(TABLES.get(table, table))
        if table in DERIVED:
            continue
        if not new:
            missing.append(table)
            continue
        columns = {column: COLUMNS.get(table, {}).get(column, column) for column in old[0]}
        gone = [f"{table}.{column}" for column, name in columns.items() if name not in new[0]]
        missing += gone
        if gone:
            continue
        there = Counter(repr([row[name] for name in columns.values()]) for row in new)
        for row in old:
            wanted = repr([VALUES.get(f"{table}.{column}", _same)(row[column]) for column in columns])
            if not there[wanted]:
                missing.append(f"{table}: {wanted[:1000]}")
            there[wanted] -= 1
    return missing


def _same(value: Any) -> Any:
    return value


def test_nothing_is_lost(before, database):
    assert [table for table, filled in before.items() if not filled] == []
    missing = lost(before, rows(database))
    assert not missing, "\n".join(missing[:50])


def test_the_loss_of_a_row_a_column_or_a_table_is_reported(before, database):
    after = rows(database)
    after["clips"][0]["title"] += "!"
    for row in after["users"]:
        del row["name"]
    del after["uploads"]
    missing = lost(before, after)
    assert sorted(one.partition(":")[0] for one in missing) == ["clips", "uploads", "users.name"]


def test_the_schema_is_that_of_the_models(app):
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        assert compare_metadata(context, db.metadata) == []


def test_what_is_sealed_opens(app, before):
    vault = app.extensions["vault"]
    connected = db.session.scalars(select(PlatformConnection)).all()
    steps = db.session.scalars(select(PublicationStep)).all()
    revocations = db.session.scalars(select(Revocation)).all()
    assert {tokens.open_token(one).access for one in connected} >= {"vk2.a.test-access", "rutube-test-token"}
    assert any(b"upload_url" in vault.open(step.sealed_answer, step.sealed_for) for step in steps)
    assert all(tokens.open_token(one).access for one in revocations)
    assert (len(connected), len(steps), len(revocations)) == tuple(
        len(before[table]) for table in ("platform_connections", "publication_steps", "revocations")
    )


def test_what_was_begun_is_finished(app):
    """A password and a choice among accounts: each needs what was stored before."""
    user = users.authenticate("pro@example.org", PASSWORD, "203.0.113.1")
    choosing = select(PlatformConnection.id).where(PlatformConnection.status == ConnectionStatus.CHOOSING)
    chosen = committed(connections.choose(user, db.session.scalar(choosing), "-3003"))
    assert (chosen.account_name, chosen.facts) == ("Котики 🐈", {"group_id": 3003})
    clock.correct(datetime(2026, 11, 20, 12, 1, tzinfo=UTC))
    # Of a consent that was under way the user is told to begin again: its verifier is not sealed for workers.
    consent = committed(consents.take(user, "vk", "a browser", "a test state"))
    with pytest.raises(Problem, match="consent_stale"):
        connecting.connection_of(committed(accept(user, "vk", consent, {"code": "x"})))


def test_users_of_before_count_as_confirmed(before, app):
    confirmed = db.session.scalars(select(User.email_confirmed_at)).all()
    assert len(confirmed) == len(before["users"]) and all(confirmed)


def test_pages_show_what_was_there(before, app, sign_in):
    for user in db.session.scalars(select(User)).all():
        shown = pages(before, user.id)
        if second_factor.must_be_set_up(user):
            codes.set_up(user)
        client = sign_in(user)
        for path, texts in shown.items():
            answer = client.get(path)
            assert answer.status_code == 200, path
            assert [text for text in texts if str(escape(text)) not in answer.text] == [], path
    assert db.session.scalar(select(func.count()).select_from(User)) == len(before["users"])


def pages(before: Rows, user_id: int) -> dict[str, list[str]]:
    """What the user's pages show of the dump: of a list that has more pages, its newest row."""
    theirs = {name: [row for row in table if row.get("user_id") == user_id] for name, table in before.items()}
    publications = theirs["publications"]
    return {
        "/": [one["title"] for one in theirs["clips"][-1:]],
        "/publications": [one["title"] for one in publications[-1:]],
        "/stats/": [one["title"] for one in publications if one["status"] == "published"],
        "/notices": [one["facts"]["account"] for one in theirs["notices"][-1:]],
        "/settings/integrations": [one["account_name"] for one in theirs["platform_connections"]],
        "/settings/security": [one["detail"] for one in theirs["security_events"]],
    } | {f"/publications/{one['id']}": [one["title"], one["account_name"]] for one in publications}


# By user and period in days, as git 63b0b84 reported them at AT: publications, the counts gained, how many days had a
# gain, and the views gained on each platform.
FIGURES = {
    ("start", 7): (1, (600, 5, None), 1, {"VK": 600}),
    ("start", 30): (1, (1200, 10, None), 2, {"VK": 1200}),
    ("pro", 7): (10, (5_000_000_277, 13, 0), 2, {"VK": 5_000_000_077, "Rutube": 0, "Дзен": 200, "Telegram": 0}),
    ("pro", 30): (10, (5_000_003_477, 22, 1), 11, {"VK": 5_000_000_477, "Rutube": 600, "Дзен": 1400, "Telegram": 1000}),
    ("pro", 90): (
        10,
        (5_000_010_577, 40, 14),
        27,
        {"VK": 5_000_003_577, "Rutube": 2100, "Дзен": 1400, "Telegram": 3500},
    ),
    ("business", 30): (2, (700, None, 1), 1, {"Дзен": 700, "Telegram": 0}),
    ("admin", 30): (0, (None, None, None), 0, {}),
}
BY_VIEWS = [
    *("Волга. Ледоход", "Удалённый клип", "Клип будет удалён", "Подтверждено пользователем", "Поздний ответ"),
    *("Осень в горах", "Закат над Волгой 🌅"),
]


def test_statistics_are_the_same(app):
    def user(name: str) -> User:
        return db.session.scalar(select(User).where(User.email == f"{name}@example.org"))

    found = {}
    for name, days in FIGURES:
        shown = report.report(user(name), days)
        found[name, days] = (
            shown.publications,
            tuple(shown.sums[count].value for count in ("views", "likes", "shares")),
            sum(any(day.gained.values()) for day in shown.days),
            {line.title: line.sums["views"].value for line in shown.platforms},
        )
    assert found == FIGURES
    assert [line.title for line in report.report(user("pro"), 90).clips.rows] == BY_VIEWS


def test_ticks_run_and_release_what_is_due(app, before):
    due = {
        one["id"]
        for one in before["publications"]
        if one["status"] in ("scheduled", "publishing", "cancelled")
        and one["wake_at"]
        and one["wake_at"].replace(tzinfo=UTC) <= AT
    }
    for task in PERIODIC:
        with transaction():
            import_attribute(task)()
    waiting = queue.waiting(PUBLISH, BULK)
    assert len(due) > 10 and set(waiting.ids) == due
    for name in (CLIPS, REMOVALS, CHORES, MAILS, STATS):
        assert queue.waiting(name).count, name


def test_what_was_handed_over_is_not_sent_again(app, sandbox):
    for title, status, external_id in (
        ("Взведена, работник пропал", Status.UNCONFIRMED, None),
        ("Заканчивается без аккаунта", Status.UNCONFIRMED, None),
        ("Квитанция есть, работник пропал", Status.PUBLISHED, "4321"),
    ):
        one = db.session.scalar(select(Publication).where(Publication.title == title))
        db.session.add(StatsSample(publication_id=one.id, views=1))
        db.session.commit()
        assert at_work(engine.advance, one.id), title
        one = fresh(one)
        assert (one.status, one.external_id) == (status, external_id), title
    assert sandbox.requests == []
