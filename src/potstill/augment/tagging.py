"""Analysing many texts: in several processes, in bounded memory, and none twice, for what is found is kept on disk."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial
from multiprocessing import get_context

from potstill.augment.analyzers import make_analyzer
from potstill.augment.replaceable import Analysis, Form, analyse
from potstill.cache import Cache, open_cache
from potstill.corpus.analysis import Analyzer, Token
from potstill.corpus.streams import in_parts
from potstill.errors import PotstillError
from potstill.morphology import compose, is_morphological
from potstill.progress import Progress, silent

_CHUNK = 1000  # texts of one task
_AHEAD = 4  # tasks a process, so that none waits for the parent
_TOKENS = "tokens-1"  # another number when an analyzer's tokens change otherwise than by its version

Found = Callable[[], list[list[Token]]]
Submit = Callable[[list[str]], Found]
Pool = Callable[[str], AbstractContextManager[tuple[Submit, int]]]
"""From an analyzer's name to what hands it texts somewhere, and how many parts it works on at once."""


def analyse_texts(
    texts: Iterable[str],
    analyzer: str,
    *,
    form: Form = "natural",
    processes: int = 1,
    pool: Pool | None = None,
    progress: Progress = silent,
) -> Iterator[Analysis]:
    """Analyse texts, in order.

    :param texts: they need not fit into memory.
    :param analyzer: a name in ``ANALYZERS``, with a model after a colon where it takes one.
    :param form: what their words are and how they are put back together, see :func:`analyse`.
    :param pool: where they are tagged; default: in ``processes`` processes of this machine.
    :raises PotstillError: when there is no such analyzer.
    """
    glued = is_morphological(analyzer)
    version = _analyzer(analyzer).version  # a bad name fails here, once, and not in every process
    n_texts = len(texts) if isinstance(texts, Sized) else 0
    if n_texts:
        processes = min(processes, -(-n_texts // _CHUNK))
    parts = in_parts(map(compose, texts) if glued else texts, _CHUNK)
    with (
        progress("tagging", n_texts) as bar,
        open_cache(f"{_TOKENS}-{analyzer}", version) as known,
        (pool or partial(_processes, n_processes=processes))(analyzer) as (submit, n_workers),
    ):
        for part, found in _tag(parts, known, submit, _AHEAD * n_workers):
            yield from (analyse(text, tokens, form, glued) for text, tokens in zip(part, found, strict=True))
            bar.update(len(part))


def _tag(
    parts: Iterable[Sequence[str]], known: Cache, submit: Submit, ahead: int
) -> Iterator[tuple[Sequence[str], list[list[Token]]]]:
    """The tokens of each part's texts, in order; ``ahead`` parts are submitted before the first is waited for."""
    waiting: deque[Callable[[], tuple[Sequence[str], list[list[Token]]]]] = deque()
    for part in parts:
        old = known.look_up(part)
        new = [text for text in dict.fromkeys(part) if text not in old]
        waiting.append(partial(_collect, part, old, new, submit(new) if new else list, known))
        if len(waiting) > ahead:
            yield waiting.popleft()()
    while waiting:
        yield waiting.popleft()()


def _collect(
    part: Sequence[str], old: dict[str, list[list[object]]], new: list[str], found: Found, known: Cache
) -> tuple[Sequence[str], list[list[Token]]]:
    tokens = {text: [Token(*token) for token in entry] for text, entry in old.items()}  # type: ignore[arg-type]
    fresh = dict(zip(new, found(), strict=True))
    known.store(fresh)
    tokens |= fresh
    return part, [tokens[text] for text in part]


@contextmanager
def _processes(analyzer: str, n_processes: int) -> Iterator[tuple[Submit, int]]:
    """The pool of this process alone, where nothing is done ahead, or of several."""
    if n_processes <= 1:
        yield lambda texts: partial(tag_part, analyzer, texts), 0
        return
    try:
        # spawn: a forked child would inherit locks that tokenizers' and torch's threads hold
        with ProcessPoolExecutor(n_processes, get_context("spawn")) as pool:
            yield lambda texts: pool.submit(tag_part, analyzer, texts).result, n_processes
    except BrokenProcessPool:
        raise PotstillError(
            "a process that tags text ended before its work was done: out of memory, killed, or called from a script "
            "without the line if __name__ == '__main__': (add it, or use one process)"
        ) from None


@cache
def _analyzer(name: str) -> Analyzer:
    return make_analyzer(name)


def tag_part(analyzer: str, texts: list[str]) -> list[list[Token]]:
    """The tokens of some texts; a process loads an analyzer once."""
    return list(_analyzer(analyzer)(texts))
