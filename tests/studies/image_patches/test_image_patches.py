"""The channels of a convolutional network: their strongest patches, the controls, what is found, and who is shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import unfold

import nbkit.studies.image_patches.channels
from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.method.clusters import cosine_distances
from nbkit.mnist.cnn import LAYERS, MnistCNN
from nbkit.studies.image_patches.channel_choice import clear, typical, widest
from nbkit.studies.image_patches.channel_comparison import CHANNEL_MEASURES, PATCH_CONDITIONS, compare_channels
from nbkit.studies.image_patches.channels import Channels, channels_of
from nbkit.studies.image_patches.findings import channel_findings
from tests.examples.channels import example_channels

N = 12
"""Examples of a unit."""


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> Channels:
    return example_channels(tmp_path_factory.mktemp("channels") / "atlas")


@pytest.fixture(scope="module")
def table(channels: Channels) -> pd.DataFrame:
    return compare_channels(channels, N)


def test_the_strongest_patch_is_the_one_with_the_largest_product(channels: Channels) -> None:
    images, cnn = np.array([3, 5, 11]), channels.cnn
    maps = channels.inputs[torch.from_numpy(images)]
    behind = cnn.pool(cnn.relu(cnn.conv1(maps)))
    for site, (layer, read) in enumerate(((cnn.conv1, maps), (cnn.conv2, behind))):
        patches = unfold(read, 5).mT.numpy()  # (m, positions, width)
        found = channels.strongest_patches(site, images)
        assert found.shape == (3, layer.out_channels, patches.shape[2])
        for unit in range(layer.out_channels):
            weights = layer.weight[unit].flatten().numpy()
            for image in range(3):
                best = max(patches[image], key=lambda patch: float(patch @ weights))
                np.testing.assert_array_equal(found[image, unit], best)


def test_a_hidden_unit_reads_one_vector_of_an_image(channels: Channels) -> None:
    found, cnn = channels.strongest_patches(2, np.array([4])), channels.cnn
    maps = cnn.pool(cnn.relu(cnn.conv2(cnn.pool(cnn.relu(cnn.conv1(channels.inputs[4:5]))))))
    np.testing.assert_allclose(found, np.broadcast_to(maps.flatten().numpy(), (1, 32, 256)), atol=1e-6)


def test_an_example_is_the_strongest_patch_of_its_image(channels: Channels) -> None:
    for site in range(3):
        unit = max(channels.atlas.iterate(site), key=len)
        found = channels.strongest_patches(site, unit.context)[:, unit.index]
        np.testing.assert_allclose(found @ unit.w_in, unit.pre_mlp @ unit.w_in, atol=1e-5)


def test_an_embedding_is_summed_over_the_maps_that_are_read(channels: Channels) -> None:
    for site, (n_maps, side) in enumerate(((1, 5), (8, 5), (16, 4))):
        maps = np.random.default_rng(site).random((n_maps, side, side))
        np.testing.assert_allclose(channels.in_place(site, maps.ravel()), maps.sum(axis=0))


def test_every_unit_is_measured_under_every_condition_on_equal_numbers(channels: Channels, table: pd.DataFrame) -> None:
    enough = [(site, unit.index) for site in range(3) for unit in channels.atlas.iterate(site) if len(unit) >= N]
    assert len(enough) > 20
    assert list(zip(table["layer"], table["index"], table["condition"], strict=True)) == [
        (site, index, condition) for site, index in enough for condition in PATCH_CONDITIONS
    ]
    np.testing.assert_allclose((table["one_digit"] * N) % 1, 0, atol=1e-9)
    pd.testing.assert_frame_equal(table, compare_channels(channels, N))


def test_with_all_its_examples_the_distances_are_those_of_its_embeddings(channels: Channels) -> None:
    """Where a unit has just as many examples as are drawn, the draw takes all."""
    unit = max(channels.atlas.iterate(1), key=len)
    found = compare_channels(channels, len(unit)).set_index(["layer", "index", "condition"])["mean_distance"]
    assert unit.donor is not None
    pairs = len(unit) * (len(unit) - 1)
    for condition, weights in (("own", unit.w_in), ("shuffled", unit.donor.w_in), ("none", np.ones(200))):
        expected = cosine_distances(unit.pre_mlp * weights).sum() / pairs
        assert found[1, unit.index, condition] == pytest.approx(expected, abs=1e-6), condition


def test_random_examples_are_of_others_and_not_of_the_unit_itself(channels: Channels) -> None:
    """With two units of as many examples as are drawn, those of one are all that the other can get."""
    pair = [unit for unit in channels.atlas.iterate(1) if len(unit) == 40][:2]
    site = channels.atlas.manifest.site(1)
    two = SimpleNamespace(
        manifest=SimpleNamespace(sites=[site]), iterate=lambda _: iter(pair), tokens=channels.atlas.tokens
    )
    found = compare_channels(replace(channels, atlas=cast(Atlas, two)), 40)
    for unit, other in (pair, pair[::-1]):
        [row] = found[(found["index"] == unit.index) & (found["condition"] == "others")].itertuples()
        expected = cosine_distances(other.pre_mlp * unit.w_in).sum() / (40 * 39)
        assert row.mean_distance == pytest.approx(expected, abs=1e-6)
        assert row.one_digit == np.bincount(other.key_ids).max() / 40


def test_one_digit_is_that_of_the_same_images_whatever_the_weights(table: pd.DataFrame) -> None:
    wide = table.pivot(index=["layer", "index"], columns="condition", values="one_digit")
    assert (wide["own"] == wide["shuffled"]).all() and (wide["own"] == wide["none"]).all()
    assert not (wide["own"] == wide["others"]).all()


def test_too_few_images_are_told(channels: Channels) -> None:
    with pytest.raises(NbkitError, match="conv1 has no two channels of 41 examples: take more images"):
        compare_channels(channels, 41)


def made_up(values: dict[str, float], n: int = 6) -> pd.DataFrame:
    """The same mean distance for all units of a layer, times its number plus 1."""
    rows = [
        {"layer": layer, "index": index, "condition": condition, "mean_distance": values[condition] * (layer + 1)}
        for layer in range(3)
        for index in range(n)
        for condition in PATCH_CONDITIONS
    ]
    table = pd.DataFrame(rows)
    table["n_clusters"] = np.where((table["index"] == 0) & (table["condition"] == "own"), 2, 1)
    table["agreement"] = table["condition"].map({"own": 0.3, "shuffled": 0.1, "none": 0.4}).fillna(0.0)
    return table.assign(one_digit=0.5)


def test_findings_are_differences_unit_by_unit(channels: Channels) -> None:
    table = made_up({"own": 0.1, "images": 0.2, "others": 0.4, "shuffled": 0.15, "none": 0.1})
    found = channel_findings(channels, table)
    assert (found.accuracy, found.n_images, found.n_channels, found.n_one) == (50, 60, 12, 10)
    assert [layer.site.name for layer in found.layers] == list(LAYERS)
    last = found.hidden
    assert (last.n, last.n_one) == (6, 5)
    assert f"{last.distance:.2f} {last.of_others:.2f}" == "0.30 0.25"
    assert last.minus_images.value == pytest.approx(-0.3)
    assert last.minus_shuffled.value == pytest.approx(-0.15)
    assert last.minus_none.value == pytest.approx(0)
    assert last.agreement_shuffled.value == pytest.approx(0.2) and last.agreement_none.value == pytest.approx(-0.1)
    written = found.table.written
    assert list(written.columns) == list(CHANNEL_MEASURES.values())
    assert written.loc[("units of hidden", PATCH_CONDITIONS["others"]), "mean distance"] == "1.20"
    assert written.loc[("channels of conv1", PATCH_CONDITIONS["none"]), "share of one digit"] == ""


def test_verdicts_follow_from_intervals(channels: Channels) -> None:
    table = made_up({"own": 0.1, "images": 0.2, "others": 0.4, "shuffled": 0.15, "none": 0.1})
    found = channel_findings(channels, table)
    assert not found.deeper_is_wider, "the ratio is the same in all layers"
    assert found.sorting == (), "no weights at all agree better"
    table.loc[table["condition"] == "others", "mean_distance"] = 0.4
    table.loc[(table["condition"] == "none") & (table["layer"] == 1), "agreement"] = 0.2
    found = channel_findings(channels, table)
    assert found.deeper_is_wider
    assert found.sorting == ("conv2",)
    own = table["condition"] == "own"
    table.loc[own, "mean_distance"] = 0.1 + 0.01 * table["layer"] + 0.1 * (table["index"] % 2)
    assert not channel_findings(channels, table).deeper_is_wider, "the intervals overlap"


def test_units_are_chosen_by_the_rules_that_they_tell(channels: Channels) -> None:
    for site, layer, of_all in ((0, "conv1", 8), (1, "conv2", 16)):
        units = [unit for unit in channels.atlas.iterate(site) if len(unit) >= 40]
        distances = {unit.index: cosine_distances(unit.embeddings()).mean() for unit in units}
        order = sorted(distances, key=lambda index: distances[index])
        assert widest(channels.atlas, layer, 0.2).unit.index == order[-1]
        chosen = typical(channels.atlas, layer, 0.2)
        assert chosen.unit.index == order[(len(order) - 1) // 2]
        assert chosen.name == f"Channel {chosen.unit.index} of {layer}"
        assert f"({len(order)} of {of_all} channels are eligible)." in chosen._repr_markdown_()
    found = clear(channels.atlas, "conv2", 0.1)
    assert found.clusters.threshold == 0.1 and found.clusters.n_clusters > 1


def test_clusters_that_nobody_has_are_told(channels: Channels) -> None:
    with pytest.raises(NbkitError, match=r"No channel of conv1 has several clusters at 1\.0: choose a lower"):
        clear(channels.atlas, "conv1", 1.0)


def test_the_atlas_is_kept_for_each_network_and_number_of_images(
    channels: Channels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = (channels.inputs.flatten(1) - 0.1307) / 0.3081
    mnist = SimpleNamespace(test_images=flat, test_labels=torch.arange(60) % 10)
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(nbkit.studies.image_patches.channels, "load_mnist", lambda: mnist)
    monkeypatch.setattr(
        nbkit.studies.image_patches.channels, "cnn_for", lambda seed: MnistCNN(seed).requires_grad_(False)
    )
    first = channels_of(0, 20, progress=False)
    assert first.atlas.manifest.n_contexts == len(first.inputs) == 20
    torch.testing.assert_close(first.inputs, channels.inputs[:20], atol=1e-6, rtol=0)
    assert 0 <= first.accuracy <= 1
    written = (first.atlas.path / "atlas.json").stat().st_mtime_ns
    assert channels_of(0, 20, progress=False).atlas.path == first.atlas.path
    assert (first.atlas.path / "atlas.json").stat().st_mtime_ns == written
    others = {channels_of(0, 21, progress=False).atlas.path, channels_of(1, 20, progress=False).atlas.path}
    assert len(others | {first.atlas.path}) == 3
    with pytest.raises(NbkitError, match="n_images is 61: it must be at most 60"):
        channels_of(0, 61, progress=False)


def test_patches_without_ink_are_no_distances(channels: Channels) -> None:
    blank = replace(channels, inputs=torch.zeros_like(channels.inputs))
    found = compare_channels(blank, N)
    assert found[(found["condition"] == "images") & (found["layer"] == 0)]["mean_distance"].isna().all()
    assert found[found["condition"] == "own"]["mean_distance"].notna().all()
