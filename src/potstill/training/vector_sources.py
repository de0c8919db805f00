"""Where a student's word vectors come from: opens what ``--embedding_path`` names, the teacher's among them."""

import logging
from pathlib import Path

from potstill.corpus.vector_files import PACKAGES, check_vectors, load_vectors
from potstill.corpus.vectors import JoinedVectors, VectorSource
from potstill.errors import PotstillError
from potstill.progress import Progress, silent

logger = logging.getLogger(__name__)

_RECIPE_VECTORS = "embeddings/glove.6B.300d.txt"
# The teacher's vectors are worth more than any other part of the recipe: 80.45 for 75.67 with GloVe (cnn on 2,000 lines
# of SST-2), though that teacher was fine-tuned on all lines.
_TEACHER_WIDTH = 128  # of vectors from the teacher


def split_vectors(source: str) -> list[str]:
    """The parts of ``A+B``: sources whose vectors are concatenated; of ``auto`` the one that it stands for."""
    if source == "auto":
        return [_RECIPE_VECTORS if Path(_RECIPE_VECTORS).is_file() else next(iter(PACKAGES))]
    return [source] if Path(source).exists() else source.split("+")


def _teacher_width(part: str) -> int | None:
    """The width that ``teacher`` or ``teacher:WIDTH`` asks for; None for any other source.

    :raises PotstillError: when it is not a number of at least 1.
    """
    name, _, width = part.partition(":")
    if name != "teacher":
        return None
    if width and (not width.isdecimal() or int(width) < 1):
        raise PotstillError(f"{part}: the teacher's vectors are named teacher or teacher:WIDTH, such as teacher:128")
    return int(width or _TEACHER_WIDTH)


def is_from_teacher(part: str) -> bool:
    """Whether a part of the source is the teacher's vectors."""
    return _teacher_width(part) is not None


def check_sources(source: str) -> None:
    """Check that word vectors exist, without loading them.

    :param source: as :func:`open_vectors` takes it.
    :raises PotstillError: when they do not.
    """
    for part in split_vectors(source):
        if not is_from_teacher(part):
            check_vectors(part)


def open_vectors(source: str, teacher: str, progress: Progress = silent) -> VectorSource:
    """Load word vectors.

    :param source: as :func:`potstill.corpus.vector_files.load_vectors` takes it; or ``teacher`` or
        ``teacher:WIDTH``; or several of these, joined by ``+``, whose vectors are concatenated; or ``auto``: the
        recipe's file where it is here, else an installed package.
    :param teacher: the fine-tuned teacher, a folder or a name on the hub.
    :raises PotstillError: when one is missing or damaged.
    """
    sources: list[VectorSource] = []
    for part in split_vectors(source):
        if source == "auto":
            logger.info("word vectors: %s", part)
        width = _teacher_width(part)
        if width is None:
            sources.append(load_vectors(part))
            continue
        from potstill.teachers.checkpoints import open_finetuned
        from potstill.teachers.word_vectors import TeacherVectors

        sources.append(TeacherVectors(open_finetuned(teacher), width, progress))
    return sources[0] if len(sources) == 1 else JoinedVectors(sources)
