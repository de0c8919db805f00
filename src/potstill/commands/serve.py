"""Serve: models over HTTP, until SIGINT or SIGTERM."""

import ipaddress
import logging
import os
import re
from dataclasses import dataclass, field
from typing import Annotated

import tyro

from potstill.errors import PotstillError, require
from potstill.progress import Progress, silent
from potstill.serving.limits import Limits

TOKEN_VARIABLE = "POTSTILL_TOKEN"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServeOptions:
    """Serve one student or several over HTTP; a page to try them is at /, the API at /docs."""

    student: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[NAME=]FOLDER ...")]
    """Folders of the models, such as runs/x/student. The first predicts where a request names none."""
    host: str = "127.0.0.1"
    """The address to listen at; 0.0.0.0 for all of this machine's."""
    port: int = 8000
    """The port to listen at; 0: any that is free."""
    root_path: str = ""
    """The path below which a reverse proxy has the server, such as /clf, whether it strips that path or not."""
    fallback: str | None = None
    """A larger model, FOLDER or NAME=FOLDER: it predicts where a student's probability is below --below (a cascade)."""
    below: float | None = None
    """The threshold: the probability of a student's label below which the fallback predicts."""
    at_least: str = ""
    """Give no label below this probability, or the one that potstill threshold keeps under this name; a request may say
    another."""
    token: str | None = field(default=None, repr=False)
    """The bearer token to require. Better in the variable POTSTILL_TOKEN: any user can read a command line."""
    num_threads: int = 1
    """Threads of ONNX Runtime, for each model."""
    limits: Annotated[Limits, tyro.conf.arg(name="")] = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not self.student:
            raise PotstillError("give the folder of a student, such as runs/NAME/student")
        if (self.fallback is None) != (self.below is None):
            raise PotstillError("--fallback and --below belong together: give both, or neither")
        if not 0 <= self.port <= 65535:
            raise PotstillError(f"--port={self.port}: a port is a number from 0 to 65535")
        if self.num_threads < 1:
            raise PotstillError(f"--num_threads={self.num_threads}: must be 1 or more")
        if not re.fullmatch(r"(/[\w.~-]+)*/?", self.root_path, re.ASCII):
            raise PotstillError(f"--root_path={self.root_path}: give the path of an address, such as /clf")
        if self.token is not None and not self.token.strip():
            raise PotstillError("--token is empty: anybody could ask; give it a value, or leave it out")


@dataclass(frozen=True)
class Served:
    """A server that has stopped.

    :param n_requests: requests that it answered, refused ones too.
    """

    n_requests: int

    def __str__(self) -> str:
        return f"stopped after {self.n_requests} requests"


def serve(options: ServeOptions, progress: Progress = silent) -> Served:
    """Serve until SIGINT or SIGTERM; requests under way still get their responses.

    :raises PotstillError: when the address is taken, a model cannot be loaded, or the extra is missing.
    """
    require("serve", "fastapi", "httptools", "jinja2", "uvicorn", "prometheus_client")
    from potstill.serving.app import create_app
    from potstill.serving.metrics import Metrics
    from potstill.serving.models import Loader
    from potstill.serving.server import bind, run

    token, metrics = _token(options), Metrics()
    with bind(options.host, options.port) as listener:  # before the models: a port in use is an error at once
        loader = Loader(options.num_threads, options.limits, metrics, progress)
        models = loader.open(options.student, options.fallback, options.below, options.at_least)
        for model in models:
            _log.info("%s: %s", model.name, ", ".join(model.labels))
        if token is None and not _is_loopback(listener.getsockname()[0]):
            _log.warning("anybody who reaches this address can ask: set %s to a secret", TOKEN_VARIABLE)
        root_path = options.root_path.rstrip("/")
        run(create_app(models, options.limits, metrics, token, root_path=root_path), listener)
    return Served(metrics.n_requests)


def _token(options: ServeOptions) -> str | None:
    """The token of the options, else of the environment.

    :raises PotstillError: when the variable is set, but empty: a secret that went missing must not open the server.
    """
    token = os.environ.get(TOKEN_VARIABLE) if options.token is None else options.token
    if token is not None and not token.strip():
        raise PotstillError(f"{TOKEN_VARIABLE} is set, but empty: give it a value, or unset it")
    return None if token is None else token.strip()


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback
