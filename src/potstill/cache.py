"""Results that are costly to compute again, kept on disk by text: one SQLite file a kind of result and version.

May be deleted any time: without it the results are the same.
"""

import hashlib
import json
import logging
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

_FOLDER = "~/.cache/potstill"  # unless POTSTILL_CACHE names another
_TIMEOUT = 30  # seconds that one command waits for another to write


class Cache:
    """Results by text, in JSON form.

    A transaction is written whole or not at all, so that an entry is never damaged. An error of the file is
    logged once; after that nothing is looked up and nothing is stored.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection | None) -> None:
        self._path = path
        self._connection = connection

    def look_up(self, texts: Iterable[str]) -> dict[str, Any]:
        """The results that the cache has, by text."""
        results: dict[str, Any] = {}
        with self._trying() as connection:
            if connection is not None:
                for text in texts:
                    row = connection.execute("SELECT value FROM findings WHERE key = ?", (_key(text),)).fetchone()
                    if row is not None:
                        results[text] = json.loads(row[0])
        return results

    def store(self, results: Mapping[str, Any]) -> None:
        """Keep results, by text."""
        rows = [(_key(text), json.dumps(value, ensure_ascii=False)) for text, value in results.items()]
        with self._trying() as connection:
            if connection is not None and rows:
                with connection:
                    connection.executemany("INSERT OR IGNORE INTO findings VALUES (?, ?)", rows)

    @contextmanager
    def _trying(self) -> Iterator[sqlite3.Connection | None]:
        try:
            yield self._connection
        except sqlite3.Error as error:
            _give_up(self._path, error)
            self._connection = None


@contextmanager
def open_cache(kind: str, version: str | None) -> Iterator[Cache]:
    """The cache of a kind of results.

    :param kind: what computes them, such as an analyzer's name.
    :param version: of what computes them; each version has its own file. None: nothing is kept.
    """
    name = re.sub(r"[^\w.+-]+", "-", f"{kind}-{version}")
    folder = _folder() if version is not None else None
    path = (folder or Path()) / f"{name}.sqlite"
    connection = _connect(path) if folder else None
    if connection is None:
        yield Cache(path, None)
        return
    with closing(connection):
        yield Cache(path, connection)


def _folder() -> Path | None:
    """Where the files are; None for a user without a home."""
    try:
        return Path(os.environ.get("POTSTILL_CACHE") or _FOLDER).expanduser()
    except RuntimeError:
        return None


def _connect(path: Path) -> sqlite3.Connection | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_TIMEOUT)
        with connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS findings (key BLOB PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
            )
    except (sqlite3.Error, OSError) as error:
        _give_up(path, error)
        return None
    return connection


def _give_up(path: Path, error: Exception) -> None:
    logger.warning("%s: not used (%s): remove the file, or name a folder in POTSTILL_CACHE", path, error)


def _key(text: str) -> bytes:
    # 128 bits: two texts must never share an entry, and there is no text in the file to compare with.
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
