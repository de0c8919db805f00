"""Tagging and sampling many texts, in several processes with the same result as in one."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from multiprocessing import get_context

import numpy as np

from potstill.augment.analyzers import Analysis, Analyzer, make_analyzer
from potstill.augment.sampling import Corpus, Rules, build_corpus, render, sample_round, sample_windows
from potstill.errors import PotstillError
from potstill.progress import Progress, silent

_CHUNK = 1000  # texts of one task and of one random stream: fixed, so that no number of processes shows


def augment(
    texts: Sequence[str],
    rules: Rules,
    *,
    analyzer: str = "spacy",
    seed: int = 42,
    processes: int = 1,
    progress: Progress = silent,
) -> Iterator[tuple[int, str]]:
    """Each text itself and what is sampled from it, without duplicates, in the texts' order.

    :param analyzer: a name in ``ANALYZERS``, with a model after a colon where it takes one.
    :param seed: the same seed gives the same texts, whatever ``processes``.
    :param processes: that tag; sampling is one thread's work of seconds.
    :return: pairs of the number of the text it comes from and the text.
    :raises PotstillError: when there is no such analyzer, or the seed is negative.
    """
    if seed < 0:
        raise PotstillError(f"--seed={seed}: must not be negative")
    chunks = [slice(start, min(start + _CHUNK, len(texts))) for start in range(0, len(texts), _CHUNK)]
    corpus = build_corpus(_analyze(texts, chunks, analyzer, processes, progress), rules)
    seen: set[str] = set()
    with progress("sampling", len(texts)) as bar:
        for chunk in chunks:
            for source, text in _sample(corpus, chunk, rules, np.random.default_rng([seed, chunk.start])):
                if text and text not in seen:
                    seen.add(text)
                    yield source, text
            bar.update(chunk.stop - chunk.start)


def _analyze(
    texts: Sequence[str], chunks: list[slice], analyzer: str, processes: int, progress: Progress
) -> list[Analysis]:
    _analyzer(analyzer)  # a bad name fails here, once, and not in every process
    parts = [list(texts[chunk]) for chunk in chunks]
    names = [analyzer] * len(chunks)
    analyses: list[Analysis] = []
    with progress("tagging", len(texts)) as bar:
        if min(processes, len(chunks)) <= 1:
            for found in map(_analyze_chunk, names, parts):
                analyses += found
                bar.update(len(found))
            return analyses
        # spawn: a forked child would inherit locks that tokenizers' and torch's threads hold
        with _one_line(), ProcessPoolExecutor(min(processes, len(chunks)), get_context("spawn")) as pool:
            for found in pool.map(_analyze_chunk, names, parts):
                analyses += found
                bar.update(len(found))
    return analyses


@contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:
        raise PotstillError(
            "a process that tags text ended before its work was done: out of memory, killed, or called from a script "
            "without the line if __name__ == '__main__': (add it, or use one process)"
        ) from None


@cache
def _analyzer(name: str) -> Analyzer:
    return make_analyzer(name)


def _analyze_chunk(name: str, texts: list[str]) -> list[Analysis]:
    return list(_analyzer(name)(texts))


def _sample(corpus: Corpus, chunk: slice, rules: Rules, generator: np.random.Generator) -> Iterator[tuple[int, str]]:
    """The chunk's texts, each followed by its samples."""
    words = slice(corpus.offsets[chunk.start], corpus.offsets[chunk.stop])
    rounds = [render(corpus, chunk, corpus.word_ids[words], np.zeros(words.stop - words.start, dtype=np.bool_))]
    for _ in range(rules.n_iter):
        new, changed = sample_round(corpus, chunk, rules, generator)
        kept = sample_windows(corpus, chunk, new, rules, generator) if rules.p_window else None
        rounds.append(render(corpus, chunk, new, changed, kept))
    for number in range(chunk.stop - chunk.start):
        for texts in rounds:
            yield chunk.start + number, texts[number]
