"""Servers on loopback, over students with random weights: stand-ins."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from potstill.progress import silent
from potstill.serving.app import create_app
from potstill.serving.limits import Limits
from potstill.serving.metrics import Metrics
from potstill.serving.models import Loader
from potstill.serving.server import make_server
from standins import write_student


@dataclass(frozen=True)
class Reply:
    """What a server responded."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Client:
    """Sends requests to the server of a port."""

    port: int

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request on a connection of its own; a body that is not bytes is sent as JSON."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        sent = {"content-type": "application/json", **headers}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            response_headers = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, response_headers, response.read().decode())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        return self.ask("POST", path, body, **headers)

    def metric(self, start: str) -> float:
        """The value of the first metric whose line starts so."""
        lines = self.get("/metrics").text.splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(start))


@contextmanager
def running(app: ASGIApp) -> Iterator[Client]:
    """The application behind a real server in a thread of this process, at a free port."""
    server = make_server(app)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield Client(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights over the words a to f."""
    return write_student(tmp_path_factory.mktemp("student"))


@pytest.fixture(scope="session")
def teacher(student: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model of the same labels, in another order: what the student calls no is yes sir to it."""
    return relabelled(student, tmp_path_factory.mktemp("models") / "teacher", ["yes sir", "no"])


def relabelled(student: Path, path: Path, labels: list[str]) -> Path:
    """A copy of a student with other labels."""
    shutil.copytree(student, path)
    config = json.loads((path / "config.json").read_text())
    config["id2label"] = dict(enumerate(labels))
    (path / "config.json").write_text(json.dumps(config))
    return path


@contextmanager
def proxy(client: Client, prefix: str, *, strips: bool) -> Iterator[Client]:
    """A reverse proxy that has a server below a path, and nothing elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not (self.path + "/").startswith(f"{prefix}/"):
                self.send_error(404)
                return
            path = self.path.removeprefix(prefix) or "/" if strips else self.path
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            reply = client.ask(self.command, path, body, **{"content-type": self.headers.get("content-type", "")})
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.text.encode())

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Client(server.server_port)
        finally:
            server.shutdown()
            thread.join()


Serve = Callable[..., Client]


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Starts servers that end with the module."""
    open_servers = []

    def start(
        *students: str,
        fallback: str | None = None,
        below: float | None = None,
        at_least: str = "",
        token: str | None = None,
        root_path: str = "",
        **limits: Any,
    ) -> Client:
        metrics, server_limits = Metrics(), Limits(**limits)
        models = Loader(1, server_limits, metrics, silent).open(students, fallback, below, at_least)
        server = running(create_app(models, server_limits, metrics, token, root_path=root_path))
        open_servers.append(server)
        return server.__enter__()

    yield start
    for server in open_servers:
        server.__exit__(None, None, None)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def command(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    """``potstill serve`` in a process of its own, once it responds."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "potstill.cli", "serve", *arguments, "--port", str(port)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        client = Client(port)
        while process.poll() is None:
            try:
                client.get("/health")
                break
            except OSError:
                time.sleep(0.05)
        yield process, client
    finally:
        process.kill()
        process.communicate()
