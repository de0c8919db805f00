"""Checks before every request: token, size and time of the body, headers."""

import logging
import socket
import time
from pathlib import Path

import pytest

from potstill.serving.header_limit import MAX_HEADER_BYTES
from servers import Client, Serve


@pytest.fixture(scope="module")
def guarded(serve: Serve, student: Path) -> Client:
    return serve(f"one={student}", token="s3cret")


@pytest.fixture(scope="module")
def narrow(serve: Serve, student: Path) -> Client:
    return serve(f"one={student}", max_body=1000, body_seconds=0.3)


def talk(client: Client, *parts: bytes) -> bytes:
    """Send bytes as they are, and read until the server hangs up."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


@pytest.mark.parametrize("path", ["/predict", "/explain"])
@pytest.mark.parametrize(
    "authorization", [None, "Bearer", "Bearer wrong", "Bearer s3cre", "Bearer s3cret2", "Basic s3cret"]
)
def test_a_missing_or_wrong_token_is_refused(guarded: Client, path: str, authorization: str | None) -> None:
    reply = guarded.post(path, {"text": "a"}, **({} if authorization is None else {"authorization": authorization}))
    assert reply.status == 401 and reply.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer TOKEN" in reply.json["error"]


def test_the_token_opens_everything(guarded: Client) -> None:
    assert guarded.post("/predict", {"text": "a"}, authorization="Bearer s3cret").status == 200
    assert guarded.post("/explain", {"text": "a b"}, authorization="bearer s3cret").status == 200
    assert guarded.get("/models", authorization="Bearer s3cret").status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [("/health", 200), ("/", 200), ("/docs", 200), ("/openapi.json", 200), ("/models", 401), ("/metrics", 401)],
)
def test_without_the_token_only_health_and_pages_are_open(guarded: Client, path: str, status: int) -> None:
    assert guarded.get(path).status == status


def test_neither_token_nor_texts_are_logged(guarded: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    guarded.post("/predict", {"text": "a private matter"}, authorization="Bearer s3cret")
    guarded.post("/predict", {"text": "a private matter"}, authorization="Bearer wr0ng")
    assert not any(word in caplog.text for word in ("s3cret", "wr0ng", "private"))


def test_a_body_that_is_too_large_is_refused(narrow: Client) -> None:
    reply = narrow.post("/predict", {"text": "a" * 1000})
    assert reply.status == 413 and "larger than 1000 bytes" in reply.json["error"]
    assert narrow.post("/predict", {"text": "a" * 900}).status == 200


def test_a_body_of_unknown_length_is_counted_as_it_comes(narrow: Client) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = [b"190\r\n" + b"a" * 400 + b"\r\n"] * 3
    assert talk(narrow, head, *chunks, b"0\r\n\r\n").startswith(b"HTTP/1.1 413 ")


def test_a_client_that_waits_for_100_is_refused_before_sending(narrow: Client) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5000\r\n\r\n"
    assert talk(narrow, head).startswith(b"HTTP/1.1 413 ")  # and not 100 Continue


_HEAD = b"POST /predict HTTP/1.1\r\nhost: x\r\n"
_TRAILERS = _HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n"


@pytest.mark.parametrize("header", [b"a: b\r\n" * (MAX_HEADER_BYTES // 6), b"a: " + b"b" * MAX_HEADER_BYTES])
def test_a_head_without_an_end_is_refused(narrow: Client, header: bytes) -> None:
    received = talk(narrow, (_HEAD + header)[: MAX_HEADER_BYTES + 1])
    assert received.startswith(b"HTTP/1.1 431 ") and b"larger than 65536 bytes" in received


def test_headers_after_the_body_have_no_more_room(serve: Serve, student: Path) -> None:
    patient = serve(f"one={student}", body_seconds=1000)
    with socket.create_connection(("127.0.0.1", patient.port), timeout=30) as connection:
        connection.sendall(_TRAILERS)
        patient.get("/health")  # by now the end of the body has been read
        connection.sendall(b"a: " + b"b" * MAX_HEADER_BYTES)
        assert connection.recv(1) == b""


def test_a_large_head_and_a_body_behind_it_are_no_endless_head(narrow: Client) -> None:
    body = b'{"text": "a"}'
    length = b"content-length: %d\r\nconnection: close\r\n" % len(body)
    head = _HEAD + length + b"content-type: application/json\r\na: " + b"b" * (MAX_HEADER_BYTES - 200) + b"\r\n\r\n"
    assert talk(narrow, head, body).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", [b"", b'{"text": '])
def test_a_body_that_does_not_come_is_not_waited_for(narrow: Client, sent: bytes) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 20\r\n\r\n"
    received = talk(narrow, head, sent)
    assert received.startswith(b"HTTP/1.1 408 ") and b"did not come within 0.3 seconds" in received


def test_a_client_that_goes_on_sending_a_slow_body_reads_the_response(narrow: Client) -> None:
    with socket.create_connection(("127.0.0.1", narrow.port), timeout=30) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n")
        connection.recv(1, socket.MSG_PEEK)  # waits for the response, and leaves it there
        for _ in range(3):
            connection.sendall(b" ")  # fails the second time where the connection is closed
            time.sleep(0.05)
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_a_client_that_hangs_up_halfway_is_only_counted(narrow: Client) -> None:
    with socket.create_connection(("127.0.0.1", narrow.port)) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 20\r\n\r\n{")
    for _ in range(200):
        if 'path="/predict",status="499"' in narrow.get("/metrics").text:
            return
    pytest.fail("it was not counted")


@pytest.mark.parametrize("path", ["/", "/health", "/nothing"])
def test_every_response_has_the_safe_headers(narrow: Client, path: str) -> None:
    headers = narrow.get(path).headers
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store" and "server" not in headers
