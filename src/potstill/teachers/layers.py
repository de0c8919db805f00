"""Cutting a transformer down to fewer layers: a student made of its teacher's own layers."""

import numpy as np
from torch import nn
from transformers import PreTrainedModel

from potstill.errors import PotstillError


def keep_layers(model: PreTrainedModel, layers: int) -> None:
    """Keep some of a transformer's layers, in place: evenly spread ones, the first and the last among them
    (DistilBERT, Sanh et al. 2019, https://arxiv.org/abs/1910.01108, takes every other one).

    :param layers: how many; 1: the first one.
    :raises PotstillError: when it has fewer, or its layers share their weights (ALBERT).
    """
    before = int(getattr(model.config, "num_hidden_layers", 0))
    stacks = [
        (module, name)
        for module in model.modules()
        for name, child in module.named_children()
        if isinstance(child, nn.ModuleList) and len(child) == before
    ]
    if not stacks:
        raise PotstillError(f"--layers={layers}: a {model.config.model_type} has no list of layers to take some from")
    if layers > before:
        raise PotstillError(f"--layers={layers}: it has {before} layers")
    kinds = getattr(type(model.config), "layer_types", None)
    if isinstance(kinds, property) and kinds.fset is None:  # Jamba's
        raise PotstillError(f"--layers={layers}: which kind a {model.config.model_type}'s layer is goes by its number")
    kept = np.linspace(0, before - 1, layers).round().astype(int)
    for module, name in stacks:
        stack = getattr(module, name)
        setattr(module, name, nn.ModuleList(stack[i] for i in kept))
    model.config.num_hidden_layers = layers
    if getattr(model.config, "layer_types", None):  # one a layer, such as ModernBERT's
        model.config.layer_types = [model.config.layer_types[i] for i in kept]
