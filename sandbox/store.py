"""JSON rows in an SQLite file, so that a restarted sandbox has the same state.

Reads come from memory; every change is written through at once. It is not synced to the disk: it survives
the end of the process, which the demo and the chaos test need, but not a power cut.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

Row = TypeVar("Row")

SCHEMA = "CREATE TABLE IF NOT EXISTS rows (kind TEXT, key TEXT, json TEXT, PRIMARY KEY (kind, key))"


class Store:
    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute(SCHEMA)

    def rows(self, kind: str) -> Iterator[tuple[str, Any]]:
        """Yields key and value of each row, the oldest first."""
        with self._lock:
            query = "SELECT key, json FROM rows WHERE kind = ? ORDER BY rowid"
            found = self._db.execute(query, (kind,)).fetchall()
        for key, text in found:
            yield key, json.loads(text)

    def put(self, kind: str, key: str, value: Any) -> None:
        with self._lock:
            self._db.execute(
                "INSERT INTO rows VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET json = excluded.json",
                (kind, key, json.dumps(value)),
            )

    def delete(self, kind: str, key: str | None = None) -> None:
        """Deletes one row, or without a key all rows of the kind."""
        with self._lock:
            if key is None:
                self._db.execute("DELETE FROM rows WHERE kind = ?", (kind,))
            else:
                self._db.execute("DELETE FROM rows WHERE kind = ? AND key = ?", (kind, key))


class Table(Generic[Row]):
    """Rows of one kind: dataclasses of plain values, by key. After a change in place, call `put` to save the row.

    Not thread-safe: the caller holds `State.lock`.
    """

    def __init__(self, store: Store, kind: str, row_type: type[Row]) -> None:
        self._store = store
        self._kind = kind
        self._rows: dict[str, Row] = {key: row_type(**value) for key, value in store.rows(kind)}

    def __iter__(self) -> Iterator[Row]:
        return iter(list(self._rows.values()))

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: str) -> Row | None:
        return self._rows.get(key)

    def put(self, key: str, row: Row) -> None:
        self._rows[key] = row
        self._store.put(self._kind, key, asdict(row))

    def delete(self, key: str) -> None:
        self._rows.pop(key, None)
        self._store.delete(self._kind, key)

    def clear(self) -> None:
        self._rows.clear()
        self._store.delete(self._kind)
