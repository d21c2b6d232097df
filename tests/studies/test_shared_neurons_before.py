"""Neurons of the layer before as features of what a layer reads, beside the derivative of the model itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nbkit.method.feature_basis import feature_contributions
from nbkit.models import LanguageModel, load_model
from nbkit.studies.shared.planted.labeled_contexts import LabeledContexts
from nbkit.studies.shared.planted.neurons_before import neurons_before
from nbkit.studies.shared.planted.token_reads import read_layers
from tests.examples.tiny_models import make_model
from tests.examples.token_reads import unlabeled


def opened(architecture: str, folder: Path) -> tuple[LanguageModel, LabeledContexts]:
    model = load_model(make_model(architecture, folder), dtype="float32", device="cpu")
    return model, unlabeled(5, last_special=architecture == "bert")


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_they_are_the_layer_befores_and_what_it_reads_of_them(architecture: str, tmp_path: Path) -> None:
    model, labeled = opened(architecture, tmp_path)
    (reads,) = read_layers(model, labeled, [1], around=np.ones(5, dtype=bool))
    rows = np.array([3, 17, 20])
    found = reads.text(rows).neurons_before
    assert found is not None
    activations = torch.cat(list(model.capture(labeled.contexts, "blocks.0.mlp.hook_post")))
    np.testing.assert_allclose(found.codes, activations.flatten(0, 1)[rows].numpy(), rtol=1e-4, atol=1e-5)

    # what the norm makes of what the neurons write, with the division that the stream as it is brings about
    stream = torch.cat(list(model.capture(labeled.contexts, "blocks.1.hook_resid_mid"))).flatten(0, 1)[rows]
    norm, out = model.norm(1), model.output_weights(0)
    weights = np.random.default_rng(0).normal(size=model.d_model).astype(np.float32)
    for number, row in enumerate(rows):
        moved = stream[number] - stream[number].mean() if norm.centered else stream[number]
        size = float(moved.square().mean().sqrt())
        one_by_one = []
        for neuron in range(model.d_mlp):
            alone = torch.zeros(model.d_mlp)
            alone[neuron] = activations.flatten(0, 1)[row][neuron]
            wrote = (out(alone) - out(torch.zeros(model.d_mlp))).detach()
            wrote = wrote - wrote.mean() if norm.centered else wrote
            one_by_one.append(float(wrote / size * norm.scale @ torch.from_numpy(weights)))
        added = feature_contributions(found.codes, found.directions, weights)[number]
        np.testing.assert_allclose(added / size, one_by_one, rtol=1e-3, atol=1e-6)


def test_without_a_layer_before_or_with_norms_behind_the_sums_there_are_none(tmp_path: Path) -> None:
    model, labeled = opened("llama", tmp_path)
    assert neurons_before(model, labeled.contexts, 0) is None
    assert neurons_before(model, labeled.contexts, 1) is not None
    plain, asked = read_layers(model, labeled, [1])[0], read_layers(model, labeled, [0], around=np.ones(5, bool))[0]
    assert plain.text(np.array([3])).neurons_before is None
    assert asked.text(np.array([3])).neurons_before is None
    encoder, labeled = opened("bert", tmp_path / "encoder")
    assert neurons_before(encoder, labeled.contexts, 1) is None
