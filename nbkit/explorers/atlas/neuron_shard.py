"""The neurons of one shard of an atlas as flat arrays, as atlas-data.js reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int, UInt8

from nbkit.atlas.neuron import InputWeights, Neuron
from nbkit.atlas.quadrants import QUADRANTS
from nbkit.atlas.snippets import TOKENS_AFTER, TOKENS_BEFORE, WINDOW
from nbkit.atlas.tokens import token_positions
from nbkit.method.clusters import cosine_distances, node_medoids
from nbkit.models.sign import strength

ACTIVATION_STEPS = 63
"""Steps between 0 and a neuron's strongest activation, on either side: half of what 8 bits have takes an eighth less
room."""
IMPORTANCE_STEPS = 17
"""Steps of token importance."""
AROUND_EXAMPLE = np.arange(-TOKENS_BEFORE, TOKENS_AFTER + 1)
AROUND_PEAK = AROUND_EXAMPLE[(AROUND_EXAMPLE >= -10) & (AROUND_EXAMPLE <= 5)]
"""What is shown around the peak of a context that is no dataset example."""

NO_EXAMPLE = 0xFFFF
"""What stands for none of a neuron's dataset examples."""
NO_QUADRANT = len(QUADRANTS)
"""What stands for the quadrant of an example of a neuron that is not gated."""

Importance = Mapping[tuple[int, int, int], Float[np.ndarray, " tokens"]]
"""Of (layer, index, example) values in [0, 1] for the window's tokens up to the key token."""


@dataclass(frozen=True)
class Text:
    """The contexts as places in the explorer's vocabulary."""

    tokens: Int[np.ndarray, "n_contexts length"]
    place: Int[np.ndarray, " n_ids"]
    """Of each token id its place in the vocabulary, in the type that a shard holds it in."""


def neuron_arrays(
    neurons: Sequence[Neuron], text: Text, threshold: float, importance: Importance
) -> dict[str, np.ndarray]:
    """Return the arrays of a shard, each over all `neurons` in order.

    Where neurons have examples and no direction, and so no tree, `undirected` has their places among `neurons`. Logit
    effects that some of them have and others don't are zeros for the others.

    All bands of activation are there with their counts. Of those that reach below the dataset examples, every second
    one that holds any has an example from there: about one an octave. Of the strongest contexts (see `Strongest`),
    `strongest` has the numbers and `strongest_example` the dataset examples that they are; the others have their text
    under `strong_`, with the dataset example whose embedding is nearest to theirs and its cosine distance. Where some
    neurons are gated, `quadrant` has the place in `QUADRANTS` of each example, and `strong_quadrant` of each other one.
    Activations keep their signs; maxima and the edges of bands are of strengths (see `nbkit.models.sign`).

    Args:
        neurons: those of the shard.
        text: where the examples are taken from.
        threshold: share of its maximum that a neuron's dataset examples reach.
        importance: of the examples of which it is known.
    """
    directed = [neuron.has_direction() for neuron in neurons]
    examples = [_Examples.of(n.context, n.position, n.peak, n.window, text, AROUND_EXAMPLE) for n in neurons]
    levels = [_levels(neuron, threshold, text) for neuron in neurons]
    strong = [_stronger(neuron, has_one, text) for neuron, has_one in zip(neurons, directed, strict=True)]
    scales = [
        _scale(some.windows, low.windows, high.windows)
        for some, (_, low), high in zip(examples, levels, strong, strict=True)
    ]
    arrays: dict[str, np.ndarray] = {
        "n": np.array([len(neuron) for neuron in neurons], dtype=np.uint16),
        "max": np.array([neuron.max_activation for neuron in neurons], dtype=np.float32),
        "scale": np.array(scales, dtype=np.float32),
        **_flat("", examples, scales),
        **_trees([neuron for neuron, has_one in zip(neurons, directed, strict=True) if has_one]),
        **_joined([bands for bands, _ in levels]),
        "levels": np.array([len(bands["low"]) for bands, _ in levels], dtype=np.uint8),
        **_flat("level_", [low for _, low in levels], scales),
        "strongest": np.array([len(neuron.strongest.example) for neuron in neurons], dtype=np.uint8),
        "strongest_example": np.concatenate([neuron.strongest.example for neuron in neurons]).astype(np.uint16),
        **_flat("strong_", strong, scales),
        **_importance(neurons, importance),
    }
    if any(neuron.site.gated for neuron in neurons):
        rest = [neuron.strongest.pre_mlp[neuron.strongest.example < 0] for neuron in neurons]
        arrays["quadrant"] = np.concatenate([_quadrants(neuron.weights, neuron.pre_mlp) for neuron in neurons])
        arrays["strong_quadrant"] = np.concatenate(
            [_quadrants(neuron.weights, vectors) for neuron, vectors in zip(neurons, rest, strict=True)]
        )
    if not all(directed):
        arrays["undirected"] = np.flatnonzero(~np.array(directed)).astype(np.uint16)
    effects = [neuron.logit_effects for neuron in neurons]
    if (one := next((effect for effect in effects if effect is not None), None)) is not None:
        none = replace(one, promoted=np.zeros_like(one.promoted), suppressed=np.zeros_like(one.suppressed))
        known = [effect or none for effect in effects]
        ids = [ids for effect in known for ids in (effect.promoted_ids, effect.suppressed_ids)]
        arrays["logit_tokens"] = text.place[np.concatenate(ids)]
        values = [values for effect in known for values in (effect.promoted, effect.suppressed)]
        arrays["logit_values"] = rounded(np.concatenate(values))
    return arrays


@dataclass(frozen=True)
class _Examples:
    """The n examples of one neuron, without what lies outside their contexts."""

    columns: dict[str, np.ndarray]
    tokens: Int[np.ndarray, " t"]
    windows: Float[np.ndarray, " t"]

    @classmethod
    def of(
        cls,
        context: Int[np.ndarray, " n"],
        position: Int[np.ndarray, " n"],
        peak: Float[np.ndarray, " n"],
        window: Float[np.ndarray, "n window"],
        text: Text,
        around: Int[np.ndarray, " near"],
    ) -> _Examples:
        """Examples with the tokens that lie `around` their peaks."""
        n_tokens, n_positions = text.tokens.shape[1], int(position.max(initial=0)) + 1
        at = token_positions(position, n_tokens)[:, None] + around
        inside = (at >= 0) & (at < n_tokens)
        ids = text.tokens[context[:, None], at.clip(0, n_tokens - 1)][inside]
        columns = {
            "length": inside.sum(axis=1).astype(np.uint8),
            "key": np.minimum(token_positions(position, n_tokens), -around[0]).astype(np.uint8),
            "context": context.astype(np.uint32),
            "position": position.astype(np.uint16 if n_positions <= 1 << 16 else np.uint32),
            "peak": peak.astype(np.float32),
        }
        seen = window[:, around + TOKENS_BEFORE]
        return cls(columns, text.place[ids], seen[inside].astype(np.float32))


def _stronger(neuron: Neuron, directed: bool, text: Text) -> _Examples:
    """The strongest contexts that are none of the neuron's dataset examples."""
    all_of_them = neuron.strongest
    rest = all_of_them.example < 0
    context, position, peak, window = (
        getattr(all_of_them, name)[rest] for name in ("context", "position", "peak", "window")
    )
    examples = _Examples.of(context, position, peak, window, text, AROUND_EXAMPLE)
    near, distance = np.full(rest.sum(), NO_EXAMPLE), np.full(rest.sum(), np.nan)
    if directed and len(neuron) and rest.any():
        pre_mlp = np.concatenate([neuron.pre_mlp, all_of_them.pre_mlp[rest]])
        embeddings = neuron.embed(pre_mlp)
        apart = cosine_distances(embeddings)[len(neuron) :, : len(neuron)]
        near, distance = apart.argmin(axis=1), apart.min(axis=1)
    columns = examples.columns | {"near": near.astype(np.uint16), "distance": rounded(distance)}
    return replace(examples, columns=columns)


def _flat(prefix: str, examples: Sequence[_Examples], scales: Sequence[float]) -> dict[str, np.ndarray]:
    """The columns, tokens and activations of all neurons; an activation is a whole number times its neuron's scale."""
    steps = [np.rint(some.windows / scale).astype(np.int8) for some, scale in zip(examples, scales, strict=True)]
    arrays = _joined([some.columns for some in examples])
    arrays |= {"tokens": np.concatenate([some.tokens for some in examples]), "windows": np.concatenate(steps)}
    return {f"{prefix}{name}": array for name, array in arrays.items()}


def _scale(*windows: Float[np.ndarray, " t"]) -> float:
    largest = max((float(np.abs(values).max()) for values in windows if len(values)), default=0.0)
    return float(np.float32(largest / ACTIVATION_STEPS)) or 1.0


def _trees(neurons: Sequence[Neuron]) -> dict[str, np.ndarray]:
    trees: list[dict[str, np.ndarray]] = [
        {"pairs": np.empty(0, np.uint16), "heights": np.empty(0, np.float32), "medoids": np.empty(0, np.uint16)}
    ]
    for neuron in neurons:
        if len(neuron) < 2:
            continue
        clusters = neuron.clusters()
        exact = clusters.linkage[:, 2]
        heights = _beside(neuron.cut(), exact)
        medoids = np.array(node_medoids(clusters), dtype=np.uint16)
        pairs = clusters.linkage[:, :2].astype(np.uint16).ravel()
        trees.append({"pairs": pairs, "heights": heights, "medoids": medoids})
    return _joined(trees)


def _beside(cut: float, exact: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """Heights in float32, each on the side of the cut that it was on: the browser must find the same clusters."""
    heights, below = exact.astype(np.float32), exact <= cut
    moved = (heights.astype(np.float64) <= cut) != below
    heights[moved] = np.nextafter(heights[moved], np.where(below[moved], np.float32(0), np.float32(2)))
    return heights


def _levels(neuron: Neuron, threshold: float, text: Text) -> tuple[dict[str, np.ndarray], _Examples]:
    """The bands of a neuron's activation, and some of their examples that are too weak to be dataset examples."""
    bands = neuron.levels
    kept: list[Int[np.ndarray, " 0..1"]] = []
    for band in bands:
        weak = np.flatnonzero(strength(band.peak, neuron.sign) < threshold * neuron.max_activation)
        kept.append(weak[: 0 if kept and len(kept[-1]) else 1])
    columns: dict[str, np.ndarray] = {
        "low": np.array([band.low for band in bands], dtype=np.float32),
        "high": np.array([band.high for band in bands], dtype=np.float32),
        "count": np.array([band.count for band in bands], dtype=np.uint32),
        "shown": np.array([len(examples) for examples in kept], dtype=np.uint8),
    }
    nothing = {"context": np.empty(0, int), "position": np.empty(0, int), "peak": np.empty(0)}
    examples = {
        name: np.concatenate([none, *(getattr(band, name)[rows] for band, rows in zip(bands, kept, strict=True))])
        for name, none in (nothing | {"window": np.empty((0, WINDOW))}).items()
    }
    return columns, _Examples.of(**examples, text=text, around=AROUND_PEAK)


def _quadrants(weights: InputWeights, vectors: Float[np.ndarray, "n d"]) -> UInt8[np.ndarray, " n"]:
    """Of each vector the place of its quadrant in `QUADRANTS`."""
    found = weights.quadrants(vectors)
    if found is None:
        return np.full(len(vectors), NO_QUADRANT, dtype=np.uint8)
    places: UInt8[np.ndarray, " n"] = (found[:, None] == np.array(QUADRANTS)).argmax(axis=1).astype(np.uint8)
    return places


def _importance(neurons: Sequence[Neuron], importance: Importance) -> dict[str, np.ndarray]:
    found = [
        [
            (example, importance[key])
            for example in range(len(neuron))
            if (key := (neuron.layer, neuron.index, example)) in importance
        ]
        for neuron in neurons
    ]
    values = [
        np.rint(values * IMPORTANCE_STEPS) * (255 // IMPORTANCE_STEPS) for of_neuron in found for _, values in of_neuron
    ]
    return {
        "important": np.array([len(of_neuron) for of_neuron in found], dtype=np.uint16),
        "important_example": np.array([example for of_neuron in found for example, _ in of_neuron], dtype=np.uint16),
        "importance": np.concatenate([np.empty(0), *values]).astype(np.uint8),
    }


def rounded(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Values to a part in two thousand, which is three digits: their last bits are 0 and take no room."""
    bits = np.asarray(values, dtype=np.float32).view(np.uint32)
    short: Float[np.ndarray, " n"] = ((bits + (1 << 12)) & ~np.uint32((1 << 13) - 1)).view(np.float32)
    return short


def _joined(rows: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
