"""New texts from given ones: tagged in several processes, sampled part by part, the same whatever their number."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from potstill.augment.replaceable import Form
from potstill.augment.sampling import Corpus, Kind, Rules, build_corpus, own_round, render, sample_round
from potstill.augment.tagging import Pool, analyse_texts
from potstill.corpus.streams import Seen
from potstill.errors import PotstillError
from potstill.progress import Progress, silent

_CHUNK = 1000  # texts of one random stream: fixed, so that the number of processes does not change the result


class NewText(NamedTuple):
    """A text that augmentation gives.

    :param source: the number of the text that it was made from.
    :param kind: what was done to that one.
    """

    source: int
    text: str
    kind: Kind


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
    rounds: NDArray[np.int64] | None = None,
) -> Iterator[NewText]:
    """Each text itself and what is sampled from it, without duplicates, in the texts' order.

    :param rounds: how many new texts are sampled from each text, int64 ``[n_texts]``; default: as the rules say.
    :param analyzer: a name in ``ANALYZERS``, with a model after a colon where it takes one.
    :param form: how they are written, see :func:`potstill.augment.replaceable.make_replaceable`.
    :param seed: the same seed gives the same texts, whatever ``processes`` or ``pool``.
    :param processes: that tag; sampling is one thread's work of seconds.
    :param pool: where tagging is done instead, see :func:`potstill.augment.tagging.analyse_texts`.
    :raises PotstillError: when there is no such analyzer, or the seed is negative.
    """
    if seed < 0:
        raise PotstillError(f"--seed={seed}: must not be negative")
    analysed = analyse_texts(texts, analyzer, form=form, processes=processes, pool=pool, progress=progress)
    # In this process alone: one thread samples 235,000 texts a second (SST-2); tagging is nine tenths of the time.
    yield from sample_texts(build_corpus(analysed, rules), rules, seed, progress, rounds)


def sample_texts(
    corpus: Corpus,
    rules: Rules,
    seed: int,
    progress: Progress = silent,
    rounds: NDArray[np.int64] | None = None,
) -> Iterator[NewText]:
    """Each text of a corpus and what is sampled from it, as :func:`augment` gives them."""
    seen = Seen()
    rounds = np.full(len(corpus), rules.n_rounds) if rounds is None else rounds
    n_rounds = int(rounds.max(initial=0))
    with progress("sampling", len(corpus)) as bar:
        for start in range(0, len(corpus), _CHUNK):
            chunk = slice(start, min(start + _CHUNK, len(corpus)))
            sampled = _sample(corpus, chunk, rules, n_rounds, np.random.default_rng([seed, start]))
            # One object a text only as it is given away: kept in lists, they would keep the garbage collector busy.
            texts, kinds = (list(chain.from_iterable(zip(*column, strict=True))) for column in sampled)
            is_asked = (np.arange(1 + n_rounds) <= rounds[chunk, None]).ravel()  # a text's rounds follow one another
            texts = [text if is_wanted else "" for text, is_wanted in zip(texts, is_asked.tolist(), strict=True)]
            is_new = seen.add(texts) & np.array([bool(text) for text in texts], dtype=np.bool_)
            for place in np.flatnonzero(is_new).tolist():
                yield NewText(start + place // (1 + n_rounds), texts[place], kinds[place])
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
    analysed = analyse_texts(texts, analyzer, form=form, processes=processes, pool=pool, progress=progress)
    corpus = build_corpus(analysed, rules)
    whole = slice(0, len(corpus))
    return render(corpus, whole, own_round(corpus, whole))


def _sample(
    corpus: Corpus, chunk: slice, rules: Rules, n_rounds: int, generator: np.random.Generator
) -> tuple[list[list[str]], list[list[Kind]]]:
    """Of each round the chunk's texts and their kinds; the first round is the texts themselves."""
    texts, kinds = [], []
    for number in range(1 + n_rounds):
        sampled = sample_round(corpus, chunk, rules, generator) if number else own_round(corpus, chunk)
        texts.append(render(corpus, chunk, sampled))
        kinds.append(sampled.kinds)
    return texts, kinds
