"""The command line: commands by name. The only place that sets up logging, prints and exits."""

import io
import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Any

import tyro

from potstill import __version__
from potstill.artifacts import writing
from potstill.commands.bench import BenchOptions, bench
from potstill.commands.export import ExportOptions, export
from potstill.commands.label import LabelOptions, label_files
from potstill.commands.predict import PredictOptions, predict
from potstill.commands.push import PushOptions, push
from potstill.commands.sample import SampleOptions, sample
from potstill.commands.serve import ServeOptions, serve
from potstill.commands.threshold import ThresholdOptions, threshold
from potstill.commands.verify import Verified, VerifyOptions, verify
from potstill.distillation.demo import DemoOptions, demo
from potstill.distillation.distill import DistillCommand, distill_command
from potstill.distributed import is_first, n_processes
from potstill.ending import Terminated, terminable
from potstill.errors import PotstillError
from potstill.files import describe, is_refusal
from potstill.pretraining.options import PretrainOptions
from potstill.pretraining.pretrain import pretrain
from potstill.progress import bars, silent
from potstill.recipe.augment import AugmentOptions, augment_data
from potstill.recipe.evaluate import EvaluateOptions, evaluate
from potstill.recipe.preprocess import PreprocessOptions, preprocess
from potstill.recipe.train import TrainOptions, train
from potstill.reporting.report import ReportOptions, report_runs
from potstill.runtime.threads import available_cpus

VERBS: dict[str, tuple[Any, Any]] = {
    "demo": (DemoOptions, demo),
    "distill": (DistillCommand, distill_command),
    "pretrain": (PretrainOptions, pretrain),
    "augment_data": (AugmentOptions, augment_data),
    "preprocess": (PreprocessOptions, preprocess),
    "train": (TrainOptions, train),
    "evaluate": (EvaluateOptions, evaluate),
    "label": (LabelOptions, label_files),
    "sample": (SampleOptions, sample),
    "report": (ReportOptions, report_runs),
    "export": (ExportOptions, export),
    "threshold": (ThresholdOptions, threshold),
    "predict": (PredictOptions, predict),
    "bench": (BenchOptions, bench),
    "serve": (ServeOptions, serve),
    "push": (PushOptions, push),
    "verify": (VerifyOptions, verify),
}

_RESUMING = ("demo", "distill", "label", "pretrain", "train")
_USER_ERROR = 2
_BY_SIGNAL = 128  # plus the signal's number, as of a process that a signal ends


@dataclass(frozen=True)
class General:
    """Options of every command."""

    threads: int = 0
    """Threads of training, labelling and prediction, and the most that bench measures; 0: as OMP_NUM_THREADS says, else
    the processors this process may use."""
    quiet: bool = False
    """Print results and errors only."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; the exit status is 2 for what the user can fix, 130 when interrupted, 143 by SIGTERM."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(overview())
        sys.exit(0 if words else _USER_ERROR)
    if words[0] == "--version":
        print(f"potstill {__version__}")
        return
    try:
        verb, options, general = parse(words)
        _set_up(general)
        # torchrun ends processes that wait for each other, where no handler would be called
        with terminable() if n_processes() == 1 else nullcontext():
            result = VERBS[verb][1](options, silent if general.quiet or not is_first() else bars)
        if is_first() and (printed := str(result)):
            with writing(Path("standard output")):
                print(printed, flush=True)
        if isinstance(result, Verified) and result.faults:
            sys.exit(_USER_ERROR)
    except PotstillError as error:
        print(f"potstill: {error}", file=sys.stderr)
        _drop_output()
        sys.exit(_USER_ERROR)
    except BrokenPipeError:  # the reader of our output, such as head, has stopped
        _drop_output()
        sys.exit(1)
    except Terminated as terminated:
        name = signal.Signals(terminated.number).name
        print(f"potstill: ended by {name}; {_what_is_left(words[0])}", file=sys.stderr)
        sys.exit(_BY_SIGNAL + terminated.number)
    except OSError as error:
        if not is_refusal(error):
            raise
        print(f"potstill: {describe(error, None, 'cannot be read or written')}", file=sys.stderr)
        _drop_output()
        sys.exit(_USER_ERROR)
    except KeyboardInterrupt:
        print(f"potstill: interrupted; {_what_is_left(words[0])}", file=sys.stderr)
        sys.exit(_BY_SIGNAL + signal.SIGINT)


def _what_is_left(verb: str) -> str:
    return "the same command resumes from here" if verb in _RESUMING else "what was finished stays"


def _drop_output() -> None:
    """Drop output that could not be written, so that Python does not try again at the end."""
    if sys.stdout is None:  # it was closed
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def overview() -> str:
    """The help of ``potstill`` itself: its commands, a line each."""
    lines = [f"  {verb:<14}{(options.__doc__ or '').splitlines()[0]}" for verb, (options, _) in VERBS.items()]
    return "\n".join(
        [
            "usage: potstill COMMAND [OPTIONS]    (potstill COMMAND --help lists its options)",
            "",
            "Distill a transformer text classifier into a small, fast student.",
            "",
            *lines,
        ]
    )


def parse(words: Sequence[str]) -> tuple[str, Any, General]:
    """The command, its options and those of every command.

    :raises PotstillError: when there is no such command, or its options contradict each other.
    """
    verb = words[0].replace("-", "_")
    if verb not in VERBS:
        raise PotstillError(f"no command '{words[0]}': choose one of {', '.join(VERBS)}; potstill --help tells more")
    command = make_dataclass(
        "Command",
        [(verb, VERBS[verb][0]), ("general", General, field(default_factory=General))],
        frozen=True,
    )
    if n_processes() > 1 and verb != "train":
        raise PotstillError(
            f"{n_processes()} processes were started, but potstill {verb} is a single process: start one"
        )
    parsed: Any = tyro.cli(
        command,
        args=list(words[1:]),
        prog=f"potstill {verb}",
        description=VERBS[verb][0].__doc__,
        config=(tyro.conf.OmitArgPrefixes,),
    )
    return verb, getattr(parsed, verb), parsed.general


def _set_up(general: General) -> None:
    level = logging.WARNING if general.quiet or not is_first() else logging.INFO
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("potstill").setLevel(level)
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal's encoding lacks is no reason to fail
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    warnings.filterwarnings("ignore")  # the libraries' own; ours are errors
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):  # before torch is loaded
        if general.threads:
            os.environ[name] = str(general.threads)
        else:
            os.environ.setdefault(name, str(available_cpus()))


if __name__ == "__main__":
    main()
