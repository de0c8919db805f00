"""A model's folder by its name on the Hugging Face hub. Only what prediction needs is downloaded, once."""

import re
from pathlib import Path

from potstill.artifacts import CONFIG, ONNX_FILES, PRECISION, TOKENIZER, TOKENIZER_CONFIG
from potstill.errors import NO_HOME, PotstillError

_FILES = [CONFIG, TOKENIZER, TOKENIZER_CONFIG, PRECISION, *ONNX_FILES.values()]
_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def find_folder(name: str | Path) -> Path:
    """A folder as it is; for ``USER/NAME`` that is none here, the folder that the hub's files are downloaded to.

    :raises PotstillError: when the hub has no such model, or is not reached and the files are not here already.
    """
    path = Path(name)
    if path.exists() or not _NAME.fullmatch(str(name)):
        return path
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(str(name), allow_patterns=_FILES))
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0]
        raise PotstillError(f"{name}: neither a folder here nor a model that the hub gives ({reason})") from None
    except RuntimeError:  # pathlib's, of a user without a home
        raise PotstillError(f"{name}: {NO_HOME}") from None
