"""Which families of transformers can be teachers: a small random encoder of each, from a bare checkpoint to an answer.

    OMP_NUM_THREADS=1 PYTHONPATH=tests python benchmarks/teacher_families.py --out families.json
    OMP_NUM_THREADS=1 PYTHONPATH=tests python benchmarks/teacher_families.py --kinds bert gpt2 --out some.json

Each is made by the one recipe of ``tests/families.py``, opened as an encoder, trained for some steps, written with its
ONNX file, and loaded again. ``ok``: its logits are those of torch, alone and among others. ``refused``: one line says
why. ``not made``: the recipe's sizes do not fit the family. ``failed``: a traceback, which is a fault of Potstill. It
takes ten seconds a family, a minute and more for some. Families that are done are in the file, and not done again.
"""

import logging
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

import potstill
from families import write_family
from potstill.artifacts import read_json, write_json
from potstill.corpus.encoded import encode, limited
from potstill.errors import PotstillError, reason
from potstill.progress import silent
from potstill.tables import table
from potstill.teachers.checkpoints import TextForm, open_encoder, open_finetuned
from potstill.teachers.inference import in_torch, predict_logits
from potstill.training.fitting import fit
from potstill.training.options import Optimisation
from standins import sentences

_TOLERANCE = 1e-3
_TOKENS = 60


@dataclass(frozen=True)
class Options:
    """Try every family of transformers that has a classifier."""

    kinds: tuple[str, ...] = ()
    """Their model_type; default: all."""
    out: Path = Path("families.json")
    """Where the outcomes are written."""


def outcome_of(kind: str, folder: Path) -> tuple[str, str]:
    """What became of a family, and why.

    :param folder: an empty one.
    """
    encoder, out = folder / "encoder", folder / "out"
    out.mkdir()
    try:
        write_family(kind, encoder)
    except Exception as error:  # of the family's own configuration
        return "not made", reason(error)
    try:
        error_of_logits = _take_through(encoder, out)
    except PotstillError as error:
        return "refused", str(error).removeprefix(f"{encoder}: ")
    except Exception as error:
        traceback.print_exc()
        return "failed", f"{type(error).__name__}: {reason(error)}"
    return ("ok", "") if error_of_logits < _TOLERANCE else ("failed", f"logits off by {error_of_logits:.2g}")


def _take_through(encoder: Path, out: Path) -> float:
    """Fine-tune and deploy an encoder.

    :return: how far the deployed logits are off.
    """
    checkpoint = open_encoder(str(encoder), ["0", "1"], dropout=0.1, form=TextForm(n_ctx=_TOKENS), seed=1)
    tokenizer = limited(checkpoint.tokenizer.backend_tokenizer, _TOKENS)
    rows = [sentences(40, seed) for seed in (0, 1)]
    train, valid = (
        encode([text for text, _ in part], tokenizer, gold=np.array([int(label) for _, label in part])) for part in rows
    )
    options = Optimisation(lr=1e-3, epoch=1, batch_size=16, use_transformers_optimizer=True)
    fit(checkpoint.model, checkpoint.tokenizer, train, valid, options, out, progress=silent, description="fine-tuning")
    texts = [text for text, _ in rows[1]]
    model, deployed = open_finetuned(str(out), ["0", "1"]).model, potstill.load(out)
    expected = predict_logits(in_torch(model), encode(texts, tokenizer), pad_id=model.config.pad_token_id)
    alone = np.concatenate([deployed.logits([text]) for text in texts])
    return float(max(np.abs(logits - expected).max() for logits in (deployed.logits(texts), alone)))


def main(options: Options) -> None:
    """Print a table of what is not ok, and the counts."""
    outcomes: dict[str, list[str]] = read_json(options.out) if options.out.is_file() else {}
    kinds = options.kinds or tuple(MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES)
    for kind in kinds:
        if kind in outcomes:
            continue
        with tempfile.TemporaryDirectory() as folder:
            outcomes[kind] = list(outcome_of(kind, Path(folder)))
        print(kind, *outcomes[kind], file=sys.stderr, flush=True)
        write_json(options.out, outcomes)
    rows = [(kind, *outcomes[kind]) for kind in kinds]
    print(table(("family", "", "why"), [row for row in rows if row[1] != "ok"]))
    print(f"ok: {', '.join(kind for kind, outcome, _ in rows if outcome == 'ok')}")
    print(", ".join(f"{count} {outcome}" for outcome, count in Counter(row[1] for row in rows).most_common()))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    main(tyro.cli(Options))
