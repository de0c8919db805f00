"""What a server understands of the API: found with the first request, and the form that requests have then."""

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from potstill.errors import PotstillError
from potstill.teachers.language_model.options import Api
from potstill.teachers.language_model.prompts import Mode

_MOST_TOP = 20  # the likeliest tokens that a server gives at most
_REASONING = 2048  # tokens of an answer by a model that thinks first


@dataclass(frozen=True)
class Dialect:
    """How a server is asked.

    :param mode: whether probabilities of letters are asked for, or JSON.
    :param is_free: whether another mode may be tried.
    :param top: how many of the likeliest tokens are asked for.
    :param schema: in which form it takes a schema that answers are held to; "" where in none.
    """

    mode: Mode
    is_free: bool
    api: Api = "chat"
    top: int = _MOST_TOP
    schema: Literal["json_schema", "json_object", ""] = "json_schema"
    has_temperature: bool = True
    has_seed: bool = True
    has_max_tokens: bool = True

    def adapted(self, complaint: str) -> "Dialect":
        """The dialect of a server that has refused a field of this one.

        :param complaint: what it said.
        :raises PotstillError: when nothing else can be tried.
        """
        said = complaint.lower()
        if "max_completion_tokens" in said and self.has_max_tokens:
            return replace(self, has_max_tokens=False)
        if "logprobs" in said and self.mode == "logprobs":
            if self.top == _MOST_TOP and re.search(r"\b5\b", said):
                return replace(self, top=5)
            return self.without_logprobs(complaint)
        if re.search(r"response_format|json_schema|schema|grammar|guided", said) and self.schema:
            # llama-cpp-python takes a schema in the second form alone; others go on to none
            return replace(self, schema="json_object" if self.schema == "json_schema" else "")
        if "temperature" in said and self.has_temperature:
            return replace(self, has_temperature=False)
        if "seed" in said and self.has_seed:
            return replace(self, has_seed=False)
        raise PotstillError(f"the teacher's server refuses the request: {complaint}")

    def without_logprobs(self, why: str = "they are not in its answer") -> "Dialect":
        """The dialect of a server that gives no log-probabilities.

        :raises PotstillError: when they were asked for, or earlier answers of this teacher have them.
        """
        if not self.is_free:
            raise PotstillError(
                f"the teacher's server gives no logprobs ({why}): start it so that it does, or give "
                "--teacher_answers json"
            )
        return replace(self, mode="json")

    def fields(self, *, longest: int, schema: dict[str, Any], temperature: float, seed: int) -> dict[str, Any]:
        """The fields of a request besides model and prompt.

        :param longest: tokens that an answer needs at most.
        :param schema: that answers are held to, in JSON mode.
        """
        n_tokens = longest if self.has_max_tokens else max(longest, _REASONING)
        fields: dict[str, Any] = {"max_tokens" if self.has_max_tokens else "max_completion_tokens": n_tokens}
        if self.has_temperature:
            fields["temperature"] = temperature
        if self.has_seed and temperature:
            fields["seed"] = seed
        if self.mode == "logprobs":
            fields |= {"logprobs": True, "top_logprobs": self.top} if self.api == "chat" else {"logprobs": self.top}
        elif self.api == "completions":
            fields["stop"] = ["\n"]
        elif self.schema == "json_schema":
            form = {"name": "label", "strict": True, "schema": schema}
            fields["response_format"] = {"type": self.schema, "json_schema": form}
        elif self.schema:
            fields["response_format"] = {"type": self.schema, "schema": schema}
        return fields

    def __str__(self) -> str:
        if self.mode == "logprobs":
            return f"logprobs (the {self.top} likeliest tokens)"
        return "JSON" if self.api == "chat" and self.schema else "labels in words"


def label_schema(names: list[str]) -> dict[str, Any]:
    """The schema of a JSON answer: an object with one of these labels."""
    return {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": names}},
        "required": ["label"],
        "additionalProperties": False,
    }
