"""What a text becomes: the messages of a chat or the beginning of a completion, in each order of the labels."""

import json
import random
import string
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

from potstill.artifacts import hash_json
from potstill.corpus.label_file import LabelDescription, LabelFile
from potstill.corpus.texts import Text
from potstill.teachers.language_model.options import Api

Mode = Literal["logprobs", "json"]
Messages = list[dict[str, str]]

LETTERS = string.ascii_uppercase + string.ascii_lowercase  # each is one token to every model
_OF_TEXTS = "Read the text and decide which one of these labels fits it best."
_OF_PAIRS = "Read the two texts and decide which one of these labels fits them best, taken together."
_ANSWER = {"chat": "", "completions": "\nAnswer:"}


class Prompt:
    """The prompts of a task.

    :param shots: texts with their labels, shown before the text in question.
    :param of_pairs: whether the texts are pairs.
    """

    def __init__(
        self, labels: LabelFile, shots: Sequence[tuple[Text, str]], api: Api, *, of_pairs: bool = False
    ) -> None:
        self.labels = labels
        self.api = api
        own: list[tuple[Text, str]] = [(text, label.name) for label in labels.labels for text in label.examples]
        self._instruction = labels.instruction or (_OF_PAIRS if of_pairs else _OF_TEXTS)
        self._shots = [*own, *shots]

    @cached_property
    def hash(self) -> str:
        """Of all that the prompts depend on besides the text."""
        return hash_json([self.beginning(order, mode) for order in (0, 1) for mode in self._modes])

    @property
    def _modes(self) -> list[Mode]:
        return ["logprobs", "json"] if self.has_letters else ["json"]

    @property
    def has_letters(self) -> bool:
        """Whether there is a letter for each label."""
        return len(self.labels.labels) <= len(LETTERS)

    @cached_property
    def orders(self) -> list[list[int]]:
        """All orders of the labels that can be asked: as given, reversed, then their rotations without a pattern."""
        given = list(range(len(self.labels.labels)))
        turned = [order[k:] + order[:k] for order in (given, given[::-1]) for k in range(1, len(given))]
        random.Random(0).shuffle(turned)
        return list(map(list, dict.fromkeys(map(tuple, [given, given[::-1], *turned]))))

    @cached_property
    def has_names(self) -> bool:
        """Whether one-token answers are the beginnings of the labels' names, and not letters.

        A base model goes on with a word that it has seen in the examples. It hardly goes by a list of letters: with
        four examples of SST-2, Gemma 3 270M is right on 7 of 24 sentences by letters, on 18 by names.
        """
        names = self.labels.names
        firsts = [name.split()[0] for name in names]
        is_apart = not any(one != other and other.startswith(one) for one in firsts for other in firsts)
        return self.api == "completions" and is_apart and len(set(firsts)) == len(names)

    def options(self, order: int) -> list[str]:
        """What one-token answers say, or begin to say: an option for each label, as they are listed in an order."""
        if self.has_names:
            return [self.labels.names[index] for index in self.orders[order]]
        return list(LETTERS[: len(self.labels.names)])

    def option(self, order: int, mode: Mode, label: str) -> str:
        """What an answer is to say for a label."""
        if mode == "json":
            return label
        return self.options(order)[self.orders[order].index(self.labels.names.index(label))]

    def beginning(self, order: int, mode: Mode) -> Messages:
        """The messages before the text: the task and the examples. For completions they are paragraphs."""
        messages = [{"role": "system", "content": self._task(order, mode)}]
        for text, label in self._shots:
            option = self.option(order, mode, label)
            messages.append({"role": "user", "content": self._question(text)})
            messages.append({"role": "assistant", "content": self._example(option, mode)})
        return messages

    def _task(self, order: int, mode: Mode) -> str:
        described = [self.labels.labels[index] for index in self.orders[order]]
        lines = [self._line(self.option(order, mode, label.name), label) for label in described]
        return "\n".join([self._instruction, "", *lines, *self._form(mode, len(described))])

    def _line(self, option: str, label: LabelDescription) -> str:
        described = f"{label.name}: {label.description}" if label.description else label.name
        return f"- {described}" if option == label.name else f"{option}) {described}"

    def _form(self, mode: Mode, n_labels: int) -> list[str]:
        if self.api == "completions":  # the examples show it: a base model does not follow orders
            return []
        if mode == "logprobs":
            return ["", f"Answer with one letter, {LETTERS[0]} to {LETTERS[n_labels - 1]}, and nothing else."]
        return ["", 'Answer with the name of the label as JSON, {"label": "NAME"}, and nothing else.']

    def _example(self, option: str, mode: Mode) -> str:
        if mode == "json" and self.api == "chat":
            return json.dumps({"label": option}, ensure_ascii=False)
        return option

    def _question(self, text: Text) -> str:
        question = f"Text: {text}" if isinstance(text, str) else f"Text 1: {text[0]}\nText 2: {text[1]}"
        if self.api == "completions":  # a line a text, or the model would continue the text
            question = "\n".join(" ".join(line.split()) for line in question.split("\n") if line.strip())
        return question + _ANSWER[self.api]

    def body(self, beginning: Messages, text: Text) -> dict[str, Any]:
        """The part of a request that has the prompt.

        :param beginning: see :meth:`beginning`; the same one for all texts.
        """
        messages = [*beginning, {"role": "user", "content": self._question(text)}]
        return {"messages": messages} if self.api == "chat" else {"prompt": _joined(messages)}

    def shown(self, text: Text, mode: Mode) -> str:
        """The prompt of a text in the first order, to read."""
        body = self.body(self.beginning(0, mode), text)
        if "prompt" in body:
            return str(body["prompt"])
        return "\n\n".join(f"[{message['role']}]\n{message['content']}" for message in body["messages"])


def _joined(messages: Messages) -> str:
    """Messages as one text that ends where the answer begins."""
    parts = []
    for message in messages:
        parts.append(f" {message['content']}\n\n" if message["role"] == "assistant" else message["content"])
        if message["role"] == "system":
            parts.append("\n\n")
    return "".join(parts)
