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
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import tyro

from potstill import __version__
from potstill.artifacts import writing
from potstill.distributed import is_first, n_processes
from potstill.ending import Terminated, terminable
from potstill.errors import PotstillError
from potstill.files import describe, is_refusal
from potstill.progress import bars, silent
from potstill.runtime.threads import available_cpus


@dataclass(frozen=True)
class Verb:
    """A command, imported when it is asked for: ``potstill predict`` needs neither torch nor tokenizers.

    :param module: within the package.
    :param options_name: of its options, a dataclass.
    :param function_name: of what runs it.
    """

    module: str
    options_name: str
    function_name: str

    @cached_property
    def options(self) -> Any:
        """Its options' class."""
        return self._find(self.options_name)

    @cached_property
    def run(self) -> Any:
        """The function of its options and of a progress bar."""
        return self._find(self.function_name)

    def _find(self, name: str) -> Any:
        try:
            return getattr(import_module(f"potstill.{self.module}"), name)
        except ModuleNotFoundError as error:
            raise PotstillError(f"this needs {error.name}, not installed here: {_INSTALL}") from None


VERBS = {
    "demo": Verb("distillation.demo", "DemoOptions", "demo"),
    "distill": Verb("distillation.distill", "DistillCommand", "distill_command"),
    "pretrain": Verb("pretraining.pretrain", "PretrainOptions", "pretrain"),
    "augment_data": Verb("recipe.augment", "AugmentOptions", "augment_data"),
    "preprocess": Verb("recipe.preprocess", "PreprocessOptions", "preprocess"),
    "train": Verb("recipe.train", "TrainOptions", "train"),
    "evaluate": Verb("recipe.evaluate", "EvaluateOptions", "evaluate"),
    "label": Verb("commands.label", "LabelOptions", "label_files"),
    "sample": Verb("commands.sample", "SampleOptions", "sample"),
    "report": Verb("reporting.report", "ReportOptions", "report_runs"),
    "export": Verb("commands.export", "ExportOptions", "export"),
    "threshold": Verb("commands.threshold", "ThresholdOptions", "threshold"),
    "predict": Verb("commands.predict", "PredictOptions", "predict"),
    "bench": Verb("commands.bench", "BenchOptions", "bench"),
    "serve": Verb("commands.serve", "ServeOptions", "serve"),
    "push": Verb("commands.push", "PushOptions", "push"),
    "verify": Verb("commands.verify", "VerifyOptions", "verify"),
}

_INSTALL = "pip install 'potstill[train]'"
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
            result = VERBS[verb].run(options, silent if general.quiet or not is_first() else bars)
        if is_first() and (printed := str(result)):
            with writing(Path("standard output")):
                print(printed, flush=True)
        if getattr(result, "faults", None):  # of verify
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
    lines = [f"  {verb:<14}{_summary(found)}" for verb, found in VERBS.items()]
    return "\n".join(
        [
            "usage: potstill COMMAND [OPTIONS]    (potstill COMMAND --help lists its options)",
            "",
            "Distill a transformer text classifier into a small, fast student.",
            "",
            *lines,
        ]
    )


def _summary(verb: Verb) -> str:
    try:
        return str(verb.options.__doc__).splitlines()[0]
    except PotstillError:
        return f"needs {_INSTALL}"


def parse(words: Sequence[str]) -> tuple[str, Any, General]:
    """The command, its options and those of every command.

    :raises PotstillError: when there is no such command, or its options contradict each other.
    """
    verb = words[0].replace("-", "_")
    if verb not in VERBS:
        raise PotstillError(f"no command '{words[0]}': choose one of {', '.join(VERBS)}; potstill --help tells more")
    command = make_dataclass(
        "Command",
        [(verb, VERBS[verb].options), ("general", General, field(default_factory=General))],
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
        description=VERBS[verb].options.__doc__,
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
