"""Where labelling and tagging run: the registries of engines. An engine knows shards and parts, but no models."""

from collections.abc import Callable
from typing import Literal

from potstill.augment.tagging import Pool
from potstill.labelling import local, ray

Engine = Literal["local", "ray"]

ENGINES: dict[Engine, Callable[..., int]] = {"local": local.label_shards, "ray": ray.label_shards}
"""Label texts into the shards of a folder: functions like :func:`potstill.labelling.local.label_shards`."""

POOLS: dict[Engine, Pool | None] = {"local": None, "ray": ray.pool}
"""Where text is tagged; None: in processes of this machine."""
