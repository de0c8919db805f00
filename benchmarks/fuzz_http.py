"""The body of a request as a target of the fuzzer."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from fuzz_forms import Form, Target, expect, make_target
from potstill.progress import silent
from potstill.runtime.classifier import load
from potstill.serving.app import create_app
from potstill.serving.limits import Limits
from potstill.serving.metrics import Metrics
from potstill.serving.models import Loader

_JSON = (b"content-type", b"application/json")
_BODIES = [b'{"text": "a b"}', b'{"texts": ["a", "b c \\u2603"], "model": "one"}', b'{"text": "a", "model": "x"}']
_Headers = list[tuple[bytes, bytes]]


def http(scratch: Path, student: Path) -> Target:
    """The body of a request, through the whole application, without a socket."""
    server = _Server(student)
    target = make_target(
        [
            Form(lambda content: server.predict([_JSON], [content]), _BODIES),
            Form(lambda content: server.predict([_JSON], [content[:7], content[7:]]), _BODIES[:1]),
            Form(lambda content: server.predict([], [content]), _BODIES[:1]),
            Form(server.explain, [b'{"text": "a b c"}']),
            Form(server.length, [b"13", b"100000", b"9" * 5000]),
        ]
    )
    return replace(target, close=server.close)


class _Server:
    """The application with one student, and the same student without it to compare with."""

    def __init__(self, student: Path) -> None:
        limits, metrics = Limits(max_texts=4, max_characters=200, max_body=2000), Metrics()
        self._models = Loader(1, limits, metrics, silent).open([f"one={student}"], None, None)
        self._app = create_app(self._models, limits, metrics, None)
        self._offline = load(student, threads=1)
        self._loop = asyncio.new_event_loop()

    def predict(self, headers: _Headers, parts: list[bytes]) -> None:
        """The response's labels must be those that the student predicts without a server."""
        status, body = self._post("/predict", headers, parts)
        if status == 200:
            request = json.loads(b"".join(parts))
            texts = request["texts"] if request.get("texts") is not None else [request["text"]]
            labels = [prediction["label"] for prediction in body["answers"]]
            expect(labels == self._offline.predict(texts).tolist(), f"other labels than without a server: {body}")

    def explain(self, content: bytes) -> None:
        """The words' weights in a prediction."""
        self._post("/explain", [_JSON], [content])

    def length(self, content: bytes) -> None:
        """The input is the length that the headers say."""
        headers = [_JSON, (b"content-length", content), (b"expect", b"100-continue")]
        self._post("/predict", headers, [b'{"text": "a"}'])

    def close(self) -> None:
        """End what is open."""
        self._models.close()
        self._loop.close()

    def _post(self, path: str, headers: _Headers, parts: list[bytes]) -> tuple[int, Any]:
        """The status and the body of the response, which must be a refusal or a success, and say so."""
        messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        messages.append({"type": "http.request", "body": b"", "more_body": False})
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
            "client": None, "server": None,
        }  # fmt: skip
        self._loop.run_until_complete(self._app(scope, receive, send))
        status, body = sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent))
        expect(status == 200 or 400 <= status < 500, f"status {status}")
        expect(isinstance(body, dict) and ("error" in body) == (status != 200), f"status {status} with {body}")
        return status, body
