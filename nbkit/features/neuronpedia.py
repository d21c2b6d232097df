"""An atlas as files that Neuronpedia takes: bodies of requests to its `/api/feature/upload-batch`.

The schema is `uploadBatchSchema` of `apps/webapp/app/api/feature/upload-batch/route.tsx` in the public repository
hijohnnylin/neuronpedia, as of commit ebb8426 (August 20, 2026). A *source* there is a layer; activations of equal
`quantileMin`, `quantileMax` and `quantileFraction` stand in one section of a feature's page. So a feature cluster
becomes a section: from its weakest to its strongest example, and its share of the neuron's examples.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.neuron import Neuron
from nbkit.atlas.snippets import TOKENS_BEFORE, Snippet
from nbkit.errors import NbkitError
from nbkit.files import handing_over
from nbkit.method.checks import shown
from nbkit.models.site import CENTERED
from nbkit.parallel.pool import gather

ABOUT_UPLOAD = "neuronpedia.json"
SCHEMA = "hijohnnylin/neuronpedia@ebb8426: POST /api/feature/upload-batch"
PER_BATCH = 128
"""Features in a request, at most."""
MOST_LOGITS = 20
MOST_SECTIONS = 10
"""Sections of a feature: its largest clusters."""
PER_CLUSTER = 5
"""Examples in a section: the medoid, then the first in corpus order."""
ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}")


@dataclass(frozen=True)
class NeuronpediaExport:
    """What was written for Neuronpedia."""

    schema: str
    """Address at which the form of the files is published."""
    model_id: str
    """Neuronpedia's name of the model."""
    source_set: str
    """Name of the source set that the files are for."""
    embedding: str
    """Embedding that the clusters are of (see `AtlasConfig.embedding`)."""
    n_features: int
    """How many neurons the files hold."""
    n_left_out: int
    """How many were left out: neurons without examples, or with activations that are not finite, which Neuronpedia does
    not take."""
    n_files: int
    """How many files with neurons there are."""


def export_neuronpedia(
    atlas: Atlas,
    out: str | Path,
    model_id: str | None = None,
    source_set: str | None = None,
    layers: Literal["all"] | Sequence[int] = "all",
    progress: bool = True,
) -> NeuronpediaExport:
    """Write neurons with their examples, by feature cluster, in the form that Neuronpedia takes for upload.

    Model and source set have to be there before an upload, which needs an API key: `Model.new`, `SourceSet.new` of
    Neuronpedia's Python package. Nothing is sent from here.

    Args:
        atlas: what is exported.
        out: a new folder; gets a folder `<layer>-<source_set>` a layer, in it `batch-0000.json` and so on with up to
            128 neurons each, and `neuronpedia.json`, which tells what is there. One of an earlier export is replaced.
        model_id: Neuronpedia's name of the model; None takes the last part of the atlas's, in lower case.
        source_set: the name of your source set there; None takes `neuron-embeddings`, or `centered-vectors` of an atlas
            of that embedding.
        layers: which layers.
        progress: whether to show a bar.

    Returns:
        What `neuronpedia.json` says.

    Raises:
        NbkitError: the atlas is of images or of activations below zero, or doesn't hold a layer, a name is none that
            Neuronpedia takes, or the folder can't be written or holds something else.
    """
    if atlas.manifest.sign != "positive":
        raise NbkitError(
            f"Neuronpedia shows of a text where it is highest, and atlas {atlas.path} is of activations below zero: "
            "build one with sign='positive'"
        )
    if atlas.images is not None:
        raise NbkitError(f"Neuronpedia shows text, and atlas {atlas.path} is of images: nothing can be exported")
    if model_id is None:
        model_id = re.sub(r"[^a-z0-9_-]+", "-", atlas.manifest.model_name.split("/")[-1].lower()).strip("-")
    embedding = atlas.manifest.embedding
    if source_set is None:
        source_set = "centered-vectors" if embedding == CENTERED else "neuron-embeddings"
    for what, name in (("model", model_id), ("source set", source_set)):
        if not isinstance(name, str) or not ID.fullmatch(name):
            raise NbkitError(
                f"Neuronpedia takes no {what} named {shown(name)}: use lower-case letters, digits, '-' and '_'"
            )
    chosen = atlas.layers if isinstance(layers, str) and layers == "all" else _checked(layers, atlas)
    with handing_over(out, ABOUT_UPLOAD) as folder:
        tasks = [(atlas, layer, folder, model_id, f"{layer}-{source_set}") for layer in chosen]
        n_units = sum(atlas.manifest.site(layer).n_units for layer in chosen)
        counts = gather(_write_layer, tasks, n_units, "Neuronpedia", "layer", progress)
        n_features, n_files = np.sum(counts, axis=0, dtype=int).tolist()
        n_left_out = n_units - n_features
        export = NeuronpediaExport(SCHEMA, model_id, source_set, embedding, n_features, n_left_out, n_files)
        (folder / ABOUT_UPLOAD).write_text(json.dumps(asdict(export), indent=2) + "\n", encoding="utf-8")
    return export


def _checked(layers: Sequence[int], atlas: Atlas) -> tuple[int, ...]:
    try:
        chosen = tuple(dict.fromkeys(atlas.neuron(layer, 0).layer for layer in layers))
    except TypeError:
        chosen = ()
    if not chosen:
        raise NbkitError(f"layers is {shown(layers)}: give 'all', or the numbers of some layers")
    return chosen


def _write_layer(atlas: Atlas, layer: int, folder: Path, model_id: str, source: str) -> tuple[int, int]:
    """Write a layer's batches; returns how many features and how many files."""
    (folder / source).mkdir()
    features = [
        {"index": neuron.index, "activations": _activations(neuron)} | _logits(atlas, neuron)
        for neuron in atlas.iterate(layer)
        if len(neuron) and np.isfinite(neuron.window).all()
    ]
    starts = range(0, len(features), PER_BATCH)
    for number, start in enumerate(starts):
        batch = {"modelId": model_id, "source": source, "features": features[start : start + PER_BATCH]}
        text = json.dumps(batch, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        (folder / source / f"batch-{number:04d}.json").write_text(text, encoding="utf-8")
    return len(features), len(starts)


def _logits(atlas: Atlas, neuron: Neuron) -> dict[str, Any]:
    """The tokens that a neuron promotes and suppresses; nothing if its model has no map from neurons to tokens."""
    effects = neuron.logit_effects
    if effects is None or not np.isfinite([effects.promoted, effects.suppressed]).all():
        return {}
    sides = {
        "topLogits": (effects.promoted_ids, effects.promoted),
        "bottomLogits": (effects.suppressed_ids, effects.suppressed),
    }
    return {
        name: [
            {"token": token, "value": _short(value)}
            for token, value in zip(atlas.token_strings(ids[:MOST_LOGITS]), values[:MOST_LOGITS], strict=True)
        ]
        for name, (ids, values) in sides.items()
    }


def _activations(neuron: Neuron) -> list[dict[str, Any]]:
    """The examples of the largest clusters, or the first ones of a neuron whose embeddings have no direction."""
    if not neuron.has_direction():
        return [_activation(neuron, example) for example in range(min(len(neuron), MOST_SECTIONS * PER_CLUSTER))]
    clusters = neuron.clusters()
    activations = []
    for label, medoid in enumerate(clusters.medoids[:MOST_SECTIONS]):
        members = np.flatnonzero(clusters.labels == label)
        peaks = neuron.peak[members]
        section = {
            "quantileMin": _short(peaks.min()),
            "quantileMax": _short(peaks.max()),
            "quantileFraction": _short(len(members) / len(neuron)),
        }
        chosen = [medoid, *members[members != medoid]][:PER_CLUSTER]
        activations += [_activation(neuron, int(example)) | section for example in chosen]
    return activations


def _activation(neuron: Neuron, example: int) -> dict[str, Any]:
    texts, key = neuron.snippet_tokens[example]
    window = neuron.window[example, TOKENS_BEFORE - key :][: len(texts)].tolist()
    snippet = Snippet.of(texts, window, key, int(neuron.context[example]), int(neuron.position[example]))
    return {"tokens": list(snippet.tokens), "values": [_short(value) for value in snippet.activations]}


def _short(value: float) -> float:
    """Five significant digits, which is more than a page shows."""
    return float(f"{value:.5g}")
