"""One server from its socket to its end. Knows nothing of the application."""

import contextlib
import errno
import logging
import os
import signal
import socket
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from potstill.errors import PotstillError
from potstill.serving.header_limit import HeaderLimit

_log = logging.getLogger(__name__)
_GRACE_SECONDS = 30  # for requests under way when the server is told to stop
_BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
    """Bind the address; nobody can connect before the server listens.

    :param port: 0 for any that is free.
    :raises PotstillError: when it is in use, not allowed or not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as undo:
            listener = undo.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            undo.pop_all()
    except OSError as error:
        raise PotstillError(_bind_error(host, port, error)) from None
    return listener


def _bind_error(host: str, port: int, error: OSError) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"--host={host}: not an address of this machine; 127.0.0.1 is for it alone, 0.0.0.0 for its network"
    if error.errno == errno.EADDRINUSE:
        return f"{host}:{port} is in use: stop what listens there, or give another --port"
    return f"{host}:{port}: cannot listen ({os.strerror(error.errno or 0)}); give another --port or --host"


def make_server(app: ASGIApp) -> uvicorn.Server:
    """The server, not running yet."""
    config = uvicorn.Config(
        app,
        http=HeaderLimit,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here uses the client's address
        ws="none",
        lifespan="on",
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return _Server(config)


def run(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; requests under way still get their responses."""
    server = make_server(app)

    def stop(number: int, frame: FrameType | None) -> None:
        server.should_exit = True

    # uvicorn raises the signal again once it is done: the process must not end by the signal, as all went well.
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            _log.info("listening at http://%s:%d/ (Ctrl-C ends it)", f"[{host}]" if ":" in host else host, port)
