"""One process at a time works on a file or a folder, and none waits for one that has ended."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from potstill import locks
from potstill.locks import Locked, lock_of, locked

HOLDER = """
import sys
from pathlib import Path
from potstill.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["leave", "kill"])
def test_another_process_is_named_and_its_lock_ends_with_it(tmp_path: Path, end: str) -> None:
    path = tmp_path / "a"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdin=pipe, stdout=pipe) as holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        with pytest.raises(Locked, match=rf"a: process {holder.pid} on \S+ is working on it: wait"), locked(path):
            pass
        if end == "kill":
            holder.kill()
        else:
            holder.communicate()
        holder.wait()
    assert lock_of(path).exists() == (end == "kill")
    with locked(path):
        assert lock_of(path).read_text().startswith(f"process {os.getpid()} on ")
    assert not lock_of(path).exists()


def test_who_has_waited_holds_it_then(tmp_path: Path) -> None:
    waited = threading.Event()

    def wait() -> None:
        with locked(tmp_path / "a", patience=60):
            with pytest.raises(Locked), locked(tmp_path / "a"):
                pass
            waited.set()

    waiting = threading.Thread(target=wait)
    with locked(tmp_path / "a"):
        waiting.start()
        waiting.join(0.2)
        assert not waited.is_set()
    waiting.join()
    assert waited.is_set() and not any(tmp_path.iterdir())


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_is_only_warned_of(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", refuse)
    locks._warn_once.cache_clear()
    for name in "ab":
        with locked(tmp_path / name):
            pass
    assert caplog.text.count("no locks on this system or file system") == 1
