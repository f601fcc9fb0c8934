"""`vezde watch`: what appears in a folder is uploaded, and published where that is said."""

import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from vezde_client import watching
from vezde_client.commands.parser import Commands, add_when, command, seconds
from vezde_client.commands.publish import Item, order_of
from vezde_client.commands.session import Session
from vezde_client.errors import ClientError, Unauthorized, Unavailable, WrongUsage, exit_of
from vezde_client.publishing import Deadline
from vezde_client.watching import Folder, Found, Taken

_ABOUT = """\
Следит за папкой: видеофайл, который перестал меняться, загружается, и ровно один раз, как бы его ни переименовали.
Без --to и --set файлы только загружаются: дальше решают правила автопубликации.

Рядом с clip.mp4 может лежать clip.mp4.json (или clip.json): в нём то же, что в параметрах команды, и оно важнее:

  {"to": ["vk", 12], "at": "2026-12-01 10:00", "title": "Закат", "options": {"youtube": {"privacy": "public"}}}

Имена: to, set, at, in, slot, title, text, options, again."""


def add(commands: Commands) -> None:
    parser = command(commands, "watch", watch, "следить за папкой", _ABOUT)
    parser.add_argument("folder", metavar="ПАПКА", type=Path)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--to", metavar="КУДА", help="площадки или номера аккаунтов через запятую")
    where.add_argument("--set", metavar="НАБОР", help="все аккаунты набора")
    add_when(parser)
    parser.add_argument("--stable", type=seconds, default=10.0, metavar="С", help="сколько секунд файл не меняется")
    parser.add_argument("--require-sidecar", action="store_true", help="не брать файл, пока рядом нет его JSON")
    parser.add_argument("--once", action="store_true", help="взять то, что есть, и закончить")


def watch(session: Session, asked: Namespace) -> int:
    folder = Folder(asked.folder, asked.stable, asked.require_sidecar)
    errors: list[ClientError] = []
    successes = 0
    with watching.taken(session.api.url, session.api.me["id"], str(asked.folder.resolve())) as taken:
        while True:
            found, grows = _scan(session, folder, asked.once)
            waiting = [one for one in found if not taken.has(one)]
            for one in waiting:
                error = _take(session, asked, one, taken)
                errors += [error] if error else []
                successes += not error
            if asked.once and not grows:
                return exit_of(errors, successes)
            time.sleep(min(max(asked.stable / 4, 0.2), 5.0))


def _scan(session: Session, folder: Folder, once: bool) -> tuple[list[Found], bool]:
    """A share that is away for now does not end the command."""
    try:
        return folder.scan()
    except Unavailable as error:
        if once:
            raise
        session.output.notice(error.message)
        return [], True


def _take(session: Session, asked: Namespace, found: Found, taken: Taken) -> ClientError | None:
    """Uploads a file, and publishes it. What passes by itself is tried again at the next look."""
    try:
        item = _item(session, asked, found)
    except (WrongUsage, Unavailable) as error:
        item, failed = None, error
    else:
        item.run()
        failed = next(iter(item.errors), None)
    if isinstance(failed, Unauthorized):
        raise failed
    if failed:
        session.output.error(f"{found.path.name}: {failed.message}")
    if not isinstance(failed, Unavailable):
        taken.add(found, refused=failed is not None)
    if item:
        _show(session, found, item)
        if not isinstance(failed, Unavailable):
            item.finish()
    return failed


def _item(session: Session, asked: Namespace, found: Found) -> Item:
    wishes = _wishes(asked, watching.read_sidecar(found.sidecar) if found.sidecar else {})
    texts = {name: getattr(wishes, name) for name in ("title", "text") if getattr(wishes, name) is not None}
    order = order_of(session, wishes) if wishes.to or wishes.set else None
    return Item(session, order, False, Deadline(None), path=found.path, texts=texts)


def _wishes(asked: Namespace, beside: dict[str, Any]) -> Namespace:
    """The command's parameters, and over them what the file beside says."""
    merged = Namespace(**vars(asked), title=None, text=None, option=[], again=False)
    if beside.keys() & {"to", "set"}:
        merged.to = merged.set = None
    if beside.keys() & {"at", "in", "slot"}:
        merged.at = merged.after = merged.slot = None
    for name in ("set", "at", "in", "slot", "title", "text"):
        if name in beside:
            if not isinstance(beside[name], str):
                raise WrongUsage(f"Рядом с файлом: {name} — текст.")
            setattr(merged, "after" if name == "in" else name, beside[name])
    if "to" in beside:
        listed = beside["to"] if isinstance(beside["to"], list) else [beside["to"]]
        merged.to = ",".join(map(str, listed))
    merged.again = beside.get("again") is True
    merged.option = list(_options(beside.get("options", {})))
    return merged


def _options(given: Any) -> list[str]:
    if not isinstance(given, dict) or not all(isinstance(one, dict) for one in given.values()):
        raise WrongUsage('Рядом с файлом: options — вида {"youtube": {"privacy": "public"}}.')
    return [
        f"{where}.{name}={str(value).lower() if isinstance(value, bool) else value}"
        for where, values in given.items()
        for name, value in values.items()
    ]


def _show(session: Session, found: Found, item: Item) -> None:
    """In JSON a line for each file: the command does not end."""
    if session.output.as_json:
        session.output.record(item.as_dict())
        return
    for line in item.lines() or [f"{found.path.name}: клип {item.clip_id}"]:
        session.output.show(None, [line])
