"""Augment: many new texts from each labelled text, for the teacher to label."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from potstill.augment.augmentation import augment, rewrite
from potstill.augment.sampling import Rules
from potstill.corpus.columns import Columns
from potstill.corpus.examples import UNLABELLED, Example, read_examples
from potstill.errors import PotstillError
from potstill.labelling import POOLS, Engine
from potstill.morphology import is_morphological
from potstill.outputs import check_apart, is_standard_output, text_output
from potstill.progress import Progress, silent
from potstill.runtime.threads import available_cpus


@dataclass(frozen=True)
class AugmentOptions:
    """Make new texts from labelled ones: mask words, replace them by their part of speech, mask n-grams."""

    input: Path
    """Labelled texts (.txt, .tsv, .csv, .jsonl or .parquet)."""
    output: Path
    """The new texts and the texts themselves, text<TAB>label a line, without duplicates."""
    columns: Annotated[Columns, tyro.conf.arg(name="")] = field(default_factory=Columns)
    analyzer: str = "spacy"
    """What splits and tags the texts: spacy, spacy:PIPELINE, for Korean kiwi, mecab or khaiii, or whitespace (no tags:
    nothing is replaced)."""
    no_analyzer: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """The same as --analyzer=whitespace."""
    form: Literal["auto", "natural", "split"] = "auto"
    """How texts are written: natural, with their own spacing, for a teacher of natural text; or split, their words (in
    Korean their morphemes) separated by spaces. auto: split with a Korean analyzer, as in the recipe, else natural."""
    augment: bool = True
    """Sample new texts. With --no-augment only the texts themselves are written, all in order and in that form."""
    preserve_label: bool = False
    """Write each text's label instead of 'dummy'."""
    parallel: bool = False
    """Tag in as many processes as there are processors; the output is the same."""
    processes: int = 0
    """How many processes tag; 0: one, or as --parallel says. The output is the same."""
    engine: Engine = "local"
    """Where text is tagged: here, or on a Ray cluster, see potstill distill; the output is the same."""
    seed: int = 42
    """The same seed gives the same texts."""
    rules: Annotated[Rules, tyro.conf.arg(name="")] = field(default_factory=Rules)

    def __post_init__(self) -> None:
        if self.no_analyzer and self.analyzer not in ("spacy", "whitespace"):
            raise PotstillError(f"--no_analyzer and --analyzer={self.analyzer}: give one of them")


@dataclass(frozen=True)
class Augmented:
    """What augmentation wrote.

    :param path: the file.
    :param n_sources: the texts read.
    :param n_texts: the texts written.
    """

    path: Path
    n_sources: int
    n_texts: int

    def __str__(self) -> str:
        if is_standard_output(self.path):
            return ""  # it holds the texts and nothing else
        return f"{self.path}: {self.n_texts} texts from {self.n_sources}"


def augment_data(options: AugmentOptions, progress: Progress = silent) -> Augmented:
    """Augment a file.

    :raises PotstillError: for bad data, pairs of texts, or an analyzer that is not installed.
    """
    check_apart(options.output, [options.input])
    examples = read_examples(options.input, options.columns)
    check_single(examples, str(options.input))
    n_texts = 0
    with text_output(options.output) as file:
        for source, text in _new_texts([example.text for example in examples], options, progress):
            label = examples[source].label if options.preserve_label else UNLABELLED
            file.write(f"{' '.join(text.split())}\t{label}\n")
            n_texts += 1
    return Augmented(options.output, len(examples), n_texts)


def _new_texts(texts: list[str], options: AugmentOptions, progress: Progress) -> Iterator[tuple[int, str]]:
    """Pairs: the number of a source text, and a text to write."""
    analyzer = "whitespace" if options.no_analyzer else options.analyzer
    form = options.form
    # The recipe's Korean teacher reads morphemes; a teacher of natural text needs --form=natural.
    if form == "auto":
        form = "split" if is_morphological(analyzer) else "natural"
    tagging: dict[str, Any] = {
        "analyzer": analyzer,
        "form": form,
        "processes": options.processes or (available_cpus() if options.parallel else 1),
        "pool": POOLS[options.engine],
        "progress": progress,
    }
    if not options.augment:
        return iter(enumerate(rewrite(texts, options.rules, **tagging)))
    return ((new.source, new.text) for new in augment(texts, options.rules, seed=options.seed, **tagging))


def check_single(examples: list[Example], source: str) -> None:
    """Check that examples are single texts.

    :raises PotstillError: when they are pairs, which neither augmentation nor students take.
    """
    if examples[0].pair is not None:
        raise PotstillError(f"{source}: pairs of texts: augmentation and students take single texts only")
