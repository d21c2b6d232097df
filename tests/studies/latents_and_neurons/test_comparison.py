"""Latents beside neurons: known answers on made-up units, and a tiny model's own autoencoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nbkit
from nbkit.atlas.atlas import Atlas
from nbkit.atlas.one_pass import AtlasPlan
from nbkit.atlas.scan import BlockScan, scan_together
from nbkit.errors import NbkitError
from nbkit.method.clusters import cosine_distances, feature_clusters
from nbkit.models.units import Units
from nbkit.studies import latents_and_neurons, shared
from nbkit.studies.latents_and_neurons.comparison import UNIT_CONDITIONS, sites_beside
from nbkit.studies.shared.language_model_saes import WithLatents
from tests.atlas.test_build import checksums
from tests.examples.beside_latents import tiny_with_latents
from tests.examples.tiny_models import D_MODEL, random_contexts

HOOKS = ("blocks.1.mlp.hook_in", "blocks.1.hook_resid_post")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> WithLatents:
    """Two autoencoders trained on a tiny model's atlas, in a cache of their own."""
    return tiny_with_latents(tmp_path_factory.mktemp("latents"), HOOKS, 120, 60)


def test_latents_stand_beside_the_neurons(both: WithLatents) -> None:
    assert [site.label for site in both.joined.manifest.sites] == ["L0", "L1", "L2", "S3", "S4"]
    assert [site.title for site in sites_beside(both.joined)] == ["layer 1", f"S3 ({HOOKS[0]})", f"S4 ({HOOKS[1]})"]
    assert both.quality["hook"].tolist() == list(HOOKS) and both.quality["l0"].tolist() == [4, 4]
    assert both.quality["unexplained"].between(0, 1).all()
    assert "/" not in "".join(site.source for site in both.joined.manifest.sites), "not where they lie"


def test_they_are_made_once_and_the_same_again(
    both: WithLatents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBKIT_CACHE", str(both.latents.path.parents[1]))
    monkeypatch.setattr("nbkit.studies.shared.language_model_saes.model_of", None)
    again = shared.with_latents(both.neurons, HOOKS, d_sae=30, k=4, n_contexts=60, progress=False)
    assert again.joined.path == both.joined.path
    monkeypatch.undo()
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path))
    anew = shared.with_latents(both.neurons, HOOKS, d_sae=30, k=4, n_contexts=60, progress=False)
    assert anew.latents.manifest == both.latents.manifest, "training or scanning draws differently each time"
    pd.testing.assert_frame_equal(anew.latents.neurons, both.latents.neurons)


def test_scanned_in_one_pass_they_are_the_same(
    both: WithLatents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path))
    monkeypatch.setattr("nbkit.studies.shared.language_model_saes.model_of", None)
    model = nbkit.load_model(both.neurons.manifest.model, dtype="float32", device="cpu")
    plan = AtlasPlan(
        model, random_contexts(120, 24), tmp_path / both.neurons.path.name, nbkit.AtlasConfig(embedding="paper")
    )
    together: list[int] = []

    def interrupted(units: Units, scans: Mapping[int, BlockScan]) -> None:
        raise KeyboardInterrupt

    def counted(units: Units, scans: Mapping[int, BlockScan]) -> None:
        together.append(len(scans))
        scan_together(units, scans)

    with monkeypatch.context() as patch:
        patch.setattr("nbkit.atlas.job.scan_together", interrupted)
        with pytest.raises(KeyboardInterrupt):
            shared.with_latents(plan, HOOKS, d_sae=30, k=4, n_contexts=60, progress=False)
    monkeypatch.setattr("nbkit.atlas.job.scan_together", counted)
    monkeypatch.setattr("nbkit.studies.shared.language_model_saes._captured", None)  # the training is done
    found = shared.with_latents(plan, HOOKS, d_sae=30, k=4, n_contexts=60, progress=False)
    assert together == [2], "one block, for both"
    for name in ("neurons", "latents", "joined"):
        assert checksums(getattr(found, name).path) == checksums(getattr(both, name).path), name
        assert getattr(found, name).path.name == getattr(both, name).path.name
    again = shared.with_latents(plan, HOOKS, d_sae=30, k=4, n_contexts=60, progress=False)
    assert again.joined.path == found.joined.path and together == [2]


def test_without_hooks_a_planned_atlas_is_built(both: WithLatents, tmp_path: Path) -> None:
    model = nbkit.load_model(both.neurons.manifest.model, dtype="float32", device="cpu")
    plan = AtlasPlan(model, random_contexts(120, 24), tmp_path / "neurons", nbkit.AtlasConfig(embedding="paper"))
    found = shared.with_latents(plan, (), progress=False)
    assert found.joined is found.neurons and checksums(found.neurons.path) == checksums(both.neurons.path)


def test_somebody_s_own_autoencoder_takes_their_place(
    both: WithLatents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path / "cache"))
    nbkit.SparseAutoencoder(D_MODEL, 12).save(tmp_path / "mine")
    found = shared.with_latents(both.neurons, saes={HOOKS[1]: tmp_path / "mine"}, progress=False)
    [site] = found.latents.manifest.sites
    assert (site.n_units, site.name, site.source, site.rule) == (12, HOOKS[1], "mine", "ReLU")
    model = nbkit.load_model(both.neurons.manifest.model, dtype="float32", device="cpu")
    assert found.units(model).sites == tuple(found.joined.manifest.sites)  # type: ignore[union-attr]


def test_without_hooks_nothing_is_trained(both: WithLatents) -> None:
    assert shared.with_latents(both.neurons, ()).joined is both.neurons


def test_the_measures_are_their_definitions(both: WithLatents) -> None:
    table = latents_and_neurons.compare_units(both.joined, 6, 9, progress=False)
    assert table.groupby("layer")["index"].nunique().max() <= 9
    assert set(table.groupby(["layer", "index"])["condition"].apply(tuple)) == {UNIT_CONDITIONS}
    n = next(len(unit) for unit in both.joined.iterate(3) if len(unit) > 2)
    everything = latents_and_neurons.compare_units(both.joined, n, 1000, seed=1, progress=False)
    for unit in (unit for unit in both.joined.iterate(3) if len(unit) == n):  # all of its examples are taken
        rows = everything[(everything["layer"] == 3) & (everything["index"] == unit.index)].set_index("condition")
        for condition, weights in (("own", unit.weights), ("shuffled", unit.donor)):
            assert weights is not None
            embeddings = unit.pre_mlp * weights.w_in
            distances = cosine_distances(embeddings)[np.triu_indices(n, 1)]
            np.testing.assert_allclose(rows.loc[condition, "mean_distance"], distances.mean(), rtol=1e-5)
            assert rows.loc[condition, "n_clusters"] == feature_clusters(embeddings, 0.5).n_clusters
        assert unit.key_words is not None
        assert rows.loc["own", "one_word"] == pytest.approx(max(np.bincount(unit.key_words + 10)) / n)


def made_up(both: WithLatents, values: dict[tuple[int, str], float]) -> pd.DataFrame:
    """Thirty units a site whose distances are known."""
    return pd.DataFrame(
        {
            "layer": layer,
            "index": index,
            "condition": condition,
            "mean_distance": value,
            "n_clusters": 2,
            "one_word": 0.5,
        }
        for (layer, condition), value in values.items()
        for index in range(30)
    )


def test_differences_are_latents_minus_neurons_and_controls_are_taken_off(both: WithLatents) -> None:
    distances = {(1, "own"): 0.75, (1, "random"): 1.0, (1, "shuffled"): 0.875}
    distances |= {(3, "own"): 0.5, (3, "random"): 0.75, (3, "shuffled"): 0.5}
    distances |= {(4, "own"): 0.25, (4, "random"): 1.0, (4, "shuffled"): 0.75}
    found = latents_and_neurons.beside_neurons(both.joined, made_up(both, distances), 20)
    first, second = found.sites
    assert [first.distance.value, second.distance.value] == [-0.25, -0.5]
    assert [first.over_chance.value, second.over_chance.value] == [0, -0.5]
    assert [first.over_shuffled.value, second.over_shuffled.value] == [0.125, -0.375]
    assert (first.over_chance.sign, second.over_chance.sign) == (0, -1) and first.n_latents == first.n_neurons == 30
    assert "not measurably different" in f"{first.over_chance:.2f}"
    assert found.table.cells.shape == (9, 3), "three conditions of three sites, three measures"


def test_neurons_alone_are_refused(both: WithLatents, tiny_atlas: Callable[[str], Atlas]) -> None:
    with pytest.raises(NbkitError, match="has no latents beside neurons of their layer"):
        latents_and_neurons.compare_units(both.neurons)
    with pytest.raises(NbkitError, match="has 10000 examples: scan more or ask for fewer"):
        latents_and_neurons.compare_units(both.joined, 10_000)
