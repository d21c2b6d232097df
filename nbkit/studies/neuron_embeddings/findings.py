"""A neuron embedding checked on a real neuron, and the kinds of embedding held against each other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbkit.atlas.neuron import Neuron
from nbkit.atlas.snippets import display_token
from nbkit.features.words import SPACE_SIGN
from nbkit.method.embeddings import EMBEDDING_NAMES
from nbkit.method.intervals import summarize
from nbkit.models import activation_function
from nbkit.studies.shared.estimate import Estimate
from nbkit.studies.shared.table import BookTable

ROUNDING_COLUMN = "difference, millionths"


def identity(neuron: Neuron, n: int = 6) -> BookTable:
    """For the first n examples the sums of the neuron's embeddings, and the activation that follows from them.

    `captured` is the activation that the scan saw; the difference between the two is rounding.
    """
    act_fn = activation_function(neuron.activation)
    table = pd.DataFrame(
        index=[display_token(snippet.key_token).strip() or SPACE_SIGN for snippet in neuron.snippets[:n]]
    )
    kinds = [kind for kind in ("input", "gate", "up") if kind in neuron.kinds]
    sums = {kind: neuron.embeddings(kind)[:n].sum(1, dtype=np.float64) for kind in kinds}
    biases = {"gate": neuron.weights.b_gate}
    for kind in kinds:
        sums[kind] = sums[kind] + biases.get(kind, neuron.weights.b_in)
        table[f"sum of the {kind} embedding + bias"] = sums[kind]
    inner = _apply(act_fn, sums["gate" if "gate" in sums else "input"])
    table["activation"] = inner * sums["up"] if "up" in sums else inner
    table["captured"] = neuron.peak[:n]
    table[ROUNDING_COLUMN] = 1e6 * (table["activation"] - table["captured"])
    return BookTable("identity", table, {**dict.fromkeys(map(str, table), 4), ROUNDING_COLUMN: 1})


def _apply(act_fn: object, values: np.ndarray) -> np.ndarray:
    import torch

    assert callable(act_fn)
    result: np.ndarray = act_fn(torch.from_numpy(values)).numpy()
    return result


def faithfulness_table(table: pd.DataFrame, seed: int = 0) -> BookTable:
    """Mean faithfulness of every kind of embedding over the sampled neurons, with its 95% bootstrap interval, and the
    neurons for which it is defined; the highest first."""
    rows: dict[str, tuple[Estimate, int]] = {}
    for kind, group in table.groupby("kind", sort=False):
        mean = summarize(group["faithfulness"], seed).iloc[0]
        estimate = Estimate(float(mean["value"]), float(mean["low"]), float(mean["high"]))
        rows[EMBEDDING_NAMES[str(kind)]] = estimate, int(mean["n"])
    known_first = sorted(rows.items(), key=lambda row: -np.nan_to_num(row[1][0].value, nan=-np.inf))
    cells = pd.DataFrame.from_dict(dict(known_first), orient="index", columns=["mean correlation", "neurons"])
    return BookTable("faithfulness", cells)
