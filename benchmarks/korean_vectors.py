"""Word vectors from your own Korean text without labels: word2vec on the morphemes of an analyzer.

    pip install gensim "potstill[korean]"
    python benchmarks/korean_vectors.py --texts train.txt unlabelled.txt --analyzer mecab --out mecab-100.txt

The file is what ``--embedding_path`` takes; its words are in order of frequency. One thread, so that the same texts and
seed give the same vectors.
"""

from dataclasses import dataclass
from pathlib import Path

import tyro

from potstill.corpus.lines import read_lines
from potstill.runtime.threads import available_cpus
from potstill.training.encoding import split_morphemes


@dataclass(frozen=True)
class Options:
    """Train word vectors."""

    texts: tuple[Path, ...]
    """Files with a text a line, or text<TAB>label: the label is ignored."""
    out: Path
    """The text file of the vectors, in the form of word2vec."""
    analyzer: str = "mecab"
    """What splits the texts: kiwi, mecab or khaiii."""
    width: int = 100
    """Numbers of a vector."""
    epochs: int = 5
    """Passes over the texts."""
    min_count: int = 5
    """How often a morpheme must occur to get a vector."""
    seed: int = 42
    """Of the first vectors and of what is drawn by chance."""


def main(options: Options) -> None:
    """Split, train, write."""
    try:
        from gensim.models import Word2Vec
    except ImportError:
        raise SystemExit("gensim is not installed here: pip install gensim") from None
    texts = [line.split("\t")[0] for file in options.texts for _, line in read_lines(file)]
    split = split_morphemes(texts, options.analyzer, available_cpus())
    model = Word2Vec(
        [text.lower().split() for text in split],
        vector_size=options.width,
        epochs=options.epochs,
        min_count=options.min_count,
        seed=options.seed,
        workers=1,
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    model.wv.save_word2vec_format(str(options.out))
    print(f"{len(texts):,} texts, {len(model.wv):,} morphemes in {options.out}")


if __name__ == "__main__":
    main(tyro.cli(Options))
