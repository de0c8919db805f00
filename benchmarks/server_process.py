"""A server in a process of its own: started, sampled while it runs, and stopped. Linux only."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from serving import PATIENCE

_START_SECONDS = 120.0


@dataclass(frozen=True)
class Sample:
    """What a process uses at one time.

    :param resident_mb: its resident memory.
    :param descriptors: its open files and sockets.
    """

    resident_mb: float
    descriptors: int
    threads: int


@dataclass(frozen=True)
class ServerProcess:
    """``potstill serve`` at a port of this machine."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def sample(self) -> Sample:
        """What it uses now."""
        about = Path(f"/proc/{self.process.pid}")
        resident = int((about / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return Sample(resident / 1e6, len(list((about / "fd").iterdir())), len(list((about / "task").iterdir())))

    def settle(self, descriptors: int) -> Sample:
        """What it uses once it has no more than so many open files, or has had enough time to close them."""
        deadline = time.monotonic() + PATIENCE
        while (now := self.sample()).descriptors > descriptors and time.monotonic() < deadline:
            time.sleep(0.05)
        return now

    def is_healthy(self) -> bool:
        """Whether ``/health`` says so."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=PATIENCE) as response:
                return int(response.status) == 200
        except OSError:
            return False

    def n_failed(self) -> int:
        """Requests to which it responded, or would have responded, with 5xx: those of clients that disconnected too."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=PATIENCE) as response:
            lines = response.read().decode().splitlines()
        counts = [line for line in lines if line.startswith("potstill_requests_total") and 'status="5' in line]
        return int(sum(float(line.split()[-1]) for line in counts))

    def n_tracebacks(self) -> int:
        """The number of tracebacks in its log."""
        return self.log.read_text(errors="replace").count("Traceback (most recent call last)")

    def tell_to_stop(self) -> None:
        """Send SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def status(self) -> int | None:
        """Its exit status once it has ended; None where it does not end."""
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            return None


@contextmanager
def serving(student: Path, options: Sequence[str] = (), core: int | None = None) -> Iterator[ServerProcess]:
    """A server of one student, once it is healthy.

    :param options: of ``potstill serve``.
    :param core: the processor that it is pinned to, and this process kept from.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    command = [sys.executable, "-m", "potstill.cli", "serve", str(student), "--quiet", f"--port={port}", *options]
    with TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        with log.open("wb") as output, _pinned_to(core):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=output)
        server = ServerProcess(process, port, log)
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not server.is_healthy():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"the server does not start:\n{log.read_text(errors='replace')}")
                time.sleep(0.05)
            yield server
        finally:
            process.kill()
            process.wait()


@contextmanager
def _pinned_to(core: int | None) -> Iterator[None]:
    """Pin what is started within to a processor; afterwards this process has the others."""
    if core is None:
        yield
        return
    others = os.sched_getaffinity(0) - {core}
    os.sched_setaffinity(0, {core})
    yield
    os.sched_setaffinity(0, others or {core})
