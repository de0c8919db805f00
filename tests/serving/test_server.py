"""A server as a process: its address, its start, and its end while requests are under way."""

import errno
import signal
import socket
import time
from pathlib import Path

import pytest

import potstill
from potstill.errors import PotstillError
from potstill.serving.server import bind
from servers import Client, command


def test_an_address_in_use_is_named_with_the_fix() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PotstillError, match=rf"127\.0\.0\.1:{port} is in use: .*another --port"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["nobody.invalid", "192.0.2.1"])  # kept free for examples by RFC 2606 and RFC 5737
def test_an_address_that_is_not_ours_is_named(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if host.endswith(".invalid"):  # without asking a name server

        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(PotstillError, match=rf"--host={host}: not an address of this machine"):
        bind(host, 0)


def test_a_port_that_is_not_allowed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(socket.socket, "bind", forbidden)
    with pytest.raises(PotstillError, match=r"127\.0\.0\.1:80: cannot listen \(Permission denied\)"):
        bind("127.0.0.1", 80)


def test_nobody_can_connect_before_the_server_listens() -> None:
    with bind("127.0.0.1", 0) as listener, pytest.raises(ConnectionRefusedError):
        socket.create_connection(listener.getsockname())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_at_a_signal_it_responds_to_the_requests_under_way_and_exits_with_0(
    student: Path, number: signal.Signals
) -> None:
    body = b'{"text": "a b c"}'
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    with command(f"small={student}") as (process, client):
        with socket.create_connection(("127.0.0.1", client.port), timeout=120) as connection:
            connection.sendall(head % len(body) + body[:5])
            client.get("/health")  # by now the server has begun to read the request
            process.send_signal(number)
            wait_until_closed(client)
            connection.sendall(body[5:])
            received = b""
            while part := connection.recv(65536):
                received += part
        printed, complained = process.communicate(timeout=120)
    label = potstill.load(student).predict(["a b c"])[0]
    assert received.startswith(b"HTTP/1.1 200 ") and f'"label":"{label}"'.encode() in received
    assert process.returncode == 0
    assert printed.startswith("stopped after ")
    assert f"listening at http://127.0.0.1:{client.port}/" in complained and "Traceback" not in complained


def wait_until_closed(client: Client) -> None:
    """Until the server takes no more connections."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            client.get("/health")
        except ConnectionError:
            return
        time.sleep(0.02)
    pytest.fail("it still takes connections")


def test_the_token_of_the_environment_is_asked_for_and_never_shown(student: Path) -> None:
    with command(f"small={student}", POTSTILL_TOKEN="s3cret") as (process, client):
        assert client.post("/predict", {"text": "a"}).status == 401
        assert client.post("/predict", {"text": "a"}, authorization="Bearer s3cret").status == 200
        process.terminate()
        printed, complained = process.communicate(timeout=120)
    assert "s3cret" not in printed + complained


def test_serving_brings_in_no_torch(student: Path) -> None:
    with command(f"small={student}") as (process, client):
        client.post("/explain", {"text": "a b"})
        loaded = Path(f"/proc/{process.pid}/maps").read_text() if Path("/proc/self/maps").exists() else ""
    assert "torch" not in loaded
