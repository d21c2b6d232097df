"""The study of dictionaries of a language model's layers, and what it says of a table by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbkit.errors import NbkitError
from nbkit.figures.style import BookFigure
from nbkit.method.truth.unit import Background, LabeledUnit, Unit
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.config import SaeConfig
from nbkit.studies.better_basis import found_in_layers, layer_dictionaries, layer_quality, layers_table
from nbkit.studies.better_basis.figures import recovered_in_layers
from nbkit.studies.better_basis.layer_dictionaries import VECTORS, Training, of_layer, trainings
from nbkit.studies.better_basis.layer_findings import USUAL, LayersFound, differing_in, in_layers
from nbkit.studies.better_basis.stages import PRE_MLP
from nbkit.studies.shared.learned import FEATURES, JOINT, autoencoder_of, unexplained
from nbkit.studies.shared.planted import layers
from nbkit.studies.shared.planted.layers import TextUnits
from nbkit.studies.shared.planted.token_reads import held_out
from nbkit.studies.shared.scaled_training import topk_config
from tests.examples.token_reads import labeled_by_hand, reads_by_hand

LONG = 300


def sparse_layer(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors that are sparse sums of sixteen directions at right angles, and how much of each is in them."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 16)))[0]
    codes = rng.uniform(0.5, 1, size=(n, 16)) * (rng.random((n, 16)) < 0.12)
    return (codes @ directions + 0.3).astype(np.float32), codes


def unit_of_two(background: Background) -> LabeledUnit:
    """A unit that reads the first two directions; its behavior is which of them is there."""
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 16)))[0]
    vectors, codes = sparse_layer(400, seed=2)
    one = ((codes[:, :2] > 0).sum(axis=1) == 1).nonzero()[0][:60]
    weights, others = directions[0] + directions[1], directions[2] + directions[3]
    labels = (codes[one, 1] > 0).astype(int)
    return LabeledUnit(Unit(vectors[one], weights, background), others, labels, labels < 0, "it", "a layer", "concept")


def test_dictionaries_differ_from_the_usual_one_in_one_thing() -> None:
    given = trainings({"passes": (0, USUAL.passes), "k": (8,), "share": (0.5,)})
    assert given == [USUAL, replace(USUAL, passes=0), replace(USUAL, k=8), replace(USUAL, share=0.5)]
    assert trainings({}) == [USUAL]
    with pytest.raises(NbkitError, match="Dictionaries don't differ in l1: vary passes, width, k, share"):
        trainings({"l1": (0.1,)})


def test_a_dictionary_of_the_true_features_recovers_the_behaviors_and_a_poor_one_does_not() -> None:
    (vectors, _), (others, _) = sparse_layer(2000, seed=0), sparse_layer(1000, seed=1)
    good = Training(passes=LONG, k=4)
    table = of_layer(vectors, others, [unit_of_two(Background(vectors))], [replace(good, passes=0), good], seed=0)
    auc = table.set_index(["space", "passes", "condition"])["auc"]
    assert auc[FEATURES, LONG, "own"] > 0.97
    assert auc[FEATURES, LONG, "own"] > auc.xs((PRE_MLP, "own"), level=("space", "condition")).iloc[0] + 0.1
    assert auc[FEATURES, LONG, "own"] > max(auc[FEATURES, 0, "own"], auc[FEATURES, LONG, "shuffled"]) + 0.2
    assert auc[JOINT, LONG, "own"] > auc[JOINT, 0, "own"]
    left = table.dropna(subset="passes").groupby("passes")["unexplained"].unique()
    sae = autoencoder_of(Background(vectors), topk_config(32, 4, epochs=LONG), trained=False)
    assert left[0] == [unexplained(sae, Background(others))], "on vectors that are not trained on"
    assert left[LONG] < 0.2 < left[0]


def test_a_part_of_the_vectors_is_gone_over_as_much_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = sparse_layer(1000, seed=0)
    asked: list[tuple[int, SaeConfig]] = []

    def spied(background: Background, config: SaeConfig, trained: bool) -> SparseAutoencoder:
        asked.append((len(background.vectors), config))
        return autoencoder_of(background, topk_config(16, 2), trained=False)

    monkeypatch.setattr(layer_dictionaries, "autoencoder_of", spied)
    of_layer(vectors, vectors, [], [Training(), Training(share=0.1), Training(width=0.5, k=3, passes=0)], seed=3)
    assert [n for n, _ in asked] == [1000, 100, 1000]
    [usual, part, narrow] = [config for _, config in asked]
    assert (usual.epochs, part.epochs) == (4, 40) and replace(part, epochs=4) == usual
    assert (narrow.d_sae, narrow.k, narrow.seed) == (8, 3, 3)


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], pd.DataFrame]:
    """The table of a layer of vectors by hand, kept in a folder of its own."""
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path))
    labeled = labeled_by_hand()
    monkeypatch.setattr(layers, "label_contexts", lambda *_, **__: labeled)
    monkeypatch.setattr(layers, "choose_contexts", lambda *_, **__: labeled)
    monkeypatch.setattr(layers, "read_layers", lambda *_, **__: [reads_by_hand(labeled)])
    monkeypatch.setattr(layer_dictionaries, "load_model", lambda name: SimpleNamespace(name=name))
    text = TextUnits(terms=(2,), methods=("means",), planted=2, words=2)
    return lambda: layer_quality("by hand", [0], {"passes": (0,)}, text, n_jobs=1, progress=False)


def test_a_layer_is_measured_once(by_hand: Callable[[], pd.DataFrame], monkeypatch: pytest.MonkeyPatch) -> None:
    table = by_hand()
    units = table.drop_duplicates("unit")
    assert "concept" in set(units["task"]) and len(table) == len(units) * 2 * (2 + 2 * 2)
    assert all(name.startswith(task) for name, task in zip(units["unit"], units["task"], strict=True))
    found = set(table.fillna(-1)[["space", "passes"]].itertuples(index=False, name=None))
    assert found == {(PRE_MLP, -1), ("centered", -1), (FEATURES, 0), (FEATURES, 4), (JOINT, 0), (JOINT, 4)}
    monkeypatch.setattr(layer_dictionaries, "of_layer", None)
    pd.testing.assert_frame_equal(by_hand(), table)


def test_no_dictionary_sees_the_documents_that_examples_come_from(
    by_hand: Callable[[], pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[Any, ...]] = []

    def spied(*task: Any) -> pd.DataFrame:
        given.append(task)
        return pd.DataFrame({"auc": [1.0]})

    monkeypatch.setattr(layer_dictionaries, "of_layer", spied)
    by_hand()
    [(vectors, others, units, _, _)] = given
    reads = reads_by_hand(labeled_by_hand())
    np.testing.assert_array_equal(others, reads.read[held_out(reads.document)])
    assert len(vectors) + len(others) == len(reads.read)
    examples = {tuple(row) for labeled in units for row in labeled.unit.read}
    assert examples <= {tuple(row) for row in others} and not examples & {tuple(row) for row in vectors}


def made_up(over: dict[Training, tuple[float, float]], layers: int = 4) -> pd.DataFrame:
    """A table of concepts and of words in two senses. Of each dictionary the unexplained variance is given, and how
    much the features are above the pre-MLP vector on concepts; on senses it is .3 less. Beside the centered vector they
    are above it by .1 more. That vector is above pre-MLP by .05, another unit's weights are by .05 below it."""
    rows = []
    for layer, (task, less) in product(range(layers), (("concept", 0.0), ("senses", 0.3))):
        base = 0.6 + 0.01 * layer
        about = {"group": f"model L{layer}", "unit": f"{task} {layer}", "task": task}
        for condition in ("own", "shuffled"):
            for space, value in zip(VECTORS, (base, base + 0.05), strict=True):
                rows.append({**about, "space": space, "condition": condition, "auc": value, "ari": value})
            for training, (left, above) in over.items():
                for space, more in ((FEATURES, 0.0), (JOINT, 0.1)):
                    value = base + 0.001 * layer + (above - less + more if condition == "own" else -0.05)
                    of = {**about, **asdict(training), "unexplained": left, "space": space}
                    rows.append({**of, "condition": condition, "auc": value, "ari": value})
    return pd.DataFrame(rows)


BY_HAND = {
    replace(USUAL, passes=0): (0.9, -0.2),
    USUAL: (0.5, -0.02),
    replace(USUAL, passes=1): (0.6, -0.1),
    replace(USUAL, passes=16): (0.3, 0.02),
    replace(USUAL, k=8): (0.45, -0.09),
    replace(USUAL, k=32): (0.4, -0.03),
}


@pytest.fixture(scope="module")
def found() -> LayersFound:
    return found_in_layers(made_up(BY_HAND))


def test_a_space_wins_over_both_vectors_and_its_control_or_not_at_all(found: LayersFound) -> None:
    assert (found.units, found.dictionaries, len(found.layers), found.several_layers) == (8, 6, 4, True)
    assert [found.unexplained.low, found.unexplained.high] == pytest.approx([30, 90])
    of = {(each.task, each.space): each for each in found.on}
    features, joint = of["concepts", FEATURES], of["concepts", JOINT]
    assert features.winning == 0 and np.isnan(features.poorest), "above pre-MLP once, never above the centered vector"
    assert (features.above_pre_mlp, features.above_centered, features.weights_tell) == (1, 0, 3)
    assert (joint.winning, joint.losing_below) == (3, 1)
    assert (joint.above_pre_mlp, joint.above_centered, joint.weights_tell) == (4, 3, 5)
    assert joint.poorest == pytest.approx(50) and joint.best.value.value == pytest.approx(0.7365)
    assert found.winning == (joint,)
    assert [len(found.on), of["noun or verb", JOINT].best.training.passes] == [4, 16]


def test_more_of_a_thing_is_compared_on_the_same_units_and_not_to_none(found: LayersFound) -> None:
    passes, k = found.more
    assert (passes.thing, passes.least, passes.most) == ("passes", 1, 16)
    assert [passes.unexplained.before, passes.unexplained.after] == pytest.approx([60, 30])
    assert passes.features.value == pytest.approx(0.12) and passes.features.sign == 1
    assert (k.thing, k.least, k.most) == ("active latents", 8, 32) and k.joint.value == pytest.approx(0.06)


def test_one_layer_has_no_intervals_and_wins_nothing() -> None:
    one = found_in_layers(made_up({USUAL: (0.1, 0.3)}, layers=1))
    assert (one.winning, len(one.on), one.more, one.several_layers) == ((), 4, (), False)


def test_the_table_and_the_figure_hold_all_dictionaries() -> None:
    table = made_up(BY_HAND)
    cells = layers_table(table).cells
    dictionaries = ["0 passes", "1 passes", "the usual one", "8 active latents", "32 active latents", "16 passes"]
    assert cells.loc["concepts"].index.tolist() == [*dictionaries, "the pre-MLP vector", "the centered vector"]
    one = ("noun or verb", "32 active latents")
    assert cells.loc[one, "unexplained (%)"] == pytest.approx(40)
    assert cells.loc[one, "it over centered"].value == pytest.approx(-0.2785)
    assert cells.loc[("concepts", "the centered vector"), JOINT].value == pytest.approx(0.665)
    figure = recovered_in_layers(table)
    assert isinstance(figure, BookFigure)
    data = figure.data[""]
    shown = data[(data["task"] == "concepts") & (data["measure"] == "pair AUC") & (data["space"] == FEATURES)]
    made = in_layers(table[table["task"] == "concept"], FEATURES, "auc")
    assert shown["mean"].tolist() == [each.value.value for each in made]
    assert shown["another unit's"].tolist() == pytest.approx([0.5665] * 6)
    assert [each.training.passes for each in differing_in(made, "passes")] == [0, 1, 4, 16]
