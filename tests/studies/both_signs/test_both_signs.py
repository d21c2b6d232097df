"""What is said of the negative side of neurons, on made-up neurons whose answers are known, and on tiny models."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.manifest import Manifest
from nbkit.errors import NbkitError
from nbkit.method.clusters import FeatureClusters, feature_clusters
from nbkit.models.sign import Sign
from nbkit.studies.both_signs import answers, both_sides, quadrant_table, separation, sides
from nbkit.studies.both_signs.answers import overlaps
from nbkit.studies.both_signs.separation import of_one_sign
from nbkit.studies.shared.text_and_model import model_of
from tests.examples.atlas import MANIFEST, example_atlas


@dataclass
class MadeUpNeuron:
    """Examples with these key tokens, peaks, and vectors of each kind; None is its own embedding."""

    key_ids: np.ndarray
    peak: np.ndarray
    vectors: dict[str | None, np.ndarray]

    def __len__(self) -> int:
        return len(self.key_ids)

    def has_direction(self, kind: str | None = None) -> bool:
        return bool(self.vectors[kind].any(axis=1).all())

    def clusters(self, kind: str | None = None) -> FeatureClusters:
        return feature_clusters(self.vectors[kind])


@dataclass
class MadeUpAtlas:
    """An atlas of a layer of such neurons."""

    sign: Sign
    of: Sequence[MadeUpNeuron]
    words: np.ndarray
    path: Path = Path("made-up")

    @property
    def manifest(self) -> Manifest:
        return replace(MANIFEST, sign=self.sign)

    @property
    def neurons(self) -> pd.DataFrame:
        return pd.DataFrame([{"layer": 0, "index": i, "n_examples": len(each)} for i, each in enumerate(self.of)])

    def neuron(self, layer: int, index: int) -> MadeUpNeuron:
        assert layer == 0
        return self.of[index]


def of_words(sign: Sign, words: Sequence[Sequence[int]]) -> Atlas:
    """An atlas whose neurons have these key tokens, each of which is a word."""
    neurons = [MadeUpNeuron(np.array(each, dtype=int), np.ones(len(each)), {}) for each in words]
    return cast(Atlas, MadeUpAtlas(sign, neurons, np.arange(1000)))


def strong(sign: Sign, maxima: Sequence[float], **changes: str) -> Atlas:
    manifest = replace(MANIFEST, sign=sign, **changes)  # type: ignore[arg-type]
    return example_atlas([{"max_activation": value} for value in maxima], manifest)


def test_sides_compare_the_largest_strengths() -> None:
    above, below = [4, 4, 4, -1, 0, math.nan, 2], [4, 2, 1, 3, 0, 5, -1]
    found = sides(strong("positive", above), strong("negative", below))
    assert found.n_neurons == 5  # without the one that is never active and the one that overflows
    assert (found.as_strong, found.half_as_strong, found.median_ratio) == (2 / 5, 3 / 5, 0.5)
    with pytest.raises(NbkitError, match="no neuron was active"):
        sides(strong("positive", [0, -1]), strong("negative", [-0.5, 0]))


def test_other_atlases_are_refused() -> None:
    one, other = strong("positive", [1]), strong("negative", [1])
    with pytest.raises(NbkitError, match="is of sign 'negative': give one of 'positive' here"):
        sides(other, one)
    with pytest.raises(NbkitError, match="is of sign 'both': give one of 'negative' here"):
        sides(one, strong("both", [1]))
    with pytest.raises(NbkitError, match="are of another contexts_sha256: build both from the same"):
        sides(one, strong("negative", [1], contexts_sha256="ab"))
    with pytest.raises(NbkitError, match="has maxima that were given"):
        sides(strong("positive", [1], maxima_sha256="ab"), strong("negative", [1], maxima_sha256="ab"))
    with pytest.raises(NbkitError, match="is of sign 'positive': give one of 'both'"):
        separation(one)


def test_sides_that_answer_to_the_same_overlap_as_a_side_with_itself() -> None:
    rng = np.random.default_rng(0)
    same = [rng.choice([10 * i, 10 * i + 1], 60) for i in range(30)]
    found = answers(of_words("positive", same), of_words("negative", same), progress=False)
    assert (found.n_neurons, found.at_least) == (30, 20)
    assert found.itself.value > 0.8 and found.others.value == 0
    assert not found.side_less_itself.sign and found.side_less_others.sign == 1


def test_sides_that_answer_to_other_things_overlap_as_other_neurons_do() -> None:
    apart = [[500 + i] * 25 for i in range(30)]
    found = answers(of_words("positive", [[i] * 40 for i in range(30)]), of_words("negative", apart), progress=False)
    assert (found.itself.value, found.other_side.value, found.others.value) == (1, 0, 0)
    assert found.side_less_itself.value == -1 and found.side_less_others.value == 0


def test_only_neurons_with_enough_examples_on_both_sides_count() -> None:
    positive = of_words("positive", [[0] * 40, [1] * 39, [2] * 40, [3] * 40])
    negative = of_words("negative", [[0] * 20, [1] * 20, [2] * 19, [3] * 20])
    assert answers(positive, negative, progress=False).n_neurons == 2
    assert answers(positive, negative, n_neurons=1, progress=False).n_neurons == 1
    with pytest.raises(NbkitError, match="no neuron has 30 examples below zero and 60 above"):
        answers(positive, negative, at_least=30, progress=False)
    with pytest.raises(NbkitError, match="no neuron has 20 examples"):  # no other neuron to compare with
        answers(of_words("positive", [[0] * 40]), of_words("negative", [[0] * 20]), progress=False)


def test_equally_many_examples_are_compared() -> None:
    rng = np.random.default_rng(0)
    many, few = np.arange(100), np.arange(100, 105)
    assert overlaps(many, few, many, rng)[:2] == (0, 0)
    found = np.mean([overlaps(np.zeros(100, int), few * 0, np.arange(100), rng) for _ in range(300)], axis=0)
    assert found[:2].tolist() == [1, 1]
    assert found[2] == pytest.approx(0.05 * 0.2, abs=0.01)  # five of a hundred are drawn; the word is one in five


def opposite(n: int, turned: bool) -> MadeUpNeuron:
    """As many examples on each side, at opposite ends of one direction in one space and mixed in the other."""
    rng = np.random.default_rng(n)
    below = np.arange(2 * n) % 2 == 1
    ends = np.outer(np.where(below, -1.0, 1.0), np.ones(6)) + 0.1 * rng.normal(size=(2 * n, 6))
    mixed = np.outer(np.where(np.arange(2 * n) < n, -1.0, 1.0), np.ones(6)) + 0.1 * rng.normal(size=(2 * n, 6))
    vectors = {None: mixed, "pre_mlp": ends} if turned else {None: ends, "pre_mlp": mixed}
    return MadeUpNeuron(np.zeros(2 * n, int), np.where(below, -1.0, 1.0), vectors)


def test_clusters_that_keep_the_signs_apart_are_told_from_those_that_do_not() -> None:
    one_sided = MadeUpNeuron(np.zeros(20, int), np.ones(20), {None: np.ones((20, 2)), "pre_mlp": np.ones((20, 2))})
    pruned = replace(opposite(8, turned=False), vectors={None: np.zeros((16, 2)), "pre_mlp": np.ones((16, 2))})
    for turned in (False, True):
        neurons = [*(opposite(n, turned) for n in range(6, 16)), one_sided, pruned]
        atlas = cast(Atlas, MadeUpAtlas("both", neurons, np.arange(1)))
        found = separation(atlas, progress=False)
        assert found.n_neurons == 10
        assert (found.own.value, found.pre_mlp.value) == ((0, 1) if turned else (1, 0))
        assert found.chance.value < 0.1
        assert found.own_less_pre_mlp.sign == (-1 if turned else 1)
        assert turned or found.own_less_chance.sign == 1
    with pytest.raises(NbkitError, match="no neuron has 40 examples of each sign"):
        separation(atlas, at_least=40, progress=False)


def test_the_share_in_clusters_of_one_sign() -> None:
    labels, below = np.array([0, 0, 0, 1, 1, 2]), np.array([True, True, True, False, True, False])
    assert of_one_sign(labels, below) == 4 / 6
    assert of_one_sign(labels, ~below) == 4 / 6
    assert of_one_sign(np.zeros(6, int), below) == 0


def test_atlases_of_a_model_are_compared(signed_atlas: Callable[[str, Sign], Atlas]) -> None:
    positive, negative = (signed_atlas("llama", sign) for sign in ("positive", "negative"))
    found = sides(positive, negative)
    ratio = negative.neurons["max_activation"] / positive.neurons["max_activation"]
    assert found.n_neurons == len(ratio) and found.as_strong == (ratio >= 1).mean()
    compared = answers(positive, negative, at_least=3, progress=False)
    assert compared.n_neurons > 10 and compared == answers(positive, negative, at_least=3, progress=False)
    apart = separation(signed_atlas("llama", "both"), at_least=2, progress=False)
    assert apart.n_neurons > 10 and 0 <= apart.chance.value <= apart.own.value <= 1


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_three_atlases_of_a_part_of_the_text(
    architecture: str, tiny_atlas: Callable[[str], Atlas], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path / "cache"))
    atlas = tiny_atlas(architecture)
    found = both_sides(atlas, [1], 30, progress=False)
    manifests = [each.manifest for each in (found.positive, found.negative, found.both)]
    assert [(m.sign, m.layers, m.n_contexts) for m in manifests] == [
        (sign, (1,), 30) for sign in ("positive", "negative", "both")
    ]
    config = AtlasConfig(layers=[1], embedding="paper", sign="both", batch_size=atlas.manifest.batch_size)
    alone = build_atlas(model_of(atlas), found.both.contexts, tmp_path / "alone", config, progress=False)
    for path in found.both.path.iterdir():
        assert path.read_bytes() == (alone.path / path.name).read_bytes(), path.name
    monkeypatch.setattr("nbkit.studies.both_signs.atlases.model_of", None)
    assert both_sides(atlas, [1], 30, progress=False).both.path == found.both.path
    largest = np.maximum(found.positive.neurons["max_activation"], found.negative.neurons["max_activation"])
    np.testing.assert_array_equal(found.both.neurons["max_activation"], largest)
    table = quadrant_table(found)
    if architecture == "gpt2":
        assert table.cells.empty
        return
    sums = table.data.filter(regex="^(above|below) zero$").sum()
    np.testing.assert_allclose(sums, 1)
    assert table.data["above zero"].to_numpy()[[1, 2]].tolist() == [0, 0], "a product above zero has equal signs"
    assert table.data["below zero"].to_numpy()[[0, 3]].tolist() == [0, 0]
