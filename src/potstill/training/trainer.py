"""The one trainer of teachers and students: Hugging Face's, with our loss, batches, optimiser and times of evaluation.

The checkpoints and their content are Hugging Face's too: a training resumes from the newest whole one in its working
folder.
"""

import atexit
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.data_loader import prepare_data_loader
from accelerate.utils import broadcast_object_list
from torch import Tensor, distributed
from torch.nn import Module
from torch.utils.data import DataLoader
from transformers import (
    EarlyStoppingCallback,
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.trainer_callback import TrainerState
from transformers.utils import logging as transformers_logging

from potstill.corpus.encoded import Encoded
from potstill.distributed import is_first, n_processes, rank
from potstill.errors import PotstillError
from potstill.progress import Bar, Progress, silent
from potstill.tasks import Task, find_task
from potstill.training.batching import EncodedDataset, LengthBatchSampler, as_collated
from potstill.training.calibration import calibrate, refinement_loss
from potstill.training.losses import training_loss
from potstill.training.optimizers import has_sparse_gradients, make_optimizer
from potstill.training.options import BALANCE, MEASURES, Measure, Optimisation
from potstill.training.resuming import STATE, best_checkpoint, has_ended, newest_checkpoint, seal_checkpoint

# The Trainer's own loss rises when a student becomes overconfident, which the temperature fixes later: it kept the
# first epoch of a densenet-dsa, 3.4 points of valid below the last.
_LOSS = "refinement_loss"
_STEPS_BETWEEN_EVALUATIONS = 500  # the recipe's; shorter epochs are evaluated at their end
_RISE = 0.015  # of accuracy, between the last two evaluations
_ROUNDS = 10  # where --min_steps makes many short epochs: as many evaluations, each after several epochs


@dataclass(frozen=True)
class Training:
    """What a training gave: the model holds the best checkpoint's weights.

    :param best: the figure on valid of that checkpoint.
    :param evaluations: one entry an evaluation on valid: step, epoch, loss, and the task's figures, accuracy among them
        (of vectors: their similarity).
    :param seconds: of this call, without what an earlier, killed one did.
    :param is_rising: whether it had more to learn when it ended, see :func:`is_rising`.
    """

    best: float
    evaluations: list[dict[str, float]]
    seconds: float
    is_rising: bool

    def is_better(self, other: "Training", options: Optimisation) -> bool:
        """Whether its best figure on valid is better than another's."""
        return self.best < other.best if options.measure == "loss" else self.best > other.best

    def kept(self, measure: Measure) -> dict[str, float]:
        """The evaluation of the weights that were kept.

        :param measure: the figure that picks.
        """
        return (min if measure == "loss" else max)(self.evaluations, key=itemgetter(measure))

    def followed_by(self, other: "Training", options: Optimisation) -> "Training":
        """The two as one."""
        last = self.evaluations[-1]
        later = [
            entry | {"step": entry["step"] + last["step"], "epoch": entry["epoch"] + last["epoch"]}
            for entry in other.evaluations
        ]
        best = other.best if other.is_better(self, options) else self.best
        evaluations = self.evaluations + later
        return Training(best, evaluations, self.seconds + other.seconds, is_rising(evaluations))


def train_model(
    model: PreTrainedModel,
    train: Encoded,
    valid: Encoded,
    options: Optimisation,
    work: Path,
    *,
    progress: Progress = silent,
    description: str = "training",
) -> Training:
    """Train a model in place; it ends with the weights of its best evaluation on valid.

    Several processes (see :mod:`potstill.distributed`) share each batch: ``options.batch_size`` is the whole. So steps
    and schedule do not depend on the number of processes, and another number can resume.

    :param train: with the teacher's logits (then the loss is ``options.loss``), or with label ids alone.
    :param valid: with label ids; or with a teacher's vectors alone: the figure on valid is then :func:`_similarity`.
    :param work: folder of the checkpoints; with those of a killed run in it, training resumes.
    :raises PotstillError: when the processes cannot share a batch evenly.
    """
    if options.batch_size % n_processes():
        raise PotstillError(
            f"--batch_size={options.batch_size}: {n_processes()} processes share it; give a multiple of their number"
        )
    if n_processes() > 1:
        atexit.register(_leave_others)
    transformers_logging.disable_progress_bar()  # progress is shown by the caller's bars
    steps_an_epoch = -(-len(train) // options.batch_size)
    epochs = max(options.epoch, -(-options.min_steps // steps_an_epoch))
    steps = options.steps or steps_an_epoch * epochs
    task, target = find_task(model.config.problem_type), "teacher_logits" if valid.gold is None else "gold"
    trainer = _DistillationTrainer(
        options,
        model=model,
        args=_arguments(options, steps, work, target=target, clips=not has_sparse_gradients(model)),
        train_dataset=EncodedDataset(train, model.config.pad_token_id or 0),
        eval_dataset=EncodedDataset(valid, model.config.pad_token_id or 0),
        compute_metrics=_similarity if target == "teacher_logits" else partial(_measure, task),
        optimizers=make_optimizer(model, options, steps_an_epoch, steps),
    )
    trainer.remove_callback(PrinterCallback)
    steps_a_round = steps_an_epoch * (-(-epochs // _ROUNDS) if epochs > options.epoch else 1)
    evaluations_a_round = max(1, round(steps_a_round / _STEPS_BETWEEN_EVALUATIONS))
    trainer.add_callback(_EvaluateOften(steps_a_round, evaluations_a_round))
    # Patience is counted in epochs (or rounds of short ones), however often they are evaluated.
    trainer.add_callback(EarlyStoppingCallback(options.patience * evaluations_a_round))
    with progress(description, steps) as bar:
        trainer.add_callback(_ShowProgress(bar, "accuracy" if options.measure == "loss" else options.measure))
        newest = [newest_checkpoint(work, description) if is_first() else None]  # it drops those that are damaged
        (checkpoint,) = broadcast_object_list(newest)
        seconds = trainer.run(checkpoint)
    # What bf16 wrapped around the model would make its logits inexact from now on, and its export impossible.
    trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    history = [_evaluation(entry) for entry in trainer.state.log_history if f"eval_{_LOSS}" in entry]
    return Training(float(trainer.state.best_metric or 0.0), history, seconds, is_rising(history))


def _leave_others() -> None:
    """End this process's connections to the others.

    Gloo's threads, still at work while Python is being taken down, otherwise abort a process that has done all its work
    (https://github.com/pytorch/pytorch/issues/190489). NCCL needs nothing, and would wait
    here for a process that failed.
    """
    if distributed.is_initialized() and distributed.get_backend() == "gloo":
        distributed.destroy_process_group()


def is_rising(evaluations: list[dict[str, float]]) -> bool:
    """Whether accuracy on valid rose by a point and a half or more in the last of three evaluations or more.

    A rise of a point is usual there, as the learning rate comes to zero.
    """
    figures = [entry["accuracy"] for entry in evaluations]
    return len(figures) > 2 and figures[-1] - max(figures[:-1]) >= _RISE


def _arguments(options: Optimisation, steps: int, work: Path, *, target: str, clips: bool) -> TrainingArguments:
    """The Trainer's arguments.

    :param target: what the model is compared with on valid: the name of a batch's array.
    :param clips: whether gradients are clipped by their norm, which torch cannot do to sparse ones.
    """
    never = 1 << 40  # _EvaluateOften says when to evaluate and save
    return TrainingArguments(
        output_dir=str(work),
        max_steps=steps,
        per_device_train_batch_size=options.batch_size // n_processes(),
        per_device_eval_batch_size=options.batch_size,
        learning_rate=options.lr,
        max_grad_norm=1.0 if clips else 0.0,
        bf16=options.bf16,
        use_cpu=not torch.accelerator.is_available(),
        seed=options.seed,
        data_seed=options.seed,
        eval_strategy="steps",
        eval_steps=never,
        save_strategy="steps",
        save_steps=never,
        restore_callback_states_from_checkpoint=True,  # how long there was no better figure on valid
        # A running average of the weights (0.99 a step) was tried: it ends within 0.0007 of their own cross-entropy.
        load_best_model_at_end=True,
        metric_for_best_model=_LOSS if options.measure == "loss" else options.measure,
        greater_is_better=options.measure != "loss",
        logging_strategy="steps",
        logging_steps=100,
        report_to="none",
        disable_tqdm=True,
        log_level="error",
        remove_unused_columns=False,
        label_names=[target],
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def _measure(task: Task, prediction: Any) -> dict[str, float]:
    logits, gold = prediction.predictions, prediction.label_ids
    # Thresholds that fit these texts: at one half a rare label may have no text at all, however it is ranked.
    calibration = calibrate(logits, gold, task)
    return {**calibration.figures(logits, gold, task), _LOSS: refinement_loss(logits, gold, task)}


def _similarity(prediction: Any) -> dict[str, float]:
    """The mean cosine of a model's vectors and the teacher's, as ``accuracy``; and their mean squared difference."""
    vectors, wanted = prediction.predictions, prediction.label_ids
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(wanted, axis=1)
    cosines = (vectors * wanted).sum(axis=1) / np.maximum(norms, 1e-12)
    return {"accuracy": float(cosines.mean()), _LOSS: float(((vectors - wanted) ** 2).mean())}


def _evaluation(entry: dict[str, float]) -> dict[str, float]:
    figures: dict[str, float] = {name: entry[f"eval_{name}"] for name in MEASURES if f"eval_{name}" in entry}
    return {"step": entry["step"], "epoch": entry["epoch"], "loss": entry[f"eval_{_LOSS}"], **figures}


def _label_weights(task: Task, train: Encoded, model: PreTrainedModel, options: Optimisation) -> Tensor | None:
    """The weight of each label in the losses, ``[n_labels]``; None: all count alike."""
    power = BALANCE[options.balance]
    if not power or train.gold is None:
        return None
    return torch.from_numpy(task.label_weights(np.asarray(train.gold), int(model.config.num_labels or 0), power))


class _DistillationTrainer(Trainer):
    """The Trainer with our loss, batches and checkpoints."""

    def __init__(self, options: Optimisation, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._options = options
        self._task = find_task(arguments["model"].config.problem_type)
        self._weights = _label_weights(self._task, arguments["train_dataset"].encoded, arguments["model"], options)

    def run(self, checkpoint: Path | None) -> float:
        """Train, from a checkpoint if there is one; the model ends with its best weights.

        :return: seconds.
        """
        if checkpoint and has_ended(checkpoint):  # the Trainer would take one more step
            self._take_best(checkpoint)
            return 0.0
        output = self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        return float(output.metrics["train_runtime"])

    def _take_best(self, checkpoint: Path) -> None:
        self.state = TrainerState.load_from_json(str(checkpoint / STATE))
        self.state.best_model_checkpoint = str(best_checkpoint(checkpoint))
        self._load_best_model()

    def _save_checkpoint(self, model: Module, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()  # every process writes its own random numbers' state
        if self.args.should_save:
            seal_checkpoint(Path(str(self.args.output_dir)), self.state.global_step, self.state.best_global_step)

    def _get_grad_norm(self, model: Module, grad_norm: Any = None) -> Any:
        """For the Trainer's log; torch has no norm of sparse gradients."""
        return None if has_sparse_gradients(model) else super()._get_grad_norm(model, grad_norm)

    def get_train_dataloader(self) -> DataLoader[Any]:
        dataset: Any = self.train_dataset
        size = self.args.train_batch_size * n_processes()
        lengths = dataset.encoded.lengths
        sampler = LengthBatchSampler(lengths, size, self.args.seed, rank=rank(), n_ranks=n_processes())
        loader = DataLoader(dataset, batch_sampler=sampler, collate_fn=as_collated)
        # Of one process: the sampler has shared out the batches, and accelerate would do so again.
        prepared: DataLoader[Any] = prepare_data_loader(
            loader, self.args.device, num_processes=1, process_index=0, put_on_device=True
        )
        return prepared

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Any]:
        dataset: Any = self.eval_dataset if eval_dataset is None else eval_dataset
        loader = DataLoader(dataset, batch_size=self.args.eval_batch_size, collate_fn=as_collated)
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    def compute_loss(
        self,
        model: Module,
        inputs: dict[str, Tensor | Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        texts = {name: value for name, value in inputs.items() if name not in ("gold", "teacher_logits")}
        outputs = model(**texts)
        gold, teacher_logits = inputs.get("gold"), inputs.get("teacher_logits")
        weights = None if self._weights is None else self._weights.to(outputs.logits.device)
        loss = training_loss(self._options, self._task, outputs.logits, gold, teacher_logits, weights)
        return (loss, {"logits": outputs.logits}) if return_outputs else loss


class _EvaluateOften(TrainerCallback):
    """Evaluate and save at even steps of each round, its last step among them, and at the last step of all.

    :param steps_a_round: of an epoch, or of several short ones.
    """

    def __init__(self, steps_a_round: int, evaluations_a_round: int) -> None:
        points = np.linspace(0, steps_a_round, evaluations_a_round + 1)[1:].round().astype(int)
        self._points = set(points.tolist())
        self._steps_a_round = steps_a_round

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        step = (state.global_step - 1) % self._steps_a_round + 1
        if step in self._points or state.global_step == state.max_steps:
            control.should_evaluate = control.should_save = True


class _ShowProgress(TrainerCallback):
    """Move a bar with the steps; its note is the training loss and the last figure on valid.

    :param figure: by its name.
    """

    def __init__(self, bar: Bar, figure: str) -> None:
        self._bar = bar
        self._figure = f"eval_{figure}"
        self._shown = 0
        self._loss = self._valid = ""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._bar.update(state.global_step - self._shown)
        self._shown = state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            self._loss = f"loss {logs['loss']:.4f}"
        if logs and self._figure in logs:
            self._valid = f"valid {logs[self._figure]:.4f}"
        self._bar.note(" ".join(filter(None, [self._loss, self._valid])))
