"""The command ``potstill pretrain``."""

from dataclasses import dataclass
from pathlib import Path

from potstill.artifacts import TRAINING, read_json
from potstill.errors import require
from potstill.pretraining.options import PretrainJob, PretrainOptions
from potstill.pretraining.stages import pretraining_stages
from potstill.progress import Progress, silent
from potstill.runs.run import open_run


@dataclass(frozen=True)
class Pretrained:
    """A student that gives sentence vectors.

    :param similarity: the mean cosine of its vectors and the encoder's, less their mean, on texts that were held out.
    """

    student: Path
    similarity: float

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.student}: similarity to the encoder {self.similarity:.3f} (mean cosine, held out)",
                f"next: potstill distill --student_init {self.student} ...",
            ]
        )


def pretrain(options: PretrainOptions, progress: Progress = silent) -> Pretrained:
    """Make every stage that is not done yet.

    :raises PotstillError: for bad text or options, or an encoder that gives no vectors; what is finished stays.
    """
    require("train", "torch", "transformers", "accelerate", "pyarrow")
    job = PretrainJob(options, progress)
    job.check()
    with open_run(job, pretraining_stages(job)) as run:
        run.make_all()
    student = options.out / "student"
    return Pretrained(student, float(read_json(student / TRAINING)["best"]))
