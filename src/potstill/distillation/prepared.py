"""What a run's students read: their vocabulary, and the transfer set, train and valid as token ids."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from potstill.corpus.encoded import Chunk, Text, known_label_ids
from potstill.corpus.soft_labels import SoftLabelFilter
from potstill.corpus.streams import in_parts
from potstill.corpus.transfer import TransferSet, transfer_parts, write_shards
from potstill.corpus.words import MASK
from potstill.progress import Progress
from potstill.runs.contents import read_gold
from potstill.runs.options import DistillOptions
from potstill.runtime.threads import available_cpus
from potstill.tasks import find_task
from potstill.training.vocabulary import (
    build_characters,
    build_vocabulary,
    encode_to_folder,
    open_vectors,
    save_vocabulary,
    split_morphemes,
)

_CHARACTERS_A_WORD = 10  # with the space: how many --student_words has for each word

_Chunks = Callable[[], Iterable[Chunk]]
"""A set of texts and what they are to be learnt as, given at each call anew: it need not fit into memory."""

_Gold = tuple[list[str], NDArray[np.int64]]
"""Texts and their label ids."""


def make_prepared(options: DistillOptions, vectors: str, run: Path, progress: Progress, work: Path) -> None:
    """``prepared``: the vocabulary, word table and encoded text of the students over word vectors."""
    transfer, gold = run / "transfer", _read_gold(run)
    if options.word_analyzer:
        processes = options.processes or available_cpus()
        split = partial(split_morphemes, analyzer=options.word_analyzer, processes=processes, progress=progress)
        gold = {name: (list(split(texts)), ids) for name, (texts, ids) in gold.items()}
        transfer = work / ".split"  # read twice below, and splitting takes long
        write_shards(transfer, _split_parts(run / "transfer", split))
    sets = _sets(transfer, gold, options.soft_labels)
    vocabulary = build_vocabulary(
        _texts(sets["transfer"]),
        open_vectors(vectors, str(run / "teacher"), progress),
        n_frequent=options.n_frequent,
        lower=not options.cased,
        seed=options.seed,
    )
    save_vocabulary(vocabulary, work)
    _encode_sets(sets, vocabulary.tokenizer, work, n_ctx=options.student_words, mask_token=MASK, progress=progress)


def make_prepared_characters(options: DistillOptions, run: Path, progress: Progress, work: Path) -> None:
    """``prepared-NAME``: the characters and encoded text of a student that reads those."""
    sets = _sets(run / "transfer", _read_gold(run), options.soft_labels)
    vocabulary = build_characters(_texts(sets["transfer"]), lower=not options.cased)
    save_vocabulary(vocabulary, work)
    n_ctx = _CHARACTERS_A_WORD * options.student_words
    _encode_sets(sets, vocabulary.tokenizer, work, n_ctx=n_ctx, mask_token=MASK, progress=progress)


def _texts(chunks: _Chunks) -> Iterator[str]:
    return (text for chunk in chunks() for text in chunk.texts if isinstance(text, str))


def make_prepared_for(source: str, options: DistillOptions, run: Path, progress: Progress, work: Path) -> None:
    """``prepared-NAME``: the text encoded for a transformer student.

    :param source: the checkpoint that it begins as.
    """
    from potstill.teachers.checkpoints import TextForm, open_tokenizer

    n_ctx = options.teacher_tokens
    tokenizer = open_tokenizer(source, TextForm(n_ctx=n_ctx))
    sets = _sets(run / "transfer", _read_gold(run), options.soft_labels)
    backend, mask_token = tokenizer.backend_tokenizer, tokenizer.mask_token
    _encode_sets(sets, backend, work, n_ctx=n_ctx, mask_token=mask_token, progress=progress)


def _read_gold(run: Path) -> dict[str, _Gold]:
    return {split: read_gold(run, split) for split in ("train", "valid")}


def _split_parts(transfer: Path, split: Callable[[Iterable[str]], Iterator[str]]) -> Iterator[TransferSet]:
    """A transfer set with its texts split into morphemes."""
    split_texts = split(text for part in transfer_parts(transfer) for text in part.texts)
    for texts, part in zip(in_parts(split_texts), transfer_parts(transfer), strict=True):
        yield TransferSet(texts, part.logits)


def _sets(transfer: Path, gold: dict[str, _Gold], soft_labels: SoftLabelFilter) -> dict[str, _Chunks]:
    """The three sets by the names of their folders."""
    known: dict[Text, int] = dict(zip(*gold["train"], strict=True))
    sets: dict[str, _Chunks] = {"transfer": lambda: _learnt(transfer, soft_labels, known)}
    for name, (texts, ids) in gold.items():
        sets[name] = partial(list[Chunk], [Chunk(texts, ids)])
    return sets


def _learnt(transfer: Path, soft_labels: SoftLabelFilter, known: dict[Text, int]) -> Iterator[Chunk]:
    """What is learnt of a transfer set: logits beside the gold labels, or labels."""
    n_texts, task = 0, find_task()
    for part in transfer_parts(transfer):
        rows = soft_labels.rows(part.logits, task)
        texts, logits = [part.texts[row] for row in rows], part.logits[rows]
        n_texts += len(texts)
        if soft_labels.hard_labeling:
            yield Chunk(texts, task.decide(logits))
        else:
            yield Chunk(texts, known_label_ids(texts, known), logits)
    soft_labels.check_some(n_texts)


def _encode_sets(
    sets: dict[str, _Chunks],
    tokenizer: Tokenizer,
    work: Path,
    *,
    n_ctx: int,
    mask_token: str | None,
    progress: Progress,
) -> None:
    for name, chunks in sets.items():
        encode_to_folder(
            chunks(), tokenizer, work / name, n_ctx=n_ctx, mask_token=mask_token, inputs={}, progress=progress
        )
