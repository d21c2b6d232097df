"""The pages' neurons in the basis of an autoencoder: what the tables say, and who is drawn."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbkit.errors import NbkitError
from nbkit.features.in_basis import FeatureBasis
from nbkit.features.showcase import Choice
from nbkit.method.feature_basis import carried
from nbkit.studies.better_basis import named_clusters
from nbkit.studies.better_basis.named_clusters import (
    Clustered,
    LayerInBasis,
    clusters_named,
    drawn_neurons,
    layer_in_basis,
    layer_named,
    one_neuron,
)
from nbkit.studies.shared.behaviors import excerpt
from nbkit.studies.shared.language_model_saes import WithLatents
from tests.examples.beside_latents import tiny_with_latents
from tests.examples.tiny_models import D_MLP

HOOK = "blocks.1.mlp.hook_in"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> WithLatents:
    """Autoencoders of a place that no neuron reads, and of what the MLPs of a layer do."""
    return tiny_with_latents(tmp_path_factory.mktemp("latents"), ["blocks.1.hook_resid_post", HOOK], 80, 40)


@pytest.fixture(scope="module")
def layer(both: WithLatents) -> LayerInBasis:
    return layer_in_basis(both)


def test_the_layer_is_the_one_that_an_autoencoder_reads(both: WithLatents, layer: LayerInBasis) -> None:
    assert layer.basis.site.number == 1 and layer.basis.sae.hook == HOOK
    assert layer.unexplained == pytest.approx(100 * both.quality["unexplained"].iloc[1])
    assert layer.basis.latents is not None and layer.basis.latents.site.number == 4
    with pytest.raises(NbkitError, match="No autoencoder reads what an MLP of this atlas reads"):
        layer_in_basis(replace(both, folders={name: each for name, each in both.folders.items() if name != HOOK}))


def check_told(cell: str, found: Any, label: int, features: np.ndarray) -> None:
    numbers = [int(number) for number in re.findall(r"\(#(\d+)\)", cell)]
    assert numbers == features[found.names(label, 2)].tolist()
    shares = re.findall(r": (\d+)% / (\d+)%", cell)
    for number, (inside, elsewhere) in zip(numbers, shares, strict=True):
        place = int(np.searchsorted(features, number))
        assert int(inside) == pytest.approx(100 * found.inside[label, place], abs=0.51)
        assert int(elsewhere) == pytest.approx(100 * found.elsewhere[label, place], abs=0.51)


def test_a_neuron_s_clusters_name_their_features_in_both_spaces(
    layer: LayerInBasis, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = layer.basis.atlas.neurons
    index = int(table[table["layer"] == 1].sort_values("n_examples")["index"].iloc[-1])
    chosen = layer.basis.atlas.neuron(1, index)
    monkeypatch.setattr(named_clusters, "several_behaviors", lambda atlas, layer: Choice(chosen, f"Of layer {layer}."))
    found: Clustered = one_neuron(layer)
    assert (found.neuron.name, found.rule) == (chosen.name, "Of layer 1.")
    np.testing.assert_array_equal(found.papers.labels, chosen.clusters(0.5).labels)
    np.testing.assert_array_equal(found.ours.labels, layer.basis.neuron(index).clusters(0.5).labels)
    shown = clusters_named(found, most=2).written
    for (space, title), row in zip(shown.index.tolist(), shown.to_dict("records"), strict=True):
        clusters = found.papers if space == named_clusters.PAPERS else found.ours
        label = int(title) - 1
        assert int(row["examples"]) == clusters.sizes[label]
        names = carried(found.own.contributions, clusters.labels)
        check_told(row["features that name it"], names, label, found.own.features)
    assert layer.basis.latents is not None
    told = clusters_named(found, most=2).cells.to_dict("records")
    for row in told:
        number = int(re.findall(r"\(#(\d+)\)", row["features that name it"])[0])
        latent = layer.basis.latents.atlas.neuron(layer.basis.latents.site.number, number)
        peaks = [snippet.activations[snippet.key] for snippet in latent.snippets]
        assert row[named_clusters.OWN_EXAMPLE] == excerpt(latent.snippets[int(np.argmax(peaks))])


def test_neurons_are_drawn_of_those_with_two_clusters_of_several_examples(
    layer: LayerInBasis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named_clusters, "FEWEST_IN_TWO", (50, 2))  # 50 examples no cluster here has
    table = layer.basis.named_clusters(progress=False)
    able = [index for index, mine in table.groupby("index") if (mine["size"] >= 2).sum() >= 2]
    drawn = drawn_neurons(layer, most=3)
    assert (drawn.neurons, drawn.eligible, drawn.least) == (3, len(able), 2)
    titles = drawn.table.cells.index.get_level_values(0).unique()
    names = [int(match[1]) for title in titles if (match := re.match(r"Layer 1, neuron (\d+), ", title))]
    assert len(names) == 3 and names == sorted(names) and set(names) <= set(able)
    assert drawn_neurons(layer, 3).table.cells.equals(drawn.table.cells)
    assert any(not drawn_neurons(layer, 3, seed).table.cells.equals(drawn.table.cells) for seed in (1, 2, 3))
    monkeypatch.setattr(named_clusters, "FEWEST_IN_TWO", (50,))
    with pytest.raises(NbkitError, match="no neuron of layer 1 has two clusters of 50 examples"):
        drawn_neurons(layer)


def test_a_whole_layer_in_numbers(layer: LayerInBasis, monkeypatch: pytest.MonkeyPatch) -> None:
    table = layer.basis.named_clusters(progress=False)
    several = [row for row in table.to_dict("records") if row["size"] >= 2]
    found = layer_named(layer)
    assert (found.neurons, found.without, found.clusters) == (D_MLP, int((table["size"] == 0).sum()), len(several))
    for mine, column in ((found.share, "shares"), (found.elsewhere, "elsewhere")):
        assert mine == pytest.approx(100 * np.median([row[column][0] for row in several if len(row["features"])]))
    bad = table[table["index"] == 3].head(1).assign(size=0, cluster=-1)
    changed = pd.concat([table[table["index"] != 3], bad])
    monkeypatch.setattr(FeatureBasis, "named_clusters", lambda _, progress: changed)
    assert (layer_named(layer).without, layer_named(layer).neurons) == (found.without + 1, D_MLP)
