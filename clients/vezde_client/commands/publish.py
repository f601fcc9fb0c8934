"""`vezde publish`: files of this machine, or clips that are there, to accounts."""

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vezde_client import destinations, publishing, words
from vezde_client import journal as journals
from vezde_client.commands.parser import Commands, add_key, add_wait, add_when, command, number
from vezde_client.commands.session import Session, deadline
from vezde_client.errors import ClientError, Refused, WrongUsage, exit_of
from vezde_client.journal import Journal
from vezde_client.local_file import LocalFile
from vezde_client.publishing import Deadline, Order

_ABOUT = """\
Загружает файлы и публикует их. Прерванная команда, повторённая как есть, продолжает с того же места и не публикует
второй раз.

  vezde publish clip.mp4 --to vk,telegram
  vezde publish clip.mp4 --to 12 --at "2026-12-01 10:00" --title "Закат" --wait
  vezde publish *.mp4 --set Основной --slot
  vezde publish --clip 41 --to youtube --option youtube.privacy=public"""


def add(commands: Commands) -> None:
    parser = command(commands, "publish", publish, "загрузить и опубликовать", _ABOUT)
    parser.add_argument("files", metavar="ФАЙЛ", nargs="*", type=Path)
    parser.add_argument(
        "--clip", metavar="НОМЕР", type=number, action="append", default=[], help="клип, который уже загружен"
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--to", metavar="КУДА", help="площадки или номера аккаунтов через запятую: vk,telegram,12")
    where.add_argument("--set", metavar="НАБОР", help="все аккаунты набора: имя или номер")
    add_when(parser)
    parser.add_argument("--title", metavar="ТЕКСТ", help="название публикаций; без него — название клипа")
    parser.add_argument("--text", metavar="ТЕКСТ", help="описание публикаций; без него — описание клипа")
    parser.add_argument(
        "--option",
        metavar="ГДЕ.ИМЯ=ЗНАЧЕНИЕ",
        action="append",
        default=[],
        help="настройка площадки или аккаунта: youtube.privacy=public",
    )
    parser.add_argument("--again", action="store_true", help="опубликовать ещё раз там, где клип уже опубликован")
    add_key(parser)
    add_wait(parser, "дождаться, пока всё опубликовано")


def publish(session: Session, asked: Namespace) -> int:
    if not asked.files and not asked.clip:
        raise WrongUsage("Назовите файл или --clip НОМЕР.")
    order = order_of(session, asked)
    until = deadline(asked)
    done = [Item(session, order, asked.wait, until, path=path, key=asked.key) for path in asked.files]
    done += [Item(session, order, asked.wait, until, clip_id=clip_id, key=asked.key) for clip_id in asked.clip]
    for item in done:
        item.run()
        if item.error:
            session.output.error(f"{item.name}: {item.error.message}")
    lines = [line for item in done for line in item.lines()]
    errors = [error for item in done for error in item.errors]
    session.output.show({"items": [item.as_dict() for item in done]}, lines)
    for item in done:
        item.finish()
    return exit_of(errors, sum(item.successes for item in done))


def order_of(session: Session, asked: Namespace) -> Order:
    known = destinations.connections(session.api)
    wanted = destinations.account_set(session.api, asked.set)["connection_ids"] if asked.set else asked.to.split(",")
    chosen = destinations.choose(known, wanted)
    if not chosen:
        raise WrongUsage("В наборе нет аккаунтов.")
    options = destinations.options_for(chosen, asked.option)
    ids = [one["id"] for one in chosen]
    return Order(ids, session.when(asked), asked.title, asked.text, options, asked.again)


class Item:
    """One clip's way: what has come of it so far, and what has gone wrong."""

    def __init__(
        self,
        session: Session,
        order: Order | None,
        wait: bool,
        until: Deadline,
        path: Path | None = None,
        clip_id: int | None = None,
        texts: Mapping[str, str] | None = None,
        key: str = "",
    ) -> None:
        """`order` None: it is only uploaded. `texts` become the clip's own."""
        self._session, self._order, self._wait, self._until = session, order, wait, until
        self._path, self.clip_id, self._texts, self._key = path, clip_id, texts, key
        self.name = str(path) if path else f"клип {clip_id}"
        self.results: list[publishing.Result] = []
        self.error: ClientError | None = None
        self._finished: list[Journal] = []

    def run(self) -> None:
        try:
            self._run()
        except ClientError as error:
            self.error = error

    def _run(self) -> None:
        api = self._session.api
        file = LocalFile(self._path) if self._path else None
        what = file.fingerprint if file else f"clip {self.clip_id}"
        with journals.opened(api.url, api.me["id"], what, key=self._key) as journal:
            if file:
                self.clip_id = publishing.upload(api, file, journal, self._session.output.bar(file.name))
            try:
                publishing.wait_until_ready(api, self.clip_id, self._until)
            except Refused:
                journal.discard()
                raise
            if self._texts:
                api.send("PATCH", f"/clips/{self.clip_id}", json=dict(self._texts))
            if self._order:
                self.results = publishing.publish(api, self._order, self.clip_id, journal)
            if self._wait:
                self._follow()
            self._finished.append(journal)

    def _follow(self) -> None:
        ids = [one["id"] for one in publishing.publications(self.results)]
        ended = publishing.wait_until_published(self._session.api, ids, self._until, self._tell)
        by_id = {one["id"]: one for one in ended}
        for one in self.results:
            if one["publication"]:
                one["publication"] = by_id[one["publication"]["id"]]

    def _tell(self, publication: Mapping[str, Any]) -> None:
        what = words.status(publication["status"])
        self._session.output.notice(f"{publication['platform']}, «{publication['account']}»: {what}")

    @property
    def errors(self) -> list[ClientError]:
        if self.error:
            return [self.error]
        made = publishing.publications(self.results)
        return publishing.problems(self.results) + (publishing.failures(made) if self._wait else [])

    @property
    def successes(self) -> int:
        return len(self.results) - len(self.errors) if not self.error else 0

    def lines(self) -> list[str]:
        zone = self._session.zone
        made = [words.publication(one, zone) for one in publishing.publications(self.results)]
        return ["  ".join(filter(None, row)) for row in made] + [
            f"{self.name}: {error.message}" for error in publishing.problems(self.results)
        ]

    def as_dict(self) -> dict[str, Any]:
        file = {"file": str(self._path)} if self._path else {}
        error = {"error": self.error.as_dict()} if self.error else {}
        return {**file, "clip_id": self.clip_id, "results": self.results, **error}

    def finish(self) -> None:
        """The result is printed: the same command is a new one from here on."""
        for journal in self._finished:
            journal.finish()
