"""Which embedding of a gated neuron says best what drives its activation: evidence for the default.

An embedding e of a vector h is read as an attribution: coordinate i contributes e_i. If that is right, setting a set S
of coordinates of h to zero changes the neuron's activation by about the sum of e over S. Random sets are ablated, the
activation is computed exactly, and the correlation between change and sum over the sets is the faithfulness. It needs
no clusters and no distances, so it favors no embedding space by construction.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from tqdm.auto import tqdm

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.neuron import Neuron
from nbkit.errors import NbkitError

SETS = 64
"""Random sets of coordinates an example."""


def faithfulness(
    atlas: Atlas, n_neurons: int = 500, max_examples: int = 20, share: float = 0.1, seed: int = 0, progress: bool = True
) -> pd.DataFrame:
    """Faithfulness of every kind of embedding on a random sample of neurons.

    Args:
        n_neurons: neurons drawn from those with at least two examples; one whose own embeddings have no direction is
            left out.
        max_examples: examples of each, the first.
        share: share of the coordinates that a set ablates.
        seed: of the sample and of the sets.

    Returns:
        One row per (neuron, kind): `layer`, `index`, `kind`, `faithfulness`, the mean correlation over the examples.
        `shuffled` is the control. NaN where an embedding has no direction.

    Raises:
        NbkitError: if no neuron has two examples.
    """
    rng = np.random.default_rng(seed)
    table = atlas.neurons[atlas.neurons["n_examples"] >= 2]
    if table.empty:
        raise NbkitError("no neuron has two examples: scan more text")
    drawn = table.iloc[np.sort(rng.choice(len(table), min(n_neurons, len(table)), replace=False))]
    rows = []
    places = list(zip(drawn["layer"], drawn["index"], strict=True))
    for layer, index in tqdm(places, desc="faithfulness", unit="neuron", disable=not progress):
        neuron = atlas.neuron(int(layer), int(index))
        if not neuron.has_direction():
            continue
        removed = rng.random((SETS, neuron.pre_mlp.shape[1])) < share
        change = activation_changes(neuron, removed, max_examples)
        for kind in neuron.kinds:
            score = np.nan
            if neuron.has_direction(kind):
                attributed = neuron.embeddings(kind)[:max_examples] @ removed.T
                score = float(np.mean(correlations(attributed, change)))
            rows.append({"layer": layer, "index": index, "kind": kind, "faithfulness": score})
    return pd.DataFrame(rows)


def activation_changes(neuron: Neuron, removed: np.ndarray, max_examples: int) -> Float[np.ndarray, "n sets"]:
    """Activation minus the activation with each set of coordinates set to zero, computed from the neuron's weights."""
    h = torch.from_numpy(neuron.pre_mlp[:max_examples]).double()
    ablated = h[:, None] * torch.from_numpy(~removed)  # (n, sets, d)
    before, after = (neuron.weights.activations(x, neuron.activation) for x in (h, ablated))
    change: np.ndarray = (before[:, None] - after).numpy()
    return change


def correlations(a: Float[np.ndarray, "n k"], b: Float[np.ndarray, "n k"]) -> Float[np.ndarray, " n"]:
    """Pearson correlation of each row of `a` with the same row of `b`."""
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    scale = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    result: np.ndarray = (a * b).sum(1) / np.where(scale > 0, scale, 1)
    return result
