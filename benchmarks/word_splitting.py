"""What a student loses when text is split at white space instead of as it was trained: the reference's mistake.

    python benchmarks/word_splitting.py --data DIR --student STUDENT

The reference trains on a tagger's words and predicts on white-space ones. Here one student reads a test set three
ways: split as it was trained; split at white space; and split at white space after its words were put back together
as people type them ("do n't" -> "don't", "film ." -> "film."), which a set that comes split never shows.
"""

import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import WhitespaceSplit

import potstill
from potstill.artifacts import TOKENIZER
from potstill.corpus.examples import read_examples
from potstill.corpus.splits import find_split
from potstill.corpus.words import UNK_ID


@dataclass(frozen=True)
class Options:
    """Measure what another word splitter costs."""

    data: Path
    """Folder with a test file."""
    student: Path
    """A student's folder."""


def as_typed(text: str) -> str:
    """Put split English back together: contractions, punctuation, brackets."""
    text = re.sub(r"\bca n't\b", "can't", text)
    text = re.sub(r" (n't|'s|'re|'ve|'ll|'d|'m)\b", r"\1", text)
    text = re.sub(r" ([,.!?;:%)\]])", r"\1", text)
    return re.sub(r"([(\[$#]) ", r"\1", text)


def split_at_spaces(student: Path, folder: Path) -> Path:
    """A copy of a student that splits text at white space."""
    shutil.copytree(student, folder)
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.save(str(folder / TOKENIZER))
    return folder


def unknown(student: Path, texts: Sequence[str]) -> float:
    """The share of words that a student does not know."""
    tokenizer = Tokenizer.from_file(str(student / TOKENIZER))
    tokenizer.no_truncation()
    ids = np.concatenate([encoding.ids for encoding in tokenizer.encode_batch(list(texts))])
    return float(np.mean(ids == UNK_ID))


def main(options: Options) -> None:
    """Print the table."""
    examples = read_examples(find_split(options.data, "test"))
    texts = [example.text for example in examples]
    typed = [as_typed(text) for text in texts]
    labels = np.array([example.label for example in examples], dtype=object)
    with tempfile.TemporaryDirectory() as work:
        spaces = split_at_spaces(options.student, Path(work) / "student")
        rows = [
            ("as it comes, as trained", options.student, texts),
            ("as it comes, at white space", spaces, texts),
            ("as typed, as trained", options.student, typed),
            ("as typed, at white space", spaces, typed),
        ]
        for name, folder, inputs in rows:
            accuracy = float((potstill.load(folder).predict(inputs) == labels).mean())
            print(f"{name:<30}{100 * accuracy:>8.2f} accuracy{100 * unknown(folder, inputs):>8.2f} % unknown words")


if __name__ == "__main__":
    main(tyro.cli(Options))
