"""What a plan's table names: clips by their files, accounts and sets as people call them."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable

from sqlalchemy import Row, select

from app import platforms
from app.db import db
from app.models import Clip, ClipStatus, ConnectionStatus, PlatformConnection, Upload, User, fold
from app.problems import Problem
from app.services import account_sets, clips, connection_list, plan_columns

MOST_NAMED = 4
MOST_SHOWN = 60  # characters of a name in a refusal
_ALL = ("все", "всё", "везде", "all", "everywhere")
_BETWEEN = (r"[;\n]", r",", r"[/|+&]")
_NUMBER = re.compile(r"#\s*(\d{1,18})")


class ClipNames:
    """The user's clips. A name is that of the file, also without its suffix, or the title, or «#» and the number."""

    def __init__(self, user: User, expected: Iterable[str] = ()) -> None:
        """`expected`: files that are on their way, besides those whose upload has begun."""
        columns = select(Clip.id, Clip.file_name, Clip.title, Clip.status, Clip.fingerprint)
        rows = db.session.execute(columns.where(Clip.user_id == user.id).order_by(Clip.id)).all()
        self._by_id = {row.id: row for row in rows}
        self._names: list[dict[str, list[Row]]] = [defaultdict(list) for _ in range(3)]
        for row in rows:
            for names, name in zip(self._names, (row.file_name, row.title, _stem(row.file_name)), strict=True):
                names[_key(name)].append(row)
        open_uploads = select(Upload.file_name).where(Upload.user_id == user.id, Upload.clip_id.is_(None))
        self._on_their_way = {_key(name) for name in (*db.session.scalars(open_uploads), *expected)}

    def find(self, typed: str) -> int:
        """The clip's id. Raises Problem at the field «file»."""
        name = clips.one_line(typed)
        if not name:
            raise Problem("import_file_missing", "file")
        clip = self._find(name)
        if clip.status == ClipStatus.FAILED:
            raise Problem("import_clip_failed", "file")
        return clip.id

    def _find(self, name: str) -> Row:
        file_name = clips.shown_name(name)
        number = _NUMBER.fullmatch(name)
        if number and (one := self._by_id.get(int(number[1]))):
            return one
        for names, key in zip(self._names, (file_name, name, file_name), strict=True):
            if found := names.get(_key(key)):
                return self._one_of(found)
        if self._on_their_way & {_key(file_name)}:
            raise Problem("import_clip_uploading", "file")
        raise Problem("import_clip_not_found", "file", name=name[:MOST_SHOWN])

    def _one_of(self, found: list[Row]) -> Row:
        """The newest where all are the same file; of others that can be used, the only one."""
        usable = [row for row in found if row.status != ClipStatus.FAILED] or found
        if len(usable) == 1 or (usable[0].fingerprint and len({row.fingerprint for row in usable}) == 1):
            return usable[-1]
        some = ", ".join(f"#{row.id} — «{row.title[:MOST_SHOWN]}»" for row in usable[-MOST_NAMED:])
        raise Problem("import_clip_ambiguous", "file", choices=some)

    def title(self, clip_id: int) -> str:
        return self._by_id[clip_id].title

    def descriptions(self, clip_ids: Collection[int]) -> dict[int, str]:
        """By id. Read of the clips that are named only: they may be long."""
        return dict(db.session.execute(select(Clip.id, Clip.description).where(Clip.id.in_(clip_ids))).all())

    def name_of(self, clip_id: int) -> str:
        """What finds just this clip: its file's name, its title or its number."""
        row = self._by_id[clip_id]
        for name in (row.file_name, row.title):
            try:
                if name and self._find(clips.one_line(name)).id == clip_id:
                    return name
            except Problem:
                continue
        return f"#{clip_id}"


class Places:
    """The user's accounts: by set, by platform, by their own names, all of them, or several of these."""

    def __init__(self, user: User) -> None:
        self._accounts = [one for one in connection_list.all_of(user) if one.status != ConnectionStatus.CHOOSING]
        self._by_id = {one.id: one for one in self._accounts}
        self._usable = [
            one.id for one in self._accounts if one.status == ConnectionStatus.ACTIVE and user.plan.allows(one.platform)
        ]
        self._sets = {
            _spoken(one.name): [number for number in one.connection_ids if number in self._by_id]
            for one in account_sets.all_of(user)
        }
        self._names: dict[str, list[PlatformConnection]] = defaultdict(list)
        for one in self._accounts:
            adapter = platforms.ADAPTERS[one.platform]
            for name in {_spoken(name) for name in (one.account_name, _label(one), _numbered(one), *_addresses(one))}:
                self._names[name].append(one)
            for called in {_spoken(adapter.name), one.platform, *map(_key, adapter.other_names)}:
                self._names[called].append(one)

    def find(self, typed: str) -> list[int]:
        """Ids of connections, each once. Raises Problem at the field «where»."""
        found = [number for name in self._parts(typed) for number in self._named(name)]
        if not found:
            raise Problem("import_where_missing", "where")
        return list(dict.fromkeys(found))

    def account(self, connection_id: int) -> PlatformConnection:
        return self._by_id[connection_id]

    def name_of(self, connection: PlatformConnection) -> str:
        """What finds just this account, among others too."""
        label = _label(connection)
        unique = self._names.get(_spoken(label)) == [connection] and _spoken(label) not in self._sets
        return label if unique and not re.search(r"[;\n]", label) else _numbered(connection)

    def _parts(self, typed: str) -> list[str]:
        """A name may have commas and semicolons of its own."""
        parts = [typed]
        for between in _BETWEEN:
            parts = [one for part in parts for one in ([part] if self._is_known(part) else re.split(between, part))]
        return [part for part in parts if part.strip()]

    def _is_known(self, name: str) -> bool:
        return _spoken(name) in self._sets or _spoken(name) in self._names

    def _named(self, name: str) -> list[int]:
        key = _spoken(name)
        if key in self._sets:
            return self._sets[key]
        if key in _ALL:
            return self._usable or list(self._by_id)
        found = list({one.id: one for one in self._names.get(key, ())}.values())
        if len(found) > 1:
            labels = [_label(one) for one in found]
            some = [_numbered(one) if labels.count(_label(one)) > 1 else _label(one) for one in found[:MOST_NAMED]]
            raise Problem("import_where_ambiguous", "where", name=name.strip()[:MOST_SHOWN], choices=", ".join(some))
        if not found and (platform := plan_columns.platform_called(name)):
            platform_name = platforms.ADAPTERS[platform].name
            raise Problem("import_platform_not_connected", "where", platform=platform_name)
        if not found:
            raise Problem("import_where_unknown", "where", name=name.strip()[:MOST_SHOWN])
        return [found[0].id]


def _addresses(connection: PlatformConnection) -> tuple[str, ...]:
    """Its link, and its end as people call it: «@kanal»."""
    url = (connection.account_url or "").rstrip("/")
    return (url, f"@{url.rpartition('/')[2]}") if url else ()


def _label(connection: PlatformConnection) -> str:
    return f"{platforms.ADAPTERS[connection.platform].name} — {connection.account_name}"


def _numbered(connection: PlatformConnection) -> str:
    return f"{platforms.ADAPTERS[connection.platform].name} #{connection.id}"


def _key(name: str) -> str:
    """As names are compared: in any case, with any spaces."""
    return " ".join(fold(clips.one_line(name)).split())


def _spoken(name: str) -> str:
    """The same with any dash: few keyboards have the one between a platform and an account."""
    return re.sub(r"\s*[\u2010-\u2015\u2212-]+\s*", "-", _key(name))


def _stem(file_name: str) -> str:
    stem, dot, _suffix = file_name.rpartition(".")
    return stem if dot else file_name
