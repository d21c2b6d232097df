"""A neuron embedding checked on a real neuron, and the kinds of embedding held against each other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbkit.atlas.neuron import Neuron
from nbkit.method.embeddings import EMBEDDING_NAMES
from nbkit.method.intervals import summarize
from nbkit.models import activation_function


def identity(neuron: Neuron, n: int = 6) -> pd.DataFrame:
    """For the first n examples the sums of the neuron's embeddings, and the activation that follows from them.

    `captured` is the activation that the scan saw; `difference` is rounding.
    """
    act_fn = activation_function(neuron.activation)
    table = pd.DataFrame({"key token": [snippet.key_token for snippet in neuron.snippets[:n]]})
    kinds = [kind for kind in ("input", "gate", "up") if kind in neuron.kinds]
    sums = {kind: neuron.embeddings(kind)[:n].sum(1, dtype=np.float64) for kind in kinds}
    biases = {"gate": neuron.weights.b_gate}
    for kind in kinds:
        sums[kind] = sums[kind] + biases.get(kind, neuron.weights.b_in)
        table[f"sum of the {kind} embedding + bias"] = sums[kind]
    inner = _apply(act_fn, sums["gate" if "gate" in sums else "input"])
    table["activation"] = inner * sums["up"] if "up" in sums else inner
    table["captured"] = neuron.peak[:n]
    table["difference"] = table["activation"] - table["captured"]
    return table


def _apply(act_fn: object, values: np.ndarray) -> np.ndarray:
    import torch

    assert callable(act_fn)
    result: np.ndarray = act_fn(torch.from_numpy(values)).numpy()
    return result


def faithfulness_table(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Mean faithfulness of every kind of embedding over the sampled neurons, with its 95% bootstrap interval."""
    rows = []
    for kind, group in table.groupby("kind", sort=False):
        mean = summarize(group["faithfulness"], seed).iloc[0]
        name = EMBEDDING_NAMES[str(kind)]
        rows.append({"embedding": name, "mean": mean["value"], "low": mean["low"], "high": mean["high"]})
    return pd.DataFrame(rows).set_index("embedding").sort_values("mean", ascending=False)
