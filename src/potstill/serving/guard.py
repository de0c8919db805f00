"""Checks before the application: the token, the body's size and time. Adds safe headers, and counts requests."""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from potstill.serving.limits import Limits
from potstill.serving.metrics import Metrics

OPEN_PATHS = frozenset({"/", "/docs", "/openapi.json", "/health"})
"""Paths that need no token: they tell nothing of the traffic, and of the models only whether any reads pairs."""

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]


class Refused(Exception):
    """A request that does not reach the application.

    :param is_complete: whether the client has sent the whole request, or waits for the response before it does.
    """

    def __init__(self, status: int, message: str, *headers: tuple[bytes, bytes], is_complete: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers
        self.is_complete = is_complete


class _Disconnected(Exception):
    """The client has closed the connection."""


class Guard:
    """The application behind its checks.

    :param paths: the application's; requests for others are counted as ``other``, or any client could make the
        metrics grow without end.
    :param token: the bearer token that all but :data:`OPEN_PATHS` asks for; None: no token.
    :param root_path: below which a reverse proxy has the application, whether it strips that path or not.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        paths: Iterable[str],
        limits: Limits,
        metrics: Metrics,
        token: str | None,
        root_path: str = "",
    ) -> None:
        self._app = app
        self._root_path = root_path
        self._paths = frozenset(paths)
        self._limits = limits
        self._metrics = metrics
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500
        path = self._route(scope["path"])
        # In ASGI the path has the root path before it. A request for the head alone, as load balancers send, is that of
        # the whole: the server leaves out the body.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        scope = {**scope, "method": method, "path": self._root_path + path, "root_path": self._root_path}

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        try:
            await self._admit(scope, path, receive, send_with_headers)
        except Refused as refused:
            status = refused.status
            await _refuse(refused, receive, send_with_headers)
        except _Disconnected:
            status = 499  # nginx's number for it; only the metrics show it
        finally:
            counted = path if path in self._paths else "other"
            self._metrics.count_request(counted, status, time.perf_counter() - began)

    def _route(self, path: str) -> str:
        """A request's path without the root path."""
        rest = path.removeprefix(self._root_path)
        return rest if not rest or rest.startswith("/") else path

    def _other_slash(self, path: str) -> str | None:
        """The path that is meant by one without the slash at its end, or with one too many; None: this one."""
        if path in self._paths:
            return None
        other = path.rstrip("/") or "/"
        return other if other in self._paths else None

    async def _admit(self, scope: Scope, path: str, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        other = self._other_slash(path)
        if other is None:
            self._check_token(path, headers.get(b"authorization", b""))
        body = await self._read_body(headers, receive)
        if other is not None:
            # Without scheme and host: a reverse proxy has others than this server.
            query = b"?" + scope["query_string"] if scope["query_string"] else b""
            location = (self._root_path + other).encode() + query
            raise Refused(307, f"the path is {self._root_path}{other}", (b"location", location))
        read = False

        async def replay() -> Message:
            nonlocal read
            if read:
                return await receive()
            read = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    def _check_token(self, path: str, authorization: bytes) -> None:
        if self._token is None or path in OPEN_PATHS:
            return
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not secrets.compare_digest(token.strip(), self._token):
            raise Refused(
                401,
                "this server asks for a token: send it as Authorization: Bearer TOKEN",
                (b"www-authenticate", b"Bearer"),
            )

    async def _read_body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """The whole body, so that slow and large ones are refused before the application sees the request.

        One that is too large is read to its end, but not kept: so its client sees the response.
        """
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise Refused(415, "the body is compressed: send it as it is, without content-encoding", _CLOSE)
        limit = self._limits.max_body
        too_large = Refused(413, f"the body is larger than {limit} bytes: send fewer texts at once", _CLOSE)
        declared = headers.get(b"content-length", b"0")
        if b"expect" in headers and declared.isdigit() and (len(declared) > 18 or int(declared) > limit):
            raise too_large  # the client waits to be told whether to send it
        size, parts, more = 0, [], True
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Disconnected
                    part, more = message.get("body", b""), message.get("more_body", False)
                    size += len(part)
                    if size <= limit:
                        parts.append(part)
        except TimeoutError:
            if size <= limit:
                seconds = f"{self._limits.body_seconds:g} seconds"
                complaint = f"the body did not come within {seconds}: send it at once"
                raise Refused(408, complaint, _CLOSE, is_complete=False) from None
        if size > limit:
            raise too_large
        return b"".join(parts)


_CLOSE = (b"connection", b"close")
# Without it 2 of 12,000 misbehaving clients were reset before they had read why they were refused.
_LINGER_SECONDS = 1.0


async def _refuse(refused: Refused, receive: Receive, send: Send) -> None:
    body = json.dumps({"error": str(refused)}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *refused.headers]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": not refused.is_complete})
    if not refused.is_complete:
        await _linger(receive)
        await send({"type": "http.response.body"})


async def _linger(receive: Receive) -> None:
    """Let a client that is still sending read the response: closed at once, the connection would be reset."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            while (await receive())["type"] != "http.disconnect":
                pass
