"""How much of a text teacher and students read at once, where no option says it: by the lengths of train's texts."""

import logging
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from potstill.corpus.splits import Corpus
from potstill.corpus.texts import Text
from potstill.corpus.words import word_splitter
from potstill.runs.options import USUAL_LENGTH, DistillOptions

logger = logging.getLogger(__name__)

_SAMPLE = 1_000  # texts of train
_MOST_TOKENS = 256  # a teacher's time grows with them; longer texts have more windows
_MOST_WORDS = 400
_MORPHEMES = 2.5  # a word of Korean
_STEP = 8


def choose_lengths(options: DistillOptions, corpus: Corpus, *, is_asked: bool) -> DistillOptions:
    """The options with ``teacher_tokens`` and ``student_words``.

    :param is_asked: whether the teacher is a black box, which reads texts as it likes.
    """
    train = corpus.splits["train"]
    rows = np.linspace(0, len(train) - 1, min(_SAMPLE, len(train))).round().astype(int)  # files are often sorted
    texts = [train[row].content for row in rows]
    if options.student_words is None:
        a_word = _MORPHEMES if options.word_analyzer else 1.0  # what students over word vectors read of one
        words = _share([a_word * len(_words(text)) for text in texts], 0.99, _MOST_WORDS)
        options = replace(options, student_words=words)
        if words > USUAL_LENGTH:
            logger.info("students train on the first %d words of a text: one in a hundred of train has more", words)
    if options.teacher_tokens is None:
        tokens = USUAL_LENGTH if is_asked else _teacher_tokens(options.teacher, texts)
        options = replace(options, teacher_tokens=tokens)
        if tokens > USUAL_LENGTH:
            logger.info("the teacher reads %d tokens at once: train's texts are long", tokens)
    return options


def _teacher_tokens(teacher: str, texts: Sequence[Text]) -> int:
    from potstill.teachers.checkpoints import open_tokenizer

    # Hardly any text has more tokens than characters: short ones, the usual case, need no tokenizer.
    if float(np.quantile([sum(map(len, parts(text))) for text in texts], 0.95)) <= USUAL_LENGTH:
        return USUAL_LENGTH
    tokenizer = open_tokenizer(teacher, None)
    limit = tokenizer.model_max_length
    if limit <= USUAL_LENGTH:
        return min(USUAL_LENGTH, limit)
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    lengths = [len(encoded.ids) for encoded in backend.encode_batch(list(texts))]
    return min(_share(lengths, 0.95, _MOST_TOKENS), limit)


def parts(text: Text) -> tuple[str, ...]:
    """A text, or the two of a pair."""
    return (text,) if isinstance(text, str) else text


def _words(text: Text) -> list[str]:
    return [word for part in parts(text) for word, _ in word_splitter().pre_tokenize_str(part)]


def _share(lengths: Sequence[float], share: float, most: int) -> int:
    """The length that this share of texts does not exceed, in steps, from the usual one up to ``most``."""
    needed = math.ceil(float(np.quantile(lengths, share)) / _STEP) * _STEP
    return min(max(USUAL_LENGTH, needed), most)
