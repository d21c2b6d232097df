"""The medoids of many neurons' features as flat arrays, as medoid-data.js reads them: what a list shows of a neuron."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nbkit.atlas.neuron import Neuron
from nbkit.atlas.snippets import TOKENS_BEFORE
from nbkit.atlas.tokens import token_positions
from nbkit.explorers.atlas.neuron_shard import Text
from nbkit.models.sign import strength

AROUND_MEDOID = np.arange(-10, 9)
"""Tokens around a medoid's key token: more than a line of a list has room for."""
MEDOID_STEPS = 15
"""Between 0 and the activation at the key token, on either side of 0."""


def medoid_arrays(neurons: Sequence[Neuron], features: pd.DataFrame, text: Text) -> dict[str, np.ndarray]:
    """Return the arrays of a shard.

    Args:
        neurons: those of the shard.
        features: their features, in the order of `features_of`.
        text: where the examples are taken from.

    Returns:
        `counts`: features of each neuron. Of each feature its `size` and, of its medoid's text, the `length` in tokens
        and the place of the `key` token. Of each token of these texts, one after another, `tokens`, its place in the
        vocabulary, and `steps`, its activation as a share of the key token's size, in fifteenths: below 0 where the
        activation is, and 0 where it has no strength (see `nbkit.models.sign`).
    """
    of_neuron = {(neuron.layer, neuron.index): neuron for neuron in neurons}
    counts = dict.fromkeys(of_neuron, 0)
    keys, texts, steps = [], [np.empty(0, text.place.dtype)], [np.empty(0)]
    for layer, index, medoid in zip(features["layer"], features["index"], features["medoid"], strict=True):
        neuron = of_neuron[layer, index]
        counts[layer, index] += 1
        n_tokens = text.tokens.shape[1]
        at = token_positions(neuron.position[medoid], n_tokens) + AROUND_MEDOID
        inside = (at >= 0) & (at < n_tokens)
        keys.append(int(np.flatnonzero(AROUND_MEDOID[inside] == 0)[0]))
        texts.append(text.place[text.tokens[neuron.context[medoid], at[inside]]])
        window = neuron.window[medoid, AROUND_MEDOID[inside] + TOKENS_BEFORE].astype(np.float64)
        share = strength(window, neuron.sign) / abs(float(neuron.peak[medoid]))
        steps.append(np.copysign(np.rint(share.clip(0, 1) * MEDOID_STEPS), window))
    return {
        "counts": np.array(list(counts.values()), dtype=np.uint16),
        "size": features["size"].to_numpy(np.uint16),
        "length": np.array([len(tokens) for tokens in texts[1:]], dtype=np.uint8),
        "key": np.array(keys, dtype=np.uint8),
        "tokens": np.concatenate(texts),
        "steps": np.concatenate(steps).astype(np.int8),
    }


def medoid_places(neurons: Sequence[Neuron], features: pd.DataFrame) -> dict[str, np.ndarray]:
    """Where the medoids are, for a shard of an atlas of images: the `context` of each feature's and its `position`.

    Args:
        neurons, features: as in `medoid_arrays`.
    """
    of_neuron = {(neuron.layer, neuron.index): neuron for neuron in neurons}
    rows = list(zip(features["layer"], features["index"], features["medoid"], strict=True))
    return {
        name: np.array([getattr(of_neuron[layer, index], name)[medoid] for layer, index, medoid in rows], np.uint32)
        for name in ("context", "position")
    }
