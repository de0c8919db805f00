"""Results that are costly to get again, kept on disk by text: one SQLite file a kind of result and version.

Results that are computed may be deleted any time: without them the results are the same. Results that were paid for,
a language model's answers, are paid for again; a file of these that cannot be written is an error.
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

from potstill.errors import PotstillError

logger = logging.getLogger(__name__)

_FOLDER = "~/.cache/potstill"  # unless POTSTILL_CACHE names another
_TIMEOUT = 30  # seconds that one command waits for another to write


class Cache:
    """Results by text, in JSON form.

    A transaction is written whole or not at all, so that an entry is never damaged. An error of the file is
    logged once; after that nothing is looked up and nothing is stored. Of results that were paid for it is raised.

    :param paid: whether they were.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection | None, paid: bool = False) -> None:
        self._path = path
        self._connection = connection
        self._paid = paid

    def look_up(self, texts: Iterable[str]) -> dict[str, Any]:
        """The results that the cache has, by text.

        :raises PotstillError: when they were paid for, and the file cannot be read.
        """
        results: dict[str, Any] = {}
        with self._trying() as connection:
            if connection is not None:
                for text in texts:
                    row = connection.execute("SELECT value FROM findings WHERE key = ?", (_key(text),)).fetchone()
                    if row is not None:
                        results[text] = json.loads(row[0])
        return results

    def store(self, results: Mapping[str, Any]) -> None:
        """Keep results, by text.

        :raises PotstillError: when they were paid for, and the file cannot be written.
        """
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
            _give_up(self._path, error, self._paid)
            self._connection = None


@contextmanager
def open_cache(kind: str, version: str | None, *, paid: bool = False) -> Iterator[Cache]:
    """The cache of a kind of results, for the thread that opens it.

    :param kind: what computes them, such as an analyzer's name.
    :param version: of what computes them; each version has its own file. None: nothing is kept.
    :param paid: they were paid for: each is on the disk when :meth:`Cache.store` returns, and no error is passed over.
    :raises PotstillError: when they were paid for, and there is no place for them.
    """
    name = re.sub(r"[^\w.+-]+", "-", f"{kind}-{version}")
    folder = _folder() if version is not None else None
    path = (folder or Path()) / f"{name}.sqlite"
    if paid and not folder:
        raise PotstillError("answers are kept below a home, which this user lacks: name a folder in POTSTILL_CACHE")
    connection = _connect(path, paid) if folder else None
    if connection is None:
        yield Cache(path, None)
        return
    with closing(connection):
        yield Cache(path, connection, paid)


def _folder() -> Path | None:
    """Where the files are; None for a user without a home."""
    try:
        return Path(os.environ.get("POTSTILL_CACHE") or _FOLDER).expanduser()
    except RuntimeError:
        return None


def _connect(path: Path, paid: bool) -> sqlite3.Connection | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_TIMEOUT)
        if paid:
            # A hundred transactions a second: with a log of writes none waits for the disk. A kill loses none; a power
            # cut may lose the last ones.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
        with connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS findings (key BLOB PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
            )
    except (sqlite3.Error, OSError) as error:
        _give_up(path, error, paid)
        return None
    return connection


def _give_up(path: Path, error: Exception, paid: bool) -> None:
    if paid:
        raise PotstillError(
            f"{path}: answers cannot be kept here ({error}): free the place, or name a folder in POTSTILL_CACHE"
        ) from None
    logger.warning("%s: not used (%s): remove the file, or name a folder in POTSTILL_CACHE", path, error)


def _key(text: str) -> bytes:
    # 128 bits: two texts must never share an entry, and there is no text in the file to compare with.
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
