"""The benchmark's table and leaderboard: known answers, controls, intervals that draw groups, and contestants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from nbkit.errors import NbkitError
from nbkit.method.clusters import cosine_distances
from nbkit.method.intervals import grouped_mean
from nbkit.method.truth.benchmark import BENCHMARK_VERSION, benchmark
from nbkit.method.truth.contestants import CONTESTANTS, centered, paper, pre_mlp, whitened
from nbkit.method.truth.leaderboard import leaderboard
from nbkit.method.truth.recovery import Recovery
from nbkit.method.truth.rules import Cluster, silhouette_rule
from nbkit.method.truth.toys import Toy, toy_units
from nbkit.method.truth.unit import Background, Features, LabeledUnit, Text, Unit


def planted(seed: int, n: int = 24) -> LabeledUnit:
    """Three behaviors in the first three of six coordinates, which are all that the unit reads; the rest is noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    read = np.hstack([np.eye(3)[labels], rng.normal(size=(n, 3)) * 3])
    unit = Unit(read, np.array([1.0, 1, 1, 0, 0, 0]), Background(rng.normal(size=(50, 6))), Features(read, np.eye(6)))
    other = np.array([0.0, 0, 0, 1, 1, 1])
    group = f"group {seed % 3}"
    return LabeledUnit(unit, other, labels, np.zeros(n, bool), f"unit {seed}", group, "planted", {"noise": 3.0})


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """The paper's space on six planted units."""
    return benchmark(paper, [planted(seed) for seed in range(6)])


def test_a_row_for_each_unit_contestant_condition_and_measure(table: pd.DataFrame) -> None:
    assert len(table) == 6 * 2 * 2 * len(Recovery._fields)
    assert not table.duplicated(["unit", "contestant", "condition", "measure"]).any()
    assert set(table["contestant"]) == {"pre-MLP", "paper"}
    assert set(table["measure"]) == set(Recovery._fields)
    assert set(table["version"]) == {BENCHMARK_VERSION} and set(table["noise"]) == {3.0}
    assert set(table["examples"]) == {24}
    pd.testing.assert_frame_equal(table, benchmark(paper, [planted(seed) for seed in range(6)]))


def test_own_weights_find_what_is_planted_and_anothers_do_not(table: pd.DataFrame) -> None:
    auc = table[table["measure"] == "auc"].groupby(["contestant", "condition"])["value"]
    assert auc.min()["paper", "own"] == 1.0
    assert auc.mean()["paper", "shuffled"] == pytest.approx(0.5, abs=0.05)
    assert auc.mean()["pre-MLP", "own"] == auc.mean()["pre-MLP", "shuffled"] < 0.6


def test_ambiguous_examples_are_left_out_and_counted() -> None:
    labeled = planted(0)
    wrong = replace(labeled, labels=np.where(np.arange(24) < 6, 2 - labeled.labels, labeled.labels))
    marked = replace(wrong, ambiguous=np.arange(24) < 6)
    for each, ambiguous, examples, perfect in ((wrong, 0.0, 24, False), (marked, 0.25, 18, True)):
        own = benchmark(paper, [each]).query("contestant == 'paper' and condition == 'own' and measure == 'ari_at_k'")
        assert own["ambiguous"].item() == ambiguous and own["examples"].item() == examples
        assert (own["value"].item() == 1.0) == perfect


def test_a_contestant_may_sit_a_unit_out_and_never_sees_a_label() -> None:
    def picky(unit: Unit) -> np.ndarray | None:
        assert not hasattr(unit, "labels")
        return unit.read if unit.read[:, 3].sum() > 0 else None

    units = [planted(seed) for seed in range(8)]
    seats = sum(labeled.unit.read[:, 3].sum() > 0 for labeled in units)
    assert 0 < seats < 8
    table = benchmark({"picky": picky}, units)
    assert (table["contestant"] == "picky").sum() == seats * 2 * len(Recovery._fields)
    assert leaderboard(table).query("contestant == 'picky' and measure == 'auc'")["over_baseline"].item() == 0.0


def test_the_text_of_an_example_goes_with_it_and_must_fit() -> None:
    labeled = planted(0, 6)
    one_each = [np.arange(6.0)[:, None] + factor * np.ones((6, 6)) for factor in (10, 20, 30)]
    text = Text(np.arange(6), tuple("abcdef"), np.arange(6 * 2 * 6.0).reshape(6, 2, 6), *one_each)
    text = replace(text, neurons_before=Features(np.arange(6.0)[:, None] + 40 * np.ones((6, 3)), np.ones((3, 6))))
    with_text = replace(labeled, unit=replace(labeled.unit, text=text))
    for chosen in (np.array([4, 1]), np.isin(np.arange(6), [1, 4])):
        taken = with_text.take(chosen).unit.text
        assert taken is not None and taken.window is not None
        assert list(zip(taken.keys, taken.snippets, strict=True)) in ([(4, "e"), (1, "b")], [(1, "b"), (4, "e")])
        np.testing.assert_array_equal(taken.window[:, 0, 0], taken.keys * 12)
        for factor, name in ((10, "previous"), (20, "attended"), (30, "loss_gradient")):
            vectors = taken.vectors[name]
            assert vectors is not None and vectors.shape == (2, 6)
            np.testing.assert_array_equal(vectors[:, 0], taken.keys + factor)
        assert taken.neurons_before is not None and taken.neurons_before.directions.shape == (3, 6)
        np.testing.assert_array_equal(taken.neurons_before.codes[:, 0], taken.keys + 40)
    for wrong in (
        replace(text, keys=np.arange(5)),
        replace(text, snippets=("a",)),
        replace(text, window=np.zeros((6, 2, 5))),
        replace(text, window=np.zeros((6, 6))),
        replace(text, previous=np.zeros((6, 5))),
        replace(text, attended=np.zeros((5, 6))),
        replace(text, loss_gradient=np.zeros((6, 1, 6))),
        replace(text, neurons_before=Features(np.zeros((5, 3)), np.zeros((3, 6)))),
        replace(text, neurons_before=Features(np.zeros((6, 3)), np.zeros((3, 5)))),
    ):
        vectors_of = "window|previous|attended|loss_gradient"
        with pytest.raises(
            NbkitError, match=rf"unit 0 has (keys|snippets|{vectors_of}|activations|written directions) of sh"
        ):
            replace(with_text, unit=replace(labeled.unit, text=wrong))


def test_a_contestants_mistake_names_it_and_the_unit() -> None:
    with pytest.raises(NbkitError, match="short on unit 0, own weights: 1 embeddings and 24 examples"):
        benchmark({"short": lambda unit: unit.read[:1]}, [planted(0)])
    with pytest.raises(NbkitError, match="of text on unit 0, own weights: AttributeError: 'NoneType' object has no"):
        benchmark({"of text": lambda unit: unit.text.keys}, [planted(0)])
    own = planted(0).unit.weights
    with pytest.raises(NbkitError, match="lost on unit 0, shuffled weights: Embedding 0 holds NaN"):
        benchmark({"lost": lambda unit: unit.read * (1 if (unit.weights == own).all() else np.nan)}, [planted(0)])
    ragged = [[1.0, 2.0], [1.0]]
    with pytest.raises(NbkitError, match="ragged on unit 0, own weights: ValueError"):
        benchmark({"ragged": lambda unit: ragged}, [planted(0)])  # type: ignore[dict-item, return-value]
    with pytest.raises(NbkitError, match="forgot gave None for all 2 units"):
        benchmark({"forgot": lambda unit: None}, [planted(0), planted(1)])
    with pytest.raises(NbkitError, match="no units"):
        benchmark(paper, [])
    assert set(benchmark(CONTESTANTS, [planted(0)])["contestant"]) < set(CONTESTANTS), "some need text"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (lambda x: np.full(len(x), np.nan), "type float64"),
        (lambda x: np.zeros(3, int), r"shape \(3,\)"),
        (lambda x: None, "type object"),
        (lambda x: 1 // 0, "ZeroDivisionError"),
    ],
)
def test_a_rules_mistake_is_told(rule: Cluster, said: str) -> None:
    with pytest.raises(NbkitError, match=f"pre-MLP on unit 0, own weights: .*{said}"):
        benchmark({}, [planted(0)], rule)


def test_a_leaderboard_refuses_what_it_would_mean_together() -> None:
    units = [planted(seed) for seed in range(3)]
    two_rules = pd.concat([benchmark(paper, units), benchmark(centered, units, silhouette_rule)])
    with pytest.raises(NbkitError, match="pre-MLP has two values of auc for unit unit 0"):
        leaderboard(two_rules)
    two_tasks = pd.concat([benchmark(paper, units), benchmark(paper, [replace(each, task="b") for each in units])])
    assert len(leaderboard(two_tasks)) == 2 * len(leaderboard(benchmark(paper, units)))
    with pytest.raises(NbkitError, match="two values"):
        leaderboard(two_tasks, by="group")
    with pytest.raises(NbkitError, match="No contestant is called 'centered': the table has pre-MLP, paper"):
        leaderboard(benchmark(paper, units), baseline="centered")
    table = benchmark(paper, units)
    pd.testing.assert_frame_equal(leaderboard(table, by="task"), leaderboard(table))


def test_the_order_of_examples_tells_nothing() -> None:
    def by_row(unit: Unit) -> np.ndarray:
        angle = np.linspace(0, 1, len(unit.read))
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)

    sorted_by_label = [planted(seed, 60).take(np.argsort(np.arange(60) % 3, kind="stable")) for seed in range(8)]
    table = benchmark(by_row, sorted_by_label)
    auc = table[(table["contestant"] == "by_row") & (table["measure"] == "auc")]["value"]
    assert auc.mean() == pytest.approx(0.5, abs=0.03)


def test_a_contestant_cannot_change_what_others_get() -> None:
    def in_place(unit: Unit) -> np.ndarray:
        unit.read[:] = 0
        return unit.read

    def on_background(unit: Unit) -> np.ndarray:
        unit.background.vectors[:] = 0
        return unit.read

    def on_weights(unit: Unit) -> np.ndarray:
        unit.weights[:] = 0
        return unit.read

    for wrong in (in_place, on_background, on_weights):
        with pytest.raises(NbkitError, match="read-only"):
            benchmark(wrong, [planted(0)])


def test_names_are_given_once() -> None:
    with pytest.raises(NbkitError, match="Two units of task planted are called unit 0"):
        benchmark(paper, [planted(0), planted(1), planted(0)])
    with pytest.raises(NbkitError, match="A contestant is called pre-MLP"):
        benchmark({"pre-MLP": paper}, [planted(0)])


def test_null_units_count_as_one_behavior() -> None:
    table = benchmark({}, [replace(planted(0), null=True)])
    assert set(table[table["measure"] == "behaviors"]["value"]) == {1.0}
    assert set(table[table["measure"] == "ari_at_k"]["value"]) == {0.0}


def test_the_leaderboard_by_hand() -> None:
    values = {("g", "a"): (0.5, 0.7, 0.4), ("g", "b"): (0.5, 0.9, 0.4), ("h", "c"): (0.1, 0.5, 0.9)}
    rows = [
        {"version": 1, "task": "t", "group": group, "unit": unit, "measure": "auc"}
        | {"contestant": contestant, "condition": condition, "value": value}
        for (group, unit), (base, own, shuffled) in values.items()
        for contestant, condition, value in (
            ("pre-MLP", "own", base),
            ("pre-MLP", "shuffled", base),
            ("it", "own", own),
            ("it", "shuffled", shuffled),
        )
    ]
    board = leaderboard(pd.DataFrame(rows)).set_index("contestant").loc["it"]
    assert board["value"] == pytest.approx(0.7) and (board["units"], board["groups"]) == (3, 2)
    assert board["over_baseline"] == pytest.approx((0.2 + 0.4 + 0.4) / 3)
    assert board["over_control"] == pytest.approx((0.3 + 0.5 - 0.4) / 3)
    # g is 0.8 - 2 · 0.4 / 3 = 0.533 above the mean in sum, h as much below; of two groups, t = 12.706
    half = 12.706 * (2 * (0.5333**2 + 0.5333**2)) ** 0.5 / 3
    assert board["over_control_low"] == pytest.approx(0.4 / 3 - half, abs=1e-3)
    assert board["over_control_high"] == pytest.approx(0.4 / 3 + half, abs=1e-3)
    other = leaderboard(pd.DataFrame(rows), baseline="it").set_index("contestant").loc["pre-MLP"]
    assert other["over_baseline"] == pytest.approx(-(0.2 + 0.4 + 0.4) / 3)
    with pytest.raises(NbkitError, match="several versions"):
        leaderboard(pd.DataFrame([*rows, rows[0] | {"version": 2}]))
    with pytest.raises(NbkitError, match="lacks the columns 'depth'"):
        leaderboard(pd.DataFrame(rows), by=("depth",))


def test_intervals_are_over_groups() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 25)
    effects = rng.normal(size=40)[groups]
    for values, sd in ((effects, 1 / 40**0.5), (rng.normal(size=1000), 1 / 1000**0.5)):
        mean, low, high = grouped_mean(values, groups)
        assert mean == pytest.approx(values.mean())
        assert (high - low) / (2 * 1.96) == pytest.approx(sd, rel=0.35)
    alone = rng.normal(size=5)  # of one unit each: Student's own
    interval = ttest_1samp(alone, 0).confidence_interval()
    assert grouped_mean(alone, np.arange(5)) == pytest.approx((alone.mean(), interval.low, interval.high))
    assert np.isnan(grouped_mean(np.ones(3), np.zeros(3))[1:]).all()
    assert grouped_mean(np.array([1.0, np.nan, 3.0]), np.array([0, 1, 2]))[0] == 2.0
    assert np.isnan(grouped_mean(np.array([np.nan]), np.zeros(1))).all()


def test_signs_of_weights_mean_nothing_to_the_papers_space() -> None:
    rng = np.random.default_rng(0)
    unit = replace(planted(0).unit, weights=rng.normal(size=6))
    flipped = replace(unit, weights=unit.weights * rng.choice([-1.0, 1.0], size=6))
    np.testing.assert_allclose(cosine_distances(paper(unit)), cosine_distances(paper(flipped)), atol=1e-12)


def test_whitened_backgrounds_are_round() -> None:
    rng = np.random.default_rng(0)
    background = Background(rng.normal(size=(5000, 4)) @ rng.normal(size=(4, 4)) + 3)
    white = whitened(Unit(background.vectors, np.ones(4), background))
    np.testing.assert_allclose(np.cov(white.T), np.eye(4), atol=0.05)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-9)


def test_in_the_basis_of_the_features_equation_1_adds_up_to_the_pre_activation() -> None:
    unit = planted(1).unit
    basis = np.linalg.qr(np.ones((6, 6)) + np.eye(6))[0]
    turned = replace(unit, features=Features(unit.read @ basis.T, basis))
    for each in (unit, turned):
        contributions = CONTESTANTS["true features"](each)
        assert contributions is not None
        np.testing.assert_allclose(contributions.sum(axis=1), each.read @ each.weights, atol=1e-9)
        assert each.features is not None
        np.testing.assert_allclose(each.features.given_back, each.read, atol=1e-9)
    assert CONTESTANTS["true features"](replace(unit, features=None)) is None
    moved = Features(unit.read, np.eye(6), np.arange(6.0))
    np.testing.assert_allclose(moved.given_back, unit.read + np.arange(6))


def test_every_contestant_enters_a_toy_and_true_features_win_it() -> None:
    units = toy_units(Toy(n_features=30, width=12, n_units=8, active=2, n_examples=40, steps=60))[:3]
    table = benchmark(units=units)
    assert set(table["contestant"]) == {name for name, embed in CONTESTANTS.items() if embed(units[0].unit) is not None}
    own = table[(table["condition"] == "own") & (table["measure"] == "ari_at_k")].groupby("contestant")["value"].mean()
    assert own["true features"] > 0.95 and own["true features"] > own["pre-MLP"]
    assert pre_mlp(units[0].unit) is units[0].unit.read
