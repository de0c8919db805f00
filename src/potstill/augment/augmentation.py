"""New texts from given ones: tagged in several processes, sampled part by part, the same whatever their number."""

from collections.abc import Iterator, Sequence

import numpy as np

from potstill.augment.replaceable import Form
from potstill.augment.sampling import Corpus, Rules, build_corpus, render, sample_round, sample_windows
from potstill.augment.tagging import Pool, analyse_texts
from potstill.corpus.streams import Seen
from potstill.errors import PotstillError
from potstill.progress import Progress, silent

_CHUNK = 1000  # texts of one random stream: fixed, so that no number of processes shows


def augment(
    texts: Sequence[str],
    rules: Rules,
    *,
    analyzer: str = "spacy",
    form: Form = "natural",
    seed: int = 42,
    processes: int = 1,
    pool: Pool | None = None,
    progress: Progress = silent,
) -> Iterator[tuple[int, str]]:
    """Each text itself and what is sampled from it, without duplicates, in the texts' order.

    :param analyzer: a name in ``ANALYZERS``, with a model after a colon where it takes one.
    :param form: how they are written, see :func:`potstill.augment.replaceable.make_replaceable`.
    :param seed: the same seed gives the same texts, whatever ``processes`` or ``pool``.
    :param processes: that tag; sampling is one thread's work of seconds.
    :param pool: where tagging is done instead, see :func:`potstill.augment.tagging.analyse_texts`.
    :return: pairs of the number of the text it comes from and the text.
    :raises PotstillError: when there is no such analyzer, or the seed is negative.
    """
    if seed < 0:
        raise PotstillError(f"--seed={seed}: must not be negative")
    analyses = analyse_texts(texts, analyzer, form=form, processes=processes, pool=pool, progress=progress)
    yield from sample_texts(build_corpus(analyses, rules), rules, seed, progress)


def sample_texts(corpus: Corpus, rules: Rules, seed: int, progress: Progress = silent) -> Iterator[tuple[int, str]]:
    """Each text of a corpus and what is sampled from it, as :func:`augment` gives them."""
    seen = Seen()
    with progress("sampling", len(corpus)) as bar:
        for start in range(0, len(corpus), _CHUNK):
            chunk = slice(start, min(start + _CHUNK, len(corpus)))
            found = [pair for pair in _sample(corpus, chunk, rules, np.random.default_rng([seed, start])) if pair[1]]
            new = seen.add([text for _, text in found])
            yield from (found[i] for i in np.flatnonzero(new))
            bar.update(chunk.stop - start)


def rewrite(
    texts: Sequence[str],
    rules: Rules,
    *,
    analyzer: str = "spacy",
    form: Form = "natural",
    processes: int = 1,
    pool: Pool | None = None,
    progress: Progress = silent,
) -> list[str]:
    """The texts themselves, in order, each as :func:`augment` would write it."""
    analyses = analyse_texts(texts, analyzer, form=form, processes=processes, pool=pool, progress=progress)
    corpus = build_corpus(analyses, rules)
    return render(corpus, slice(0, len(corpus)), corpus.word_ids, np.zeros(len(corpus.word_ids), dtype=np.bool_))


def _sample(corpus: Corpus, chunk: slice, rules: Rules, generator: np.random.Generator) -> Iterator[tuple[int, str]]:
    """The chunk's texts, each followed by its samples."""
    words = slice(corpus.offsets[chunk.start], corpus.offsets[chunk.stop])
    rounds = [render(corpus, chunk, corpus.word_ids[words], np.zeros(words.stop - words.start, dtype=np.bool_))]
    for _ in range(rules.n_iter):
        new, changed = sample_round(corpus, chunk, rules, generator)
        kept = sample_windows(corpus, chunk, new, rules, generator) if rules.p_window else None
        rounds.append(render(corpus, chunk, new, changed, kept))
    for number, texts in enumerate(zip(*rounds, strict=True), start=chunk.start):
        for text in texts:
            yield number, text
