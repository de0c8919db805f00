"""Analysing many texts: in several processes, in bounded memory, each once: the tokens are kept on disk."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial
from multiprocessing import get_context

from potstill.augment.analyzers import make_analyzer
from potstill.augment.replaceable import Form, ReplaceableText, make_replaceable
from potstill.cache import Cache, open_cache
from potstill.corpus.analysis import Analyzer, Token
from potstill.corpus.streams import in_parts
from potstill.ending import end_with_parent, while_wanted
from potstill.errors import PotstillError
from potstill.progress import Progress, silent

_CHUNK = 1000  # texts of one task
_AHEAD = 4  # tasks a process, so that none waits for the parent
_TOKENS = "tokens-1"  # another number when an analyzer's tokens change otherwise than by its version

Tagged = list[list[Token]]
"""The tokens of each of some texts."""
Submit = Callable[[list[str]], Callable[[], Tagged]]
"""Begins to tag some texts; the function that it returns waits for their tokens."""
Pool = Callable[[str], AbstractContextManager[tuple[Submit, int]]]
"""Opens workers for an analyzer, by its name; gives how to submit texts to them and how many parts they tag at once."""


def analyse_texts(
    texts: Iterable[str],
    analyzer: str,
    *,
    form: Form = "natural",
    processes: int = 1,
    pool: Pool | None = None,
    progress: Progress = silent,
) -> Iterator[ReplaceableText]:
    """The words of each text and which may replace which, in the texts' order.

    :param texts: they need not fit into memory.
    :param analyzer: a name in ``ANALYZERS``, with a model after a colon where it takes one.
    :param form: what their words are and how they are put back together, see :func:`make_replaceable`.
    :param pool: where they are tagged; default: in ``processes`` processes of this machine.
    :raises PotstillError: when there is no such analyzer.
    """
    loaded = _analyzer(analyzer)  # a bad name fails here, once, and not in every process
    n_texts = len(texts) if isinstance(texts, Sized) else 0
    if n_texts:
        processes = min(processes, -(-n_texts // _CHUNK))
    parts = in_parts(map(loaded.normalize, texts), _CHUNK)
    with (
        progress("tagging", n_texts) as bar,
        # No text is tagged twice, in this run or another: spaCy tags 1,143 texts a second, the cache gives 10,181.
        open_cache(f"{_TOKENS}-{analyzer}", loaded.version) as known,
        (pool or partial(_processes, n_processes=processes))(analyzer) as (submit, n_workers),
    ):
        for part, tagged in _tag(parts, known, submit, _AHEAD * n_workers):
            yield from (make_replaceable(text, tokens, form, loaded) for text, tokens in zip(part, tagged, strict=True))
            bar.update(len(part))


def _tag(
    parts: Iterable[Sequence[str]], known: Cache, submit: Submit, ahead: int
) -> Iterator[tuple[Sequence[str], Tagged]]:
    """The tokens of each part's texts, in order; ``ahead`` parts are submitted before the first is waited for."""
    waiting: deque[Callable[[], tuple[Sequence[str], Tagged]]] = deque()
    for part in parts:
        old = known.look_up(part)
        new = [text for text in dict.fromkeys(part) if text not in old]
        waiting.append(partial(_collect, part, old, new, submit(new) if new else list, known))
        if len(waiting) > ahead:
            yield waiting.popleft()()
    while waiting:
        yield waiting.popleft()()


def _collect(
    part: Sequence[str], old: dict[str, list[list[object]]], new: list[str], wait: Callable[[], Tagged], known: Cache
) -> tuple[Sequence[str], Tagged]:
    """A part with its tokens: those that the cache had, and those that are waited for, which it is then given."""
    # Only this process reads and writes the cache, so workers on other machines need none.
    tokens = {text: [Token(*token) for token in entry] for text, entry in old.items()}  # type: ignore[arg-type]
    fresh = dict(zip(new, wait(), strict=True))
    known.store(fresh)
    tokens |= fresh
    return part, [tokens[text] for text in part]


@contextmanager
def _processes(analyzer: str, n_processes: int) -> Iterator[tuple[Submit, int]]:
    """The pool of this process alone, where nothing is done ahead, or of several."""
    if n_processes <= 1:
        yield lambda texts: partial(tag_part, analyzer, texts), 0
        return
    context = get_context("spawn")  # a forked child would inherit locks that tokenizers' and torch's threads hold
    pipe, held = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(n_processes, context, initializer=end_with_parent, initargs=(pipe,))
    try:
        yield lambda texts: pool.submit(tag_part, analyzer, texts).result, n_processes
        pool.shutdown()
    except BrokenProcessPool:
        raise PotstillError(
            "a process that tags text ended before its work was done: out of memory, killed, or called from a script "
            "without the line if __name__ == '__main__': (add it, or use one process)"
        ) from None
    finally:
        held.close()  # first: after an interruption nobody waits for the texts in hand
        pool.shutdown(cancel_futures=True)
        pipe.close()


@cache
def _analyzer(name: str) -> Analyzer:
    return make_analyzer(name)


def tag_part(analyzer: str, texts: list[str]) -> Tagged:
    """The tokens of some texts; a process loads an analyzer once."""
    return list(while_wanted(_analyzer(analyzer)(texts)))
