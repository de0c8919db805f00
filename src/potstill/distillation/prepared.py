"""``prepared`` and ``prepared-NAME``: a student's vocabulary, and the transfer set, train and valid as ids."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from potstill.artifacts import shards
from potstill.augment.typing_errors import misspell_some
from potstill.corpus.encoded import Chunk, KnownGold
from potstill.corpus.texts import parts_of
from potstill.corpus.transfer import transfer_parts
from potstill.corpus.words import MASK
from potstill.distillation.inputs import hash_vectors, hash_weights
from potstill.runs.contents import read_gold
from potstill.runs.job import Job, Stage
from potstill.runs.options import DistillOptions
from potstill.training.encoding import encode_to_folder, split_chunks, split_morphemes
from potstill.training.pretrained import grow_vocabulary
from potstill.training.vector_sources import is_from_teacher, open_vectors, split_vectors
from potstill.training.vocabulary import Vocabulary, build_characters, build_vocabulary, save_vocabulary

TEACHER = "teacher"  # as a student's name: the run's own teacher
_MOST_COPIES = 10  # of each of train's own texts in a student's training set
_CHARACTERS_A_WORD = 10  # space included: the characters that --student_words allows for each word

_Chunks = Callable[[], Iterable[Chunk]]
"""Gives a set of texts with their training targets, from the start at each call: it may be larger than memory."""


def word_text_stage(job: Job) -> Stage:
    """The text of all students over word vectors: they share one vocabulary, so that the work is done once."""
    options = job.options
    inputs: dict[str, Any] = {
        "cased": options.cased,
        "student_words": options.most_words,
        **_learning_inputs(options),
    }
    if job.pretrained:
        inputs["student_init"] = job.pretrained.hash
    else:
        inputs |= {"embedding_path": hash_vectors(options.embedding_path), "n_frequent": options.n_frequent}
    if options.word_analyzer:
        inputs["analyzer"] = options.word_analyzer
    needs_teacher = (job.pretrained and job.black_box is None) or any(
        is_from_teacher(part) for part in split_vectors(options.embedding_path)
    )
    after = ("data", "transfer", *(["teacher"] if needs_teacher else []))
    return Stage("prepared", after, inputs, _prepare_words)


def _learning_inputs(options: DistillOptions) -> dict[str, Any]:
    """What of the transfer set is learnt, and how often."""
    shares = {name: getattr(options, name) for name in ("own_share", "typing_errors", "seed")}
    return asdict(options.soft_labels) | shares


def _prepare_words(job: Job, work: Path) -> None:
    texts = split_morphemes(_clean_texts(job), job.options.word_analyzer, job.options.processes, job.progress)
    vocabulary = _build_vocabulary(job, texts)
    save_vocabulary(vocabulary, work)
    sets: dict[str, _Chunks] = {name: partial(_split_chunks, job, chunks) for name, chunks in _find_sets(job).items()}
    _encode_sets(job, sets, vocabulary.tokenizer, work, n_ctx=job.options.most_words, mask_token=MASK, separately=True)


def _split_chunks(job: Job, chunks: _Chunks) -> Iterator[Chunk]:
    """The chunks with their texts as students over word vectors read them."""
    return split_chunks(chunks(), job.options.word_analyzer, job.options.processes, job.progress)


def _build_vocabulary(job: Job, texts: Iterable[str]) -> Vocabulary:
    """That of the pretrained student with the texts' words; without one, the texts' and frequent words."""
    from potstill.teachers.checkpoints import open_finetuned
    from potstill.teachers.word_vectors import TeacherVectors

    options, teacher = job.options, str(job.folder / "teacher")
    if job.pretrained and job.black_box is not None:
        return grow_vocabulary(job.pretrained, texts, None)
    if job.pretrained:
        checkpoint = open_finetuned(teacher)
        width = int(checkpoint.model.config.hidden_size)
        return grow_vocabulary(job.pretrained, texts, TeacherVectors(checkpoint, width, job.progress))
    return build_vocabulary(
        texts,
        open_vectors(options.embedding_path, teacher, job.progress),
        n_frequent=options.n_frequent,
        lower=not options.cased,
        seed=options.seed,
    )


def character_text_stage(job: Job, name: str) -> Stage:
    """The text of a student that reads characters.

    :param name: of the stage.
    """
    options = job.options
    # A vocabulary of its own: its ids are not words. No analyzer: all that splits its text is in tokenizer.json.
    inputs = {"cased": options.cased, "student_words": options.most_words, **_learning_inputs(options)}
    return Stage(name, ("data", "transfer"), inputs, _prepare_characters)


def _prepare_characters(job: Job, work: Path) -> None:
    vocabulary = build_characters(_clean_texts(job), lower=not job.options.cased)
    save_vocabulary(vocabulary, work)
    n_ctx = _CHARACTERS_A_WORD * job.options.most_words
    _encode_sets(job, _find_sets(job), vocabulary.tokenizer, work, n_ctx=n_ctx, mask_token=MASK, separately=True)


def piece_text_stage(job: Job, name: str, student: str) -> Stage:
    """The text of a transformer student.

    :param name: of the stage.
    :param student: a folder, a name on the hub, or :data:`TEACHER`.
    """
    is_teacher = student == TEACHER
    inputs = {
        "student": student,
        "weights": None if is_teacher else hash_weights(student),
        "teacher_tokens": job.options.most_tokens,
        **_learning_inputs(job.options),
    }
    after = ("data", "transfer", *(["teacher"] if is_teacher else []))
    return Stage(name, after, inputs, _PreparePieces(student))


@dataclass(frozen=True)
class _PreparePieces:
    """Encodes text with the tokenizer of the checkpoint that a transformer student starts from."""

    student: str

    def __call__(self, job: Job, work: Path) -> None:
        from potstill.teachers.checkpoints import TextForm, open_tokenizer

        n_ctx = job.options.most_tokens
        tokenizer = open_tokenizer(find_checkpoint(job, self.student), TextForm(n_ctx=n_ctx))
        backend, mask_token = tokenizer.backend_tokenizer, tokenizer.mask_token
        _encode_sets(job, _find_sets(job), backend, work, n_ctx=n_ctx, mask_token=mask_token, separately=False)


def find_checkpoint(job: Job, student: str) -> str:
    """The checkpoint that a transformer student starts from."""
    return str(job.folder / "teacher") if student == TEACHER else student


def _clean_texts(job: Job) -> Iterator[str]:
    """The texts that are learnt, once each and without typing errors: a vocabulary's words."""
    for part in transfer_parts(job.folder / "transfer"):
        yield from parts_of(part.texts[row] for row in job.options.soft_labels.rows(part.logits, job.task))


def _find_sets(job: Job) -> dict[str, _Chunks]:
    """The three sets by the names of their folders, in natural text."""
    gold = {split: read_gold(job.folder, split) for split in ("train", "valid")}
    known = KnownGold(*gold["train"])
    sets: dict[str, _Chunks] = {"transfer": partial(_learnt, job, known)}
    for name, (texts, ids) in gold.items():
        sets[name] = partial(list[Chunk], [Chunk(texts, ids)])
    return sets


def _learnt(job: Job, known: KnownGold) -> Iterator[Chunk]:
    """The transfer set with its targets: the teacher's logits, with gold labels for train's texts; or its labels.

    A changed text may have another label than its source: it has no gold label. ``transfer/`` keeps the logits of all
    texts, so that another threshold needs no new labelling. Train's own texts are there several times, and some of the
    others get typing errors: the student learns the logits of the text without them.
    """
    soft_labels, n_texts = job.options.soft_labels, 0
    copies, generator = _own_copies(job, len(known)), np.random.default_rng(job.options.seed)
    for part in transfer_parts(job.folder / "transfer"):
        rows = soft_labels.rows(part.logits, job.task)
        is_own = np.array([text in known for text in part.texts], dtype=np.bool_)
        rows = np.repeat(rows, np.where(is_own[rows], copies, 1))
        texts, logits = [part.texts[row] for row in rows.tolist()], part.logits[rows]
        if typing_errors := job.options.typing_errors:
            has_errors = ~is_own[rows] & (generator.random(len(texts)) < typing_errors)
            texts = misspell_some(texts, has_errors, generator)
        n_texts += len(texts)
        if soft_labels.hard_labeling:
            yield Chunk(texts, job.task.as_gold(job.task.decide(logits)))
        else:
            yield Chunk(texts, known.of(texts), logits)
    soft_labels.check_some(n_texts)


def _own_copies(job: Job, n_own: int) -> int:
    """How often each of train's own texts is learnt for once that each other text is."""
    n_others = max(0, sum(map(_count_rows, shards(job.folder / "transfer"))) - n_own)
    share = job.options.own_share
    return min(max(1, round(share / (1 - share) * n_others / n_own)), _MOST_COPIES)


def _count_rows(shard: Path) -> int:
    import pyarrow.parquet

    return int(pyarrow.parquet.read_metadata(shard).num_rows)


def _encode_sets(
    job: Job,
    sets: dict[str, _Chunks],
    tokenizer: Tokenizer,
    work: Path,
    *,
    n_ctx: int,
    mask_token: str | None,
    separately: bool,
) -> None:
    for name, chunks in sets.items():
        encode_to_folder(
            chunks(),
            tokenizer,
            work / name,
            n_ctx=n_ctx,
            mask_token=mask_token,
            separately=separately,
            inputs={},
            progress=job.progress,
        )
