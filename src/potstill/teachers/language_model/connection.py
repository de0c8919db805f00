"""The only place that knows the ``openai`` client: a request to an answer, or to the reason why there is none."""

import asyncio
import email.utils
import json
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from potstill.errors import PotstillError, reason, require, shown
from potstill.teachers.language_model.answers import Answer, HalfAnswerError, read_answer
from potstill.teachers.language_model.options import LanguageModelOptions

KEY = "OPENAI_API_KEY"
_PATHS = {"chat": "/chat/completions", "completions": "/completions"}
_TOO_LONG = re.compile(r"context.?(length|size|window)|too long|too many tokens|maximum.{0,20}(length|tokens)", re.I)
_OF_A_FIELD = re.compile("logprobs|response_format|validation error")  # llama-cpp-python says so with a status 500
_TOLD_OF_THIS_MACHINE = [
    f"X-Stainless-{name}" for name in ("Lang", "Package-Version", "OS", "Arch", "Runtime", "Runtime-Version", "Async")
]
_NO_MONEY = ("insufficient_quota", "billing_hard_limit_reached")


class BusyError(Exception):
    """The request failed, and may do so no more when it is sent again.

    :ivar wait: seconds that the server asks all requests to wait; None where it does not say.
    :ivar is_limit: too many requests came at a time.
    """

    def __init__(self, why: str, wait: float | None = None, *, is_limit: bool = False) -> None:
        super().__init__(why)
        self.wait = wait
        self.is_limit = is_limit


class NoAnswerError(Exception):
    """The server gives no answer to this text; the message is the reason."""


@dataclass
class UnsupportedError(Exception):
    """The server does not take the request as it is.

    :param why: what it says.
    """

    why: str


@asynccontextmanager
async def connected(model: str, options: LanguageModelOptions, *, has_answered: bool) -> AsyncIterator["Connection"]:
    """A connection to the server, for one event loop.

    :param has_answered: it has before: where it is not there, it may come again.
    """
    import openai

    no_telling: Any = {name: openai.Omit() for name in _TOLD_OF_THIS_MACHINE}
    # Of the processor a request takes 0.41 ms so: the client's typed "create" over its default, httpx, takes 1.66 ms.
    # aiohttp saves 0.4; "post", which builds no objects of the answer, 0.7; a body that is JSON already, and no headers
    # that tell the server about this machine, 0.1.
    async with openai.AsyncOpenAI(
        api_key=_key() or "none",
        base_url=_address(options),
        max_retries=0,
        timeout=None,  # ours is of the whole request; the client's would be of each read
        http_client=openai.DefaultAioHttpClient(timeout=None),
        default_headers=no_telling,
    ) as client:
        yield Connection(client, model, options, has_answered)


def _key() -> str:
    return os.environ.get(KEY, "").strip()


def _address(options: LanguageModelOptions) -> str:
    return options.teacher_url or "https://api.openai.com/v1"


def check_access(options: LanguageModelOptions) -> None:
    """Check what can be checked without a request.

    :raises PotstillError: when the client is not installed, or there is no key for OpenAI's own server.
    """
    require("llm", "openai", "aiohttp")
    if not options.teacher_url and not _key():
        raise PotstillError(
            f"no key for OpenAI's server: set the variable {KEY}, or name another server with --teacher_url"
        )
    if not (_key() or "").isascii():
        raise PotstillError(f"the variable {KEY} has a character in it that no key has: set the right key")


class Connection:
    """Sends requests."""

    def __init__(self, client: Any, model: str, options: LanguageModelOptions, has_answered: bool) -> None:
        self._client = client
        self._model = model
        self._options = options
        self._url = _address(options).rstrip("/") + _PATHS[options.teacher_api]
        self._timeout = options.teacher_timeout
        self._server = options.teacher_url or "OpenAI's server"
        self._has_answered = has_answered

    async def send(self, body: dict[str, Any]) -> Answer:
        """The answer to a request.

        :raises BusyError: when it may be sent again.
        :raises NoAnswerError: when it is of no use to send this text again.
        :raises UnsupportedError: when the server does not know a field of it.
        :raises PotstillError: when no request would have an answer.
        """
        import openai

        if not self._has_answered:
            check_access(self._options)
        try:
            async with asyncio.timeout(self._timeout):
                payload = await self._client.post(self._url, content=json.dumps(body).encode(), cast_to=object)
            answer = read_answer(payload)
        except TimeoutError:
            raise BusyError(f"no answer within {self._timeout:g} s") from None
        except HalfAnswerError as error:
            raise BusyError(str(error)) from None
        except openai.APIStatusError as error:
            raise self._of_status(error) from None
        except openai.APIConnectionError as error:
            raise self._of_connection(error) from None
        except (openai.APIError, ValueError) as error:  # the second: JSON that is cut short
            raise BusyError(f"half an answer ({reason(error)})") from None
        self._has_answered = True
        return answer

    def _of_status(self, error: Any) -> Exception:
        """What a status other than 200 means."""
        status, said = int(error.status_code), _said(error)
        code = str(error.code or "")
        if status in (401, 403):
            given = "is refused" if _key() else "is not set, and the server asks for one"
            return PotstillError(f"{self._server}: {KEY} {given} ({status}): {said}; set the right key")
        if status == 404:
            return PotstillError(
                f"{self._server}: no model '{self._model}', or no {self._url} (404): {said}; "
                "see its list of models, and --teacher_url, which often ends in /v1"
            )
        if code in _NO_MONEY or status == 402:
            return PotstillError(f"{self._server}: there is no money left for the key in {KEY} ({status}): {said}")
        if status == 413 or (status in (400, 422) and (code == "context_length_exceeded" or _TOO_LONG.search(said))):
            return NoAnswerError(f"too long: {said}")
        if status == 400 and "content_filter" in code:
            return NoAnswerError(f"refused: {said}")
        if status in (400, 422) or (status >= 500 and _OF_A_FIELD.search(said)):
            return UnsupportedError(said)
        if status in (408, 409, 425, 429) or status >= 500:
            return BusyError(f"status {status}: {said}", _wait(error.response.headers), is_limit=status == 429)
        return PotstillError(f"{self._server}: status {status}: {said}")

    def _of_connection(self, error: BaseException) -> Exception:
        import aiohttp

        causes = [error]
        while causes[-1].__cause__ is not None:
            causes.append(causes[-1].__cause__)
        for cause in causes:
            if isinstance(cause, aiohttp.ClientConnectorError) and not self._has_answered:
                why = reason(cause.os_error)
                return PotstillError(f"{self._server}: no server there ({why}); start it, or correct --teacher_url")
        why = next((reason(cause) for cause in causes if isinstance(cause, aiohttp.ClientError)), reason(error))
        return BusyError(f"connection lost ({why})")


def _said(error: Any) -> str:
    """What the server says of an error, on one line."""
    body = error.body
    message = body.get("message") if isinstance(body, dict) else body
    return shown(message or error.message)


def _wait(headers: Any) -> float | None:
    """The seconds of ``Retry-After``, which may be a date."""
    value = str(headers.get("retry-after", "")).strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return max(seconds, 0.0) if seconds < float("inf") else None
