"""A stand-in for a server of the OpenAI API: it answers, or fails, as a test says, and counts what it is asked.

    python tests/stand_in_server.py --port 8123 --delay 0.05 --failures 0.05

As a process of its own (a benchmark's) it prints its address when it is ready, and ``GET /count`` gives its counts.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import math
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_OPTION = re.compile(r"^([A-Za-z])\) ([^:\n]+)", re.MULTILINE)


@dataclass(frozen=True)
class Reply:
    """What the server does with a request.

    :param body: JSON, or bytes as they are.
    :param cut: send half of the body, then close the connection.
    :param hang: never answer.
    """

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    hang: bool = False


Behaviour = Callable[[dict[str, Any], int], Reply | None]
"""From a request's body, and how often its prompt has come before, to a reply; None: a good answer."""


def error(status: int, message: str, code: str | None = None, **headers: str) -> Reply:
    """An error as OpenAI sends it; underscores in the names of headers are hyphens."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply({"error": {"message": message, "code": code, "type": "error"}}, status, sent)


def prompt_of(body: dict[str, Any]) -> str:
    """All of a request that the model reads."""
    return body["prompt"] if "prompt" in body else "\n".join(message["content"] for message in body["messages"])


def text_of(body: dict[str, Any]) -> str:
    """The text in question."""
    last = body["prompt"].rpartition("Text: ")[2] if "prompt" in body else body["messages"][-1]["content"]
    return str(last).removeprefix("Text: ").removesuffix("\nAnswer:")


def probability(text: str, label: str) -> float:
    """The model's opinion, not normalised: of each text another."""
    return 0.01 + int.from_bytes(hashlib.blake2b(f"{text}|{label}".encode(), digest_size=2).digest(), "big") / 65536


def expected(text: str, labels: list[str]) -> list[float]:
    """The probabilities that the server gives to the labels of a text, in whatever order they are asked."""
    values = [probability(text, label) for label in labels]
    return [value / sum(values) for value in values]


def said(content: str, top: dict[str, float] | None = None, *, chat: bool = True, **message: Any) -> dict[str, Any]:
    """An answer.

    :param top: probabilities of the likeliest first tokens.
    """
    logs = None if top is None else {token: math.log(max(prob, 1e-30)) for token, prob in top.items()}
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    if chat:
        choice["message"] = {"role": "assistant", "content": content, **message}
        listed = [{"token": token, "logprob": value} for token, value in (logs or {}).items()]
        choice["logprobs"] = None if logs is None else {"content": [{"token": content, "top_logprobs": listed}]}
    else:
        choice["text"] = content
        choice["logprobs"] = None if logs is None else {"tokens": [content], "top_logprobs": [logs]}
    return {"object": "answer", "choices": [choice], "usage": {"prompt_tokens": 50, "completion_tokens": 1}}


def good_answer(body: dict[str, Any]) -> dict[str, Any]:
    """What a server with logprobs and schemas answers."""
    text, chat = text_of(body), "messages" in body
    options = dict(_OPTION.findall(body["messages"][0]["content"] if chat else body["prompt"]))
    if body.get("logprobs"):
        if not options:  # answers are names: a token is the beginning of one
            options = {name[:3]: name for name in re.findall(r"^- ([^:\n]+)", prompt_of(body), re.MULTILINE)}
        probs = dict(zip(options, expected(text, list(options.values())), strict=True))
        # As real ones: a token with a space before it too, and tokens that are no option.
        top = {"The": 0.1, **{option: 0.6 * prob for option, prob in probs.items()}}
        top |= {f" {option}": 0.3 * prob for option, prob in probs.items()}
        return said(max(probs, key=probs.__getitem__), top, chat=chat)
    form = body.get("response_format", {})
    schema = form.get("json_schema", form).get("schema")
    names = schema["properties"]["label"]["enum"] if schema else re.findall(r"^- ([^:\n]+)", prompt_of(body), re.M)
    label = max(names, key=lambda name: probability(text, name))
    return said(json.dumps({"label": label}) if chat else f" {label}\n", chat=chat)


class StandIn:
    """The server's state: what it does, and what it was asked.

    :param delay: seconds before each answer.
    """

    def __init__(self, behaviour: Behaviour | None = None, delay: float = 0.0) -> None:
        self.behaviour = behaviour
        self.delay = delay
        self.port = 0
        self.bodies: list[dict[str, Any]] | None = []  # None: they are not kept
        self.asked: Counter[bytes] = Counter()  # by the hash of the prompt
        self.answered: Counter[bytes] = Counter()  # those with an answer that arrives
        self.keys: Counter[str] = Counter()
        self.n_open = self.most_open = 0  # requests at the same time

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def n_requests(self) -> int:
        """Requests so far."""
        return self.asked.total()

    @property
    def counts(self) -> dict[str, int]:
        """What it was asked, and answered."""
        return {
            "requests": self.n_requests,
            "prompts": len(self.asked),
            "answered": len(self.answered),
            "answered_twice": sum(n > 1 for n in self.answered.values()),
            "most_at_once": self.most_open,
        }

    def reply(self, body: dict[str, Any]) -> Reply:
        """The reply to a request, which is counted."""
        if self.bodies is not None:
            self.bodies.append(body)
        prompt = json.dumps([prompt_of(body), body.get("seed"), body.get("temperature")])
        key = hashlib.blake2b(prompt.encode(), digest_size=8).digest()
        n_before = self.asked[key]
        self.asked[key] += 1
        reply = self.behaviour(body, n_before) if self.behaviour else None
        reply = reply or Reply(good_answer(body))
        if reply.status == 200 and not reply.cut and not reply.hang:
            self.answered[key] += 1
        return reply


class _Protocol(asyncio.Protocol):
    """HTTP/1.1, as much of it as a client of this API sends."""

    def __init__(self, server: StandIn) -> None:
        self._server = server
        self._received = b""
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        match = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        length = int(match[1]) if match else 0
        if not found or len(rest) < length:
            return
        self._received = rest[length:]
        if head.startswith(b"GET /count"):
            self._write(Reply(self._server.counts))
            return
        authorization = re.search(rb"authorization: *Bearer ([^\r]*)", head, re.IGNORECASE)
        self._server.keys[authorization[1].decode() if authorization else ""] += 1
        reply = self._server.reply(json.loads(rest[:length]))
        self._server.n_open += 1
        self._server.most_open = max(self._server.most_open, self._server.n_open)
        if not reply.hang:
            asyncio.get_running_loop().call_later(self._server.delay, self._answer, reply)

    def _answer(self, reply: Reply) -> None:
        self._server.n_open -= 1
        if not self._transport.is_closing():
            self._write(reply)

    def _write(self, reply: Reply) -> None:
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        fields = {"content-type": "application/json", "content-length": str(len(body)), **reply.headers}
        head = f"HTTP/1.1 {reply.status} STATUS\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._transport.write(head.encode() + b"\r\n" + (body[: len(body) // 2] if reply.cut else body))
        if reply.cut:
            self._transport.close()


@contextmanager
def stand_in(behaviour: Behaviour | None = None, delay: float = 0.0) -> Iterator[StandIn]:
    """A server in a thread of this process."""
    server, loop, ready = StandIn(behaviour, delay), asyncio.new_event_loop(), threading.Event()

    async def serve() -> None:
        listening = await loop.create_server(lambda: _Protocol(server), "127.0.0.1", 0)
        server.port = listening.sockets[0].getsockname()[1]
        ready.set()
        with contextlib.suppress(asyncio.CancelledError):
            await listening.serve_forever()

    thread = threading.Thread(target=lambda: loop.run_until_complete(task), daemon=True)
    task = loop.create_task(serve())
    thread.start()
    ready.wait()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()


def failing(share: float, seed: int = 0) -> Behaviour:
    """A server that fails at random, in several ways.

    :param share: of requests that fail.
    """
    generator = random.Random(seed)

    def behave(body: dict[str, Any], _: int) -> Reply | None:
        if generator.random() >= share:
            return None
        ways = (error(500, "internal error"), error(503, "overloaded"), error(429, "slow down"))
        return generator.choice([*ways, Reply(good_answer(body), cut=True)])

    return behave


async def _serve_alone(port: int, delay: float, failures: float) -> None:
    server = StandIn(failing(failures) if failures else None, delay)
    server.bodies = None
    listening = await asyncio.get_running_loop().create_server(lambda: _Protocol(server), "127.0.0.1", port)
    server.port = listening.sockets[0].getsockname()[1]
    print(server.url, flush=True)
    await listening.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.05)
    parser.add_argument("--failures", type=float, default=0.0)
    arguments = parser.parse_args()
    asyncio.run(_serve_alone(arguments.port, arguments.delay, arguments.failures))
