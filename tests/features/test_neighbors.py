"""Similar features against a slow loop over the features of tiny atlases."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.errors import NbkitError
from nbkit.features.nearest import K
from nbkit.features.neighbors import neighbors_of
from nbkit.features.table import features_of


@pytest.fixture
def atlas(own_atlas: Callable[[str], Atlas]) -> Callable[[str], Atlas]:
    """Copies of atlases, into which neighbors may be written."""
    return own_atlas


@pytest.mark.parametrize(("architecture", "kind"), [("llama", "gradient"), ("llama", "pre_mlp"), ("gpt2", "input")])
def test_equals_a_slow_loop_over_the_features(architecture: str, kind: str, atlas: Callable[[str], Atlas]) -> None:
    opened = atlas(architecture)
    features = features_of(opened, progress=False)
    rows = list(features[["layer", "index", "medoid"]].itertuples(index=False, name=None))
    vectors = np.stack([opened.neuron(layer, index).embeddings(kind)[medoid] for layer, index, medoid in rows])
    unit = vectors.astype(np.float64) / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    found = neighbors_of(opened, kind, progress=False)
    assert found.feature.shape == found.cosine.shape == (len(features), 2, K)
    assert found.feature.dtype == np.int32 and found.cosine.dtype == np.float32
    for number, (layer, index, _) in enumerate(rows):
        similarity = (unit @ unit[number]).round(6)
        for scope in (0, 1):
            others = [
                other
                for other, (its_layer, its_index, _) in enumerate(rows)
                if (its_layer == layer) == (scope == 0) and (its_layer, its_index) != (layer, index)
            ]
            best = sorted(others, key=lambda other, to=similarity: (-to[other], other))[:K]  # type: ignore[misc]
            assert found.feature[number, scope].tolist() == best
            np.testing.assert_allclose(found.cosine[number, scope], similarity[best], atol=2e-6)


def test_the_same_token_is_at_cosine_one_in_the_space_of_the_vectors_alone(atlas: Callable[[str], Atlas]) -> None:
    opened = atlas("llama")
    features = features_of(opened, progress=False)
    found = neighbors_of(opened, "pre_mlp", progress=False)

    def occurrence(number: int) -> tuple[int, int, int]:
        layer, index, medoid = features.loc[number, ["layer", "index", "medoid"]].tolist()
        neuron = opened.neuron(layer, index)
        return layer, int(neuron.context[medoid]), int(neuron.position[medoid])

    places = [occurrence(number) for number in range(len(features))]
    shared = [number for number, place in enumerate(places) if places.count(place) > 1]
    assert shared
    for number in shared:
        twins = [other for other in range(len(places)) if other != number and places[other] == places[number]][:K]
        assert found.feature[number, 0, : len(twins)].tolist() == twins
        assert found.cosine[number, 0, : len(twins)].tolist() == [1.0] * len(twins)


def test_neighbors_are_found_once(
    atlas: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = atlas("gpt2")
    first = neighbors_of(opened, "pre_mlp")
    assert "neighbors (pre_mlp): 100%" in capsys.readouterr().err
    monkeypatch.setattr("nbkit.features.neighbors.nearest", None)
    again = neighbors_of(open_atlas(opened.path), "pre_mlp")
    assert capsys.readouterr().err == ""
    np.testing.assert_array_equal(again.feature, first.feature)
    np.testing.assert_array_equal(again.cosine, first.cosine)
    path = opened.path / "similar-pre_mlp.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(NbkitError, match=r"similar-pre_mlp.safetensors can't be read"):
        neighbors_of(opened, "pre_mlp")


@pytest.mark.parametrize("kind", ["gate", "shuffled", "../input"])
def test_another_space_is_refused(kind: str, tiny_atlas: Callable[[str], Atlas]) -> None:
    with pytest.raises(NbkitError, match=r"in two spaces of this atlas, not in .*: input, pre_mlp"):
        neighbors_of(tiny_atlas("gpt2"), kind)
