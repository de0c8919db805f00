"""Whether words are what a student should read: a language may be written without spaces."""

import logging
from collections.abc import Sequence

from potstill.augment.analyzers import find_analyzer
from potstill.corpus.words import count_words

logger = logging.getLogger(__name__)

# Of the words of letters in valid. English sets have 1 to 12%, with 300 texts of train 8 to 51%; Korean ones without an
# analyzer 19 to 46%, with 300 texts 71 to 79%. The same sets with their spaces taken out have 71 to 82%.
_MOST_UNKNOWN = 0.6
_SAMPLE = 2_000  # texts of valid


def warn_of_unknown_words(train: Sequence[str], valid: Sequence[str], *, lower: bool) -> None:
    """Warn where most words of valid are not in train, before anything is trained.

    :param train: texts as students over words read them.
    """
    valid = valid[:_SAMPLE]
    counts = count_words(valid, lower)
    words = {word: count for word, count in counts.items() if word.isalpha()}
    n_words = sum(words.values())
    known = words.keys() & count_words(train, lower).keys()
    unknown = 1 - sum(words[word] for word in known) / max(1, n_words)
    if n_words and unknown >= _MOST_UNKNOWN:
        logger.warning(
            "%.0f%% of the words of valid are not in train, at %.1f words a text: is the language written without "
            "spaces? A student over words learns little of it. Give %s",
            100 * unknown, n_words / len(valid), _way_out(train),
        )  # fmt: skip


def _way_out(texts: Sequence[str]) -> str:
    analyzer = find_analyzer(texts)
    morphemes = "" if analyzer == "spacy" else f"--analyzer {analyzer}, which splits words into morphemes, or "
    return (
        f"{morphemes}--student char-ngram, which reads characters, or a transformer: --student teacher --layers 3. "
        "Or divide the words by spaces yourself, here and where the student predicts"
    )
