"""Push: a student to the Hugging Face hub, from where ``potstill.load`` takes it by its name."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import tyro

from potstill.artifacts import CARD, MANIFEST
from potstill.errors import PotstillError
from potstill.model_folder import ModelFolder
from potstill.progress import Progress, silent

logger = logging.getLogger(__name__)

_NOT_PUSHED = [MANIFEST, ".*"]  # Potstill's own book-keeping, and work in progress


@dataclass(frozen=True)
class PushOptions:
    """Upload a student with its model card to the Hugging Face hub."""

    student: Annotated[Path, tyro.conf.Positional]
    """A student's folder, or a run's, whose student/ is meant."""
    repository: Annotated[str, tyro.conf.Positional]
    """Its name on the hub, USER/NAME. Made where it is missing."""
    private: bool = False
    """Make it private where it is missing."""


@dataclass(frozen=True)
class Pushed:
    """A student on the hub.

    :param url: of the commit.
    """

    repository: str
    url: str

    def __str__(self) -> str:
        return f"{self.repository}: {self.url}"


def push(options: PushOptions, progress: Progress = silent) -> Pushed:
    """Upload a student's folder in one commit.

    :raises PotstillError: when the folder is not a model's, there is no token, or the hub refuses or is not reached.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError

    model = ModelFolder.find(options.student)
    model.files()
    folder = model.path
    if not (folder / CARD).is_file():
        logger.info("%s: no %s in it: the hub will show no model card", folder, CARD)
    if get_token() is None:
        raise PotstillError("the hub asks for a token: give one with hf auth login, or in the variable HF_TOKEN")
    # What fails on the way is an OSError, or the HTTP library's own error, which the hub's derives from.
    failures = cast(tuple[type[Exception], ...], (OSError, ValueError, *HfHubHTTPError.__bases__))
    try:
        api = HfApi()
        api.create_repo(options.repository, private=options.private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=options.repository,
            folder_path=folder,
            ignore_patterns=_NOT_PUSHED,
            commit_message="Upload a student with Potstill",
        )
    except failures as error:
        reason = " ".join(str(error).split())
        raise PotstillError(f"{options.repository}: the hub did not take it ({reason}); nothing here changed") from None
    return Pushed(options.repository, str(commit.commit_url))
