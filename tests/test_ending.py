"""A command ends cleanly by a signal, and its workers end with it, whatever ends it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from potstill import cli
from potstill.cli import main
from potstill.ending import Terminated, terminable

TAGGING = """
import signal
from itertools import count
from multiprocessing import active_children
from potstill.augment.tagging import analyse_texts
from potstill.ending import terminable
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    with terminable():
        for number, _ in enumerate(analyse_texts(map(str, count()), "whitespace", processes=2)):
            if number == 0:
                print(len(active_children()), flush=True)
"""


@pytest.fixture(autouse=True)
def _usual_signals() -> Iterator[None]:
    """As in a process of its own: Ray, which other tests start, leaves its handler, and ``nohup`` ignores SIGHUP."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_the_process_that_started_them(number: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "tagging.py"
    script.write_text(TAGGING)
    environment = os.environ | {"POTSTILL_CACHE": str(tmp_path)}
    with subprocess.Popen([sys.executable, str(script)], env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"2\n"
        process.send_signal(number)
        process.communicate(timeout=120)  # workers have its output too: it ends when all have ended
    assert process.returncode


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_told_to_end_says_that_it_can_be_resumed(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cleaned = []

    def work(*_: object) -> None:
        try:
            os.kill(os.getpid(), number)
            threading.Event().wait(60)
        finally:
            cleaned.append(True)

    monkeypatch.setitem(vars(cli.VERBS["distill"]), "options", cli.VERBS["report"].options)
    monkeypatch.setitem(vars(cli.VERBS["distill"]), "run", work)
    with pytest.raises(SystemExit) as ended:
        main(["distill", "run"])
    assert ended.value.code == 128 + number and cleaned
    assert capsys.readouterr().err == f"potstill: ended by {number.name}; the same command resumes from here\n"
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_signal_that_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with terminable():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_signals_are_the_main_threads() -> None:
    failed = []

    def enter() -> None:
        try:
            with terminable():
                assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert failed == []
    assert issubclass(Terminated, KeyboardInterrupt)
