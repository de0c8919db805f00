"""``teacher``, where it is a black box: what it answers on valid and test, and what it tells of itself."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import LABELLED, LEFT_OUT, TEACHER, read_object, shards
from potstill.corpus.streams import distinct, in_parts
from potstill.corpus.texts import Text
from potstill.corpus.transfer import transfer_parts
from potstill.errors import PotstillError
from potstill.labelling.label import Unlabelled, label_texts
from potstill.progress import Progress, silent
from potstill.runs.contents import read_gold
from potstill.runs.job import Job, Stage
from potstill.teachers import Teacher
from potstill.teachers.language_model import LanguageModelTeacher
from potstill.teachers.left_out import LeftOut
from potstill.teachers.recorded import ANSWERS, write_record
from potstill.training.calibration import fit_temperature

logger = logging.getLogger(__name__)

_TIMED = 20  # texts


class Remembering:
    """A teacher that knows some answers already: it is not asked twice.

    :param known: logits by text.
    """

    def __init__(self, teacher: Teacher, known: dict[Text, NDArray[np.float32]]) -> None:
        self.labels = teacher.labels
        self.identity = teacher.identity
        self._teacher = teacher
        self._known = known

    @property
    def left_out(self) -> Sequence[Any]:
        """The texts of the last call without an answer, where the teacher says why."""
        return getattr(self._teacher, "left_out", ())

    def check(self, texts: Sequence[Text]) -> None:
        """Check the teacher with the first texts that it is asked for."""
        if new := [text for text in texts if text not in self._known]:
            self._teacher.check(new)

    def __call__(self, texts: Sequence[Text], progress: Progress = silent) -> NDArray[np.float32]:
        """The logits of texts, float32 ``[len(texts), n_labels]``."""
        logits = np.full((len(texts), len(self.labels)), np.nan, dtype=np.float32)
        new = [row for row, text in enumerate(texts) if text not in self._known]
        if new:
            logits[new] = self._teacher([texts[row] for row in new], progress)
        for row, text in enumerate(texts):
            if text in self._known:
                logits[row] = self._known[text]
        return logits


def asked_teacher(job: Job) -> Teacher:
    """The run's black box; without gold labels it remembers what it answered first."""
    assert job.black_box is not None
    folder = job.folder / LABELLED
    if job.corpus.is_gold:
        return job.black_box
    known: dict[Text, NDArray[np.float32]] = {}
    for part in transfer_parts(folder):
        known.update(zip(part.texts, part.logits, strict=True))
    return Remembering(job.black_box, known)


def black_box_inputs(job: Job) -> dict[str, Any]:
    """What its answers depend on."""
    assert job.black_box is not None
    return {"teacher": job.options.teacher, "identity": job.black_box.identity}


def black_box_stage(job: Job) -> Stage:
    """Its answers on valid and test, for the figures."""
    after = ("data",) if job.corpus.is_gold else ("data", LABELLED)
    return Stage("teacher", after, black_box_inputs(job), _ask)


def _ask(job: Job, work: Path) -> None:
    teacher = asked_teacher(job)
    valid, gold = read_gold(job.folder, "valid")
    test, _ = read_gold(job.folder, "test")
    texts = list(distinct([*valid, *test]))
    folder = work / ANSWERS
    folder.mkdir(exist_ok=True)
    label_texts(Unlabelled(len(texts), lambda: in_parts(texts)), teacher, folder, progress=job.progress)
    answers: dict[Text, NDArray[np.float32]] = {}
    if shards(folder):
        for part in transfer_parts(folder):
            answers.update(zip(part.texts, part.logits, strict=True))
    rows = [row for row, text in enumerate(valid) if text in answers]
    if not rows:
        raise PotstillError(f"{job.options.teacher}: gave no answer on valid: its figures cannot be measured")
    if reasons := _not_final(folder):
        raise PotstillError(
            f"{job.options.teacher}: {reasons} of valid and test have no answer yet: give a larger budget, or the same "
            f"command again; the answers that came are kept"
        )
    if len(answers) < len(texts):
        logger.warning("teacher: no answer on %d of %d texts of valid and test", len(texts) - len(answers), len(texts))
    temperature = 1.0
    if job.corpus.is_gold:  # else the labels are its own
        temperature = float(fit_temperature(np.stack([answers[valid[row]] for row in rows]), gold[rows], job.task))
    about = describe(job.black_box)
    about["milliseconds"] = _time(job, about, texts)
    write_record(work, about, teacher.labels, temperature)


def _not_final(folder: Path) -> str:
    """How many texts have no answer that might have one another time: the budget was used up, or the server failed."""
    file = folder / LEFT_OUT
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    kinds = [LeftOut(**json.loads(line)).kind for line in lines]
    n_texts = sum(kind == "budget" or kind.startswith("failed") for kind in kinds)
    return f"{n_texts} texts" if n_texts else ""


def describe(teacher: Teacher | None) -> dict[str, Any]:
    """What a black box tells of itself, in JSON form: what it was asked since the last time, and what that took."""
    if not isinstance(teacher, LanguageModelTeacher):
        return {}
    usage = asdict(teacher.usage)
    teacher.start_account()
    return {"usage": usage}


def _time(job: Job, about: dict[str, Any], texts: Sequence[Text]) -> list[float]:
    """Milliseconds of single texts; of a language model those of the requests so far, as another one costs."""
    from potstill.evaluation.measuring import time_calls

    assert job.black_box is not None
    if not (usage := about.get("usage")):
        return time_calls(job.black_box, texts[:_TIMED])
    before = job.folder / LABELLED / TEACHER
    if not usage["seconds"] and before.is_file():  # it remembers all answers, from that stage
        usage = read_object(before)["usage"]
    return [1000 * float(usage["seconds"])]
