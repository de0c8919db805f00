"""A model's folder by its name on the Hugging Face hub. Only what prediction needs is downloaded, once."""

import re
from pathlib import Path

from potstill.artifacts import CONFIG, ONNX_FILES, PLAN_WEIGHTS, PLANS, PRECISION, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS
from potstill.corpus.safe_loading import OneLineErrors
from potstill.errors import require

_SMALL = [CONFIG, TOKENIZER, TOKENIZER_CONFIG, PRECISION, *PLANS.values()]
_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def find_folder(name: str | Path, *, has_core: bool = False) -> Path:
    """A folder as it is; for ``USER/NAME`` that is none here, the folder that the hub's files are downloaded to.

    :param has_core: whether students run in the native core, not in ONNX Runtime.
    :raises PotstillError: when the hub has no such model, or is not reached and the files are not here already.
    """
    path = Path(name)
    if path.exists() or not _NAME.fullmatch(str(name)):
        return path
    require("hub", "huggingface_hub")
    from huggingface_hub import snapshot_download

    with OneLineErrors(f"{name}: neither a folder here nor a model that the hub gives"):
        folder = Path(snapshot_download(str(name), allow_patterns=_SMALL))
        # The weights of a teacher, which has no plan, are not downloaded: ONNX Runtime does not read them.
        has_plan = any((folder / plan).is_file() for plan in PLANS.values())
        weights = [WEIGHTS, *PLAN_WEIGHTS.values()] if has_core and has_plan else ONNX_FILES.values()
        return Path(snapshot_download(str(name), allow_patterns=[*_SMALL, *weights]))
