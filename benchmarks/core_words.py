"""Whether the native core splits text into the same tokens as ``tokenizer.json`` does in the library ``tokenizers``.

    python benchmarks/core_words.py data/*/train.tsv --lines 1000000 --fuzzed 200000

Lines of the given files, made-up texts and all characters of Unicode are encoded by both, in four kinds of tokenizers:
words in lower case, words as they stand, words cut into pieces, and characters. Their vocabularies are of the texts
themselves, so that most words have an id of their own. The script prints the number of differences and the first ones,
and its exit status is 1 where there are any. tests/core/test_core_words.py does the same on a few thousand texts.
"""

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import tyro
from tokenizers import Tokenizer

from potstill.artifacts import TOKENIZER
from potstill.corpus.characters import build_character_tokenizer
from potstill.corpus.words import build_tokenizer, count_words, text_normalizer
from potstill.export.core_files import write_plan
from potstill.model_folder import ModelFolder
from potstill.runtime.core_graph import find_core
from potstill.students import STUDENTS, wrap_tokenizer

KINDS = ("lower", "cased", "pieces", "characters")
_CHARACTERS = [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
# What decides where words end or how characters are composed: signs of the rules, marks, Hangul, spaces, long s, marks.
_ODD = [
    *"\"'’.,:-_ nNtTsSmMrRdDvVlLeE123ſﬅﬆKİıÅßẞΣςǅ가각",  # noqa: RUF001
    *"\u0301\u0323\u0345\u200b\u00ad\ufeff\u1100\u1161\u11a8\u3000\u0085\x1c\0\u180e\u2028\u2581\u00b9\uff12",
    *("[MASK]", "<unk>", "<pad>", "[", "n't", "mr.", "st.", "U.S.", "##ing"),
]


@dataclass(frozen=True)
class Options:
    """Compare the core's tokens with those of the library."""

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Of text, whose lines are encoded."""
    lines: int = 1_000_000
    """Of all files together, as many of each as there are."""
    fuzzed: int = 100_000
    """Made-up texts."""
    words: int = 60_000
    """Of a vocabulary."""
    seed: int = 0
    """Of what is made up."""


def fuzzed(n: int, seed: int) -> Iterator[str]:
    """Texts of characters that decide where words end, of some scripts, and of all of Unicode."""
    generator = random.Random(seed)
    for _ in range(n):
        choice, size = generator.random(), generator.randint(1, 20)
        if choice < 0.4:
            yield "".join(generator.choices(_ODD, k=size))
        elif choice < 0.7:
            yield "".join(generator.choices(_ODD + generator.choices(_CHARACTERS, k=10), k=size))
        else:
            near = range(0x3000) if generator.random() < 0.8 else range(0xA000, 0xD800)
            yield "".join(map(chr, generator.choices(near, k=size)))


def every_character(together: int = 63) -> Iterator[str]:
    """Texts in which every character of Unicode is once, between letters."""
    for start in range(0, len(_CHARACTERS), together):
        yield "a" + "b".join(_CHARACTERS[start : start + together]) + "n't"


def make_tokenizer(kind: str, texts: Sequence[str], n_words: int) -> Tokenizer:
    """A student's tokenizer of one of :data:`KINDS` with the texts' most frequent words."""
    lower = kind != "cased"
    if kind == "characters":
        counts = Counter[str]()
        for text in texts:
            counts.update(text_normalizer(lower).normalize_str(text))
        frequent = [character for character, _ in counts.most_common(n_words) if not character.isspace()]
        return build_character_tokenizer([*(c for c in frequent if c != "\u2581"), "\u2581\u2581"], lower)
    words = [word for word, _ in count_words(texts, lower).most_common(n_words)]
    if kind == "pieces":
        letters = [*"abcdefghijklmnopqrstuvwxyz", "ing", "ed", "er", "다", "가", "é", "ß"]
        words = [*words[: n_words // 15], *letters, *(f"##{letter}" for letter in letters)]
    return build_tokenizer(words, lower)


def open_in_core(tokenizer: Tokenizer, reads_characters: bool, folder: Path) -> Any:
    """The smallest student with a tokenizer, in the core."""
    student = STUDENTS["char-ngram" if reads_characters else "ngram"]
    sizes: dict[str, Any] = {"embedding_width": 4, "num_labels": 2, "num_buckets": 101, "ngram_width": 4}
    model = student(student.config_class(vocab_size=tokenizer.get_vocab_size(), **sizes))
    wrapped = wrap_tokenizer(tokenizer)
    model.save_pretrained(folder)
    wrapped.save_pretrained(folder)
    write_plan(model, wrapped.backend_tokenizer, folder)
    files = ModelFolder(folder).core_files()
    assert files
    return find_core().Student(*map(str, files))


def differences(kind: str, texts: Sequence[str], n_words: int) -> Iterator[tuple[str, list[str], list[str]]]:
    """Texts whose tokens differ, with those of the library and those of the core."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        core = open_in_core(make_tokenizer(kind, texts, n_words), kind == "characters", folder)
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        unknown = [tokenizer.token_to_id("<unk>") or 0]  # a text without words is one unknown word
        for start in range(0, len(texts), 2000):
            part = list(texts[start : start + 2000])
            for text, encoding in zip(part, tokenizer.encode_batch(part), strict=True):
                expected, found = encoding.ids or unknown, core.encode(text)
                if found != expected:
                    in_library, in_core = ([str(tokenizer.id_to_token(i)) for i in ids] for ids in (expected, found))
                    yield text, in_library, in_core


def read_lines(files: Sequence[Path], n: int) -> Iterator[str]:
    """Lines that are not blank, as many of each file as of the others."""
    for path in files:
        with path.open(encoding="utf-8") as file:
            yield from islice((line.rstrip("\n") for line in file if line.strip()), n // len(files))


def main(options: Options) -> int:
    """Print the table."""
    lines = list(read_lines(options.files, options.lines))
    texts = [*lines, *fuzzed(options.fuzzed, options.seed), *every_character()]
    print(f"{len(lines):,} lines of {len(options.files)} files, {len(texts) - len(lines):,} made-up texts")
    n_all = 0
    for kind in KINDS:
        found = list(differences(kind, texts, options.words))
        n_all += len(found)
        print(f"{kind:<12}{len(found):>9,} differences", flush=True)
        for text, expected, got in found[:10]:
            print(f"  {text[:100]!r}\n    tokenizer.json  {expected[:12]}\n    core            {got[:12]}")
    return int(n_all > 0)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, config=(tyro.conf.OmitArgPrefixes,))))
