"""Black boxes: teachers that are only asked, neither fine-tuned nor deployed. The registry, by how names begin."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from potstill.corpus.label_file import LabelFile, find_labels, from_names
from potstill.corpus.texts import Text
from potstill.errors import PotstillError
from potstill.teachers import Teacher
from potstill.teachers.language_model.options import LanguageModelOptions

LANGUAGE_MODEL: Final = "openai"
PYTHON: Final = "python"  # begins the name of a teacher that a Python caller gave as an object
TEMPLATE: Final = "This text is about {}."
READ_PAIRS: Final = (LANGUAGE_MODEL, PYTHON)  # that take pairs of texts too
DESCRIBED: Final = (LANGUAGE_MODEL, "nli")  # whose labels the user describes


@dataclass(frozen=True)
class Told:
    """What a black box is told of the task.

    :param labels: the data's, in order; None where there is no labelled data.
    :param described: what ``--labels`` gives: a file, or names with commas between them; ``""``: nothing.
    :param hypothesis: of ``nli:``, with ``{}`` where a label's description goes.
    :param takes_pairs: whether the texts are pairs.
    :param examples: labelled texts, or pairs of texts, of which a language model is shown some.
    :param seed: of the choice.
    """

    labels: list[str] | None
    described: str = ""
    hypothesis: str = TEMPLATE
    language_model: LanguageModelOptions = field(default_factory=LanguageModelOptions)
    takes_pairs: bool = False
    examples: Sequence[tuple[Text, str]] = ()
    seed: int = 42

    def label_file(self, source: str) -> LabelFile:
        """The labels with their descriptions, in the data's order.

        :param source: the teacher, to name in an error.
        :raises PotstillError: when nothing says what the labels are, or the data has others.
        """
        if self.described:
            file = find_labels(self.described)
            try:
                return file if self.labels is None else file.ordered(self.labels)
            except PotstillError as error:
                raise PotstillError(f"--labels={self.described}: {error}") from None
        if self.labels is None:
            raise PotstillError(
                f"{source}: which labels may it give? Name them: --labels name,name,... or --labels FILE.toml"
            )
        return from_names(self.labels)


def _open_language_model(source: str, told: Told) -> Teacher:
    from potstill.teachers.language_model import draw_shots, open_language_model

    labels, options = told.label_file(source), told.language_model
    texts, gold = [text for text, _ in told.examples], [label for _, label in told.examples]
    if any(isinstance(text, str) == told.takes_pairs for label in labels.labels for text in label.examples):
        kinds = ("a single text", "a pair of texts")
        form = '["one text", "the other"]' if told.takes_pairs else '"a text"'
        raise PotstillError(
            f"--labels={told.described}: an example is {kinds[not told.takes_pairs]}, and what is labelled "
            f"{kinds[told.takes_pairs]}: write each example as {form}"
        )
    shots = draw_shots(texts, gold, options.n_shots(len(labels.names)), told.seed) if texts else []
    return open_language_model(_name(source), labels, options, shots=shots, of_pairs=told.takes_pairs)


def _open_skops(source: str, told: Told) -> Teacher:
    from potstill.teachers.skops_file import open_skops

    return open_skops(Path(_name(source)), told.labels)


def _open_nli(source: str, told: Told) -> Teacher:
    from potstill.teachers.nli import open_nli

    labels = told.label_file(source).labels
    return open_nli(_name(source), [(label.name, label.description) for label in labels], told.hypothesis)


def _open_head(source: str, told: Told) -> Teacher:
    from potstill.teachers.head import open_head

    return open_head(Path(source), told.labels)


BLACK_BOXES: dict[str, Callable[[str, Told], Teacher]] = {
    LANGUAGE_MODEL: _open_language_model,
    "skops": _open_skops,
    "nli": _open_nli,
}
"""Openers by what a teacher's name begins with, before a colon."""


def is_black_box(source: str) -> bool:
    """Whether a teacher is a black box."""
    return _kind(source) in (*BLACK_BOXES, PYTHON) or _is_head(source)


def asks_for_money(source: str) -> bool:
    """Whether each text that a teacher labels may cost money."""
    return _kind(source) == LANGUAGE_MODEL


def check_kind_of_texts(source: str, *, paired: bool) -> None:
    """Check that a black box takes the texts that it would be asked for.

    :param paired: whether they are pairs.
    :raises PotstillError: when they are, and it reads single texts.
    """
    if paired and _kind(source) not in READ_PAIRS:
        raise PotstillError(
            f"--teacher={source}: reads single texts, and these are pairs: give a transformer, a language model "
            f"({LANGUAGE_MODEL}:MODEL), or in Python a function of pairs"
        )


def open_black_box(source: str, told: Told) -> Teacher:
    """A black box that is ready to be asked.

    :param source: a name of :data:`BLACK_BOXES` with what is behind its colon, or a folder with a head.
    :raises PotstillError: when there is none, or it has other labels than the data.
    """
    if _is_head(source):
        return _open_head(source, told)
    if _kind(source) == PYTHON:
        raise PotstillError(
            f"--teacher={source}: an object of Python, which no command line can give: potstill.distill can"
        )
    if told.described and _kind(source) not in DESCRIBED:
        raise PotstillError(f"--labels: {source} says itself what its labels are; leave it out")
    if not _name(source):
        raise PotstillError(f"--teacher={source}: what model? Give its name or file behind the colon")
    return BLACK_BOXES[_kind(source)](source, told)


def _kind(source: str) -> str:
    kind, sign, _ = source.partition(":")
    return kind if sign else ""


def _name(source: str) -> str:
    return source.partition(":")[2]


def _is_head(source: str) -> bool:
    from potstill.teachers.head import has_head

    return has_head(Path(source))
