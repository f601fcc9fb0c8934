"""Clips: from a file of this machine or from an address, and the list of them."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from vezde_client import journal as journals
from vezde_client import publishing, words
from vezde_client.commands.parser import Commands, add_key, add_wait, command, number
from vezde_client.commands.session import Session, deadline
from vezde_client.errors import Exit, Refused
from vezde_client.local_file import LocalFile
from vezde_client.output import table
from vezde_client.publishing import Deadline

KINDS = ("clips", "publications")


def add(commands: Commands) -> None:
    parser = command(commands, "upload", upload, "загрузить файл, не публикуя")
    parser.add_argument("file", metavar="ФАЙЛ", type=Path)
    parser.add_argument("--title", metavar="ТЕКСТ", help="название клипа; без него — по имени файла")
    parser.add_argument("--text", metavar="ТЕКСТ", help="описание клипа")
    parser.add_argument("--render", metavar="НОМЕР", help="номер объявленного клипа (POST /renders)")
    add_key(parser)
    add_wait(parser, "дождаться, пока файл проверен")

    parser = command(commands, "import", import_, "загрузить файл по ссылке")
    parser.add_argument("url", metavar="ССЫЛКА")
    parser.add_argument("--title", metavar="ТЕКСТ", help="название клипа; без него — по имени файла")
    parser.add_argument("--text", metavar="ТЕКСТ", help="описание клипа")
    parser.add_argument("--sha256", metavar="СУММА", help="контрольная сумма файла: не сойдётся — не примем")
    add_key(parser)
    add_wait(parser, "дождаться, пока файл скачан и проверен")

    parser = command(commands, "list", list_, "клипы или публикации, новые первыми")
    parser.add_argument(
        "kind", nargs="?", choices=KINDS, default=KINDS[0], metavar="ЧТО", help="clips или publications"
    )
    parser.add_argument("--status", metavar="СОСТОЯНИЕ", help="только такие: ready, failed, scheduled, published, …")
    parser.add_argument("--query", metavar="СЛОВА", help="только клипы с такими словами в названии")
    parser.add_argument("--limit", metavar="N", type=number, default=50, help="сколько (50)")


def upload(session: Session, asked: Namespace) -> int:
    file = LocalFile(asked.file)
    render = asked.render or ""
    with journals.opened(session.api.url, session.api.me["id"], file.fingerprint, render, key=asked.key) as journal:
        bar = session.output.bar(file.name)
        clip_id = publishing.upload(session.api, file, journal, bar, render)
        texts = {name: getattr(asked, name) for name in ("title", "text") if getattr(asked, name) is not None}
        if texts:
            session.api.send("PATCH", f"/clips/{clip_id}", json=texts)
        clip = _ready(session, clip_id, asked)
        session.output.show(clip, table([words.clip(clip, session.zone)]))
        journal.finish()
    return Exit.OK


def _ready(session: Session, clip_id: int, asked: Namespace) -> dict[str, Any]:
    if asked.wait:
        return publishing.wait_until_ready(session.api, clip_id, deadline(asked))
    return session.api.get(f"/clips/{clip_id}")


def import_(session: Session, asked: Namespace) -> int:
    body = {name: getattr(asked, name) for name in ("url", "title", "text", "sha256")}
    body = {name: value for name, value in body.items() if value is not None}
    with journals.opened(session.api.url, session.api.me["id"], "import", body, key=asked.key) as journal:
        try:
            found = session.api.post("/clips/import", body, key=journal.key("import"))
        except Refused:
            journal.discard()
            raise
        if not asked.wait:
            session.output.show(found, [f"Импорт {found['id']} начат. С --wait та же команда дождётся его."])
            journal.finish()
            return Exit.OK
        until = deadline(asked)
        found = _imported(session, found["id"], until, journal)
        clip = publishing.wait_until_ready(session.api, found["clip_id"], until)
        session.output.show(clip, table([words.clip(clip, session.zone)]))
        journal.finish()
    return Exit.OK


def _imported(session: Session, import_id: int, until: Deadline, journal: journals.Journal) -> dict[str, Any]:
    bar = session.output.bar(f"импорт {import_id}")
    while True:
        found = session.api.get(f"/imports/{import_id}")
        if found.get("clip_id"):
            return found
        if found["status"] in ("failed", "cancelled"):
            journal.discard()  # the same command begins another one
            raise Refused(found.get("detail") or "Файл по ссылке не получен.", found.get("reason"))
        if found.get("size"):
            bar(found.get("received") or 0, found["size"])
        until.sleep(f"Импорт {import_id} ещё идёт: дождаться не удалось.")


def list_(session: Session, asked: Namespace) -> int:
    names = {"clips": ("status", "query"), "publications": ("status",)}[asked.kind]
    filters = {name: getattr(asked, name) for name in names if getattr(asked, name)}
    row = words.clip if asked.kind == "clips" else words.publication
    found: list[dict[str, Any]] = []
    for one in session.api.pages(f"/{asked.kind}", **filters, limit=min(asked.limit, 100)):
        found.append(one)
        if len(found) == asked.limit:
            break
    rows = [row(one, session.zone) for one in found]
    session.output.show({"items": found}, table(rows) or ["Ничего нет."])
    return Exit.OK
