"""Units with known behaviors: toys, merged and null units, and what makes an example ambiguous."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from nbkit.errors import NbkitError
from nbkit.method.truth.balance import balanced_behaviors, drawn_by_share
from nbkit.method.truth.dominant import dominant_terms, of_behaviors
from nbkit.method.truth.merged import merged_units
from nbkit.method.truth.null import null_units
from nbkit.method.truth.terms import PlainTerms
from nbkit.method.truth.toys import Toy, toy_units
from nbkit.method.truth.unit import Background, Features, LabeledUnit, Unit

SMALL = Toy(n_features=30, width=12, n_units=10, active=2, n_examples=60, steps=60)


@pytest.fixture(scope="module")
def units() -> list[LabeledUnit]:
    """Those of a small toy."""
    return toy_units(SMALL)


def test_the_largest_term_is_the_behavior_unless_the_second_is_near() -> None:
    labels, ambiguous = dominant_terms(np.array([[3.0, 1.5, -9], [3.0, 1.51, 0], [-1.0, -2, -3], [0.0, 0.0, 0.0]]))
    assert labels.tolist() == [0, 0, 0, 0]
    assert ambiguous.tolist() == [False, True, True, True]


def test_a_behavior_needs_three_clear_examples() -> None:
    labels, ambiguous = np.array([7, 7, 7, 7, 2, 2, 2]), np.array([0, 0, 0, 1, 0, 0, 1], dtype=bool)
    assert of_behaviors(labels, ambiguous).tolist() == [True] * 4 + [False] * 3


def test_a_toys_vectors_are_its_features_and_its_labels_what_they_contribute(units: list[LabeledUnit]) -> None:
    assert len(units) > 5
    for labeled in units:
        unit = labeled.unit
        assert unit.features is not None
        np.testing.assert_allclose(unit.features.codes @ unit.features.directions, unit.read, atol=1e-5)
        for codes, label, ambiguous in zip(unit.features.codes, labeled.labels, labeled.ambiguous, strict=True):
            terms = [c * float(d @ unit.weights) for c, d in zip(codes, unit.features.directions, strict=True)]
            order = sorted(range(len(terms)), key=lambda f: -terms[f])
            assert label == order[0]
            assert ambiguous == (terms[order[1]] > 0.5 * terms[order[0]])
        assert (np.bincount(labeled.labels[~labeled.ambiguous]) >= 3).sum() == labeled.n_behaviors
        assert not np.array_equal(unit.weights, labeled.other_weights)
        assert len(labeled.labels) <= SMALL.n_examples
    assert len({labeled.name for labeled in units}) == len(units)
    assert {labeled.group for labeled in units} == {SMALL.group}
    assert all(labeled.unit.background is units[0].unit.background for labeled in units)


def test_a_toys_examples_activate_the_unit(units: list[LabeledUnit]) -> None:
    for labeled in units:
        everywhere = labeled.unit.background.vectors @ labeled.unit.weights
        assert np.median(labeled.unit.read @ labeled.unit.weights) > np.quantile(everywhere, 0.7)


def test_training_and_seeds_matter_and_nothing_else_does(units: list[LabeledUnit]) -> None:
    for other in (replace(SMALL, seed=1), replace(SMALL, steps=20)):
        assert not np.array_equal(units[0].unit.weights, toy_units(other)[0].unit.weights)
        assert other.name != SMALL.name
    again = toy_units(SMALL)  # trained once more, since another toy was asked for meanwhile
    for a, b in zip(units, again, strict=True):
        np.testing.assert_array_equal(a.unit.read, b.unit.read)
        np.testing.assert_array_equal(a.unit.weights, b.unit.weights)
        assert a.unit.background is not b.unit.background
    assert replace(SMALL, seed=1).group != SMALL.group == replace(SMALL, steps=20).group


def test_toys_that_differ_in_examples_alone_are_one_network() -> None:
    few, many = (toy_units(replace(SMALL, n_examples=n)) for n in (30, 60))
    assert few[0].unit.background is many[0].unit.background
    assert max(len(each.labels) for each in few) <= 30 < max(len(each.labels) for each in many)


def test_noise_is_a_term_of_its_own_on_the_same_network(units: list[LabeledUnit]) -> None:
    noisy = toy_units(replace(SMALL, noise=0.5))
    assert units[0].unit.background is not noisy[0].unit.background
    known, background = noisy[0].unit.features, noisy[0].unit.background
    assert known is not None
    clean, unit = units[0].unit.background.vectors, noisy[0].unit
    np.testing.assert_array_equal(units[0].unit.weights, unit.weights)
    added = background.vectors - clean
    assert added.std() / (clean - clean.mean(axis=0)).std() == pytest.approx(0.5, rel=0.02)
    assert abs(np.corrcoef(added.ravel(), clean.ravel())[0, 1]) < 0.01
    for labeled in noisy:
        features = labeled.unit.features
        assert features is not None
        rest = (labeled.unit.read - features.codes @ features.directions) @ labeled.unit.weights
        pushed = features.codes * (features.directions @ labeled.unit.weights)
        first = pushed.max(axis=1)
        assert (labeled.ambiguous | (rest <= 0.5 * first + 1e-5)).all()
        assert not np.isin(labeled.labels, len(features.directions)).any()


def test_a_toy_without_noise_and_balance_is_what_it_was_before_there_were_any(units: list[LabeledUnit]) -> None:
    assert Toy(seed=2).name == "toy e0b3ba96 seed 2" and Toy(seed=2, n_examples=30).name == "toy 41d2605d seed 2"
    others = [replace(SMALL, **each) for each in ({"noise": 0.5}, {"balance": 1.0}, {"balance": 2.0})]
    assert len({SMALL.name, *(other.name for other in others)}) == 4
    assert np.isnan(SMALL.difficulty["balance"]) and others[2].difficulty["balance"] == 2


@pytest.mark.parametrize(("balance", "shares"), [(1.0, [20, 20, 20]), (4.0, [34, 17, 9])])
def test_examples_of_a_balance_are_of_the_most_frequent_behaviors(balance: float, shares: list[int]) -> None:
    labels, ambiguous = np.repeat([7, 3, 9, 5, 1], [40, 60, 20, 2, 30]), np.zeros(152, dtype=bool)
    ambiguous[-30:] = True
    of = balanced_behaviors(labels, ambiguous, 60, balance, most=8, fewest=10)
    assert of.tolist() == [3, 7, 9], "of 5 there are too few, and 1 has no clear ones"
    drawn = drawn_by_share(labels, ambiguous, of, 60, balance, np.random.default_rng(0))
    assert [int((labels[drawn] == behavior).sum()) for behavior in of] == shares
    assert (np.diff(drawn) > 0).all() and not ambiguous[drawn].any()
    assert balanced_behaviors(labels, ambiguous, 60, balance, most=2, fewest=10).tolist() == [3, 7]
    assert not len(balanced_behaviors(labels, ambiguous, 1000, balance, most=8, fewest=10))


def test_a_balance_is_kept_where_examples_are_few() -> None:
    labels, ambiguous = np.repeat([0, 1], [50, 9]), np.zeros(59, dtype=bool)
    drawn = drawn_by_share(labels, ambiguous, range(2), 100, 10.0, np.random.default_rng(0))
    assert np.bincount(labels[drawn]).tolist() == [50, 5]
    evenly = drawn_by_share(labels, ambiguous, range(2), 100, 1.0, np.random.default_rng(0))
    assert np.bincount(labels[evenly]).tolist() == [50, 9], "as many as there are"
    assert not len(drawn_by_share(labels, ambiguous, range(3), 100, 10.0, np.random.default_rng(0)))


def test_overlap_is_the_cosine_within_a_family() -> None:
    def within(overlap: float) -> float:
        known = toy_units(replace(SMALL, width=200, overlap=overlap, steps=1))[0].unit.features
        assert known is not None
        cosines = known.directions @ known.directions.T
        np.testing.assert_allclose(cosines.diagonal(), 1, atol=1e-5)
        family = np.arange(30) // 5
        return float(cosines[(family[:, None] == family) & ~np.eye(30, dtype=bool)].mean())

    assert within(0.0) == pytest.approx(0.0, abs=0.05)
    assert within(0.6) == pytest.approx(0.6, abs=0.05)


def test_null_units_are_halves_of_one_behavior(units: list[LabeledUnit]) -> None:
    nulls = [null for labeled in units for null in null_units(labeled, (4, 8))]
    assert {len(null.labels) for null in nulls} == {4, 8}
    for null in nulls:
        assert null.null and null.n_behaviors == 1 and not null.ambiguous.any()
        assert np.bincount(null.labels).tolist() == [len(null.labels) // 2] * 2
        assert null.unit.features is not None
        dominant = (null.unit.features.codes * (null.unit.features.directions @ null.unit.weights)).argmax(axis=1)
        assert len(set(dominant.tolist())) == 1
    one, again, other = (null_units(units[0], (8,), seed)[0].unit.read for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def labeled_of(read: np.ndarray, group: str = "g", name: str = "u") -> LabeledUnit:
    """A unit that reads these vectors, of one behavior."""
    n, d = read.shape
    unit = Unit(read, np.ones(d), Background(np.eye(d)))
    return LabeledUnit(unit, np.ones(d), np.zeros(n, int), np.zeros(n, bool), name, group, "t")


def merged_by_hand() -> list[LabeledUnit]:
    """Four units that read a coordinate each, the second with thrice the weight, merged two and two."""
    weights = np.diag([1.0, 3.0, 1.0, 1.0])
    read = [np.eye(4)[i] * (i + 1) + 0.01 * np.arange(1, 6)[:, None] for i in range(4)]
    read[0] = np.vstack([read[0], [[1.0, 2.0, 0.0, 0.0], [1.0, 1.9, 1.9, 1.9]]])
    return merged_units(weights, read, "layer", terms=2, n_examples=40)


def test_merged_units_by_hand() -> None:
    merged = merged_by_hand()
    assert len(merged) == 2
    for labeled, other in zip(merged, merged[::-1], strict=True):
        terms = [int(word.strip(",")) for word in labeled.name.split()[2:]]
        used = np.flatnonzero(labeled.unit.weights)
        assert sorted(terms) == used.tolist()
        np.testing.assert_array_equal(labeled.other_weights, other.unit.weights)
        # each term's own examples push the merged unit by 1 on average
        for term in terms:
            own = labeled.unit.read @ (np.eye(4)[term] * labeled.unit.weights)
            assert own[labeled.labels == terms.index(term)].mean() == pytest.approx(1.0, abs=0.15)
        biggest = (labeled.unit.read * labeled.unit.weights)[:, terms].argmax(axis=1)
        np.testing.assert_array_equal(labeled.labels, biggest)
    assert sum(labeled.ambiguous.sum() for labeled in merged) >= 1  # 1 and 1.9 / 2
    assert sorted(int(word.strip(",")) for labeled in merged for word in labeled.name.split()[2:]) == [0, 1, 2, 3]


@pytest.mark.parametrize("made", [np.ndarray.tolist, torch.from_numpy, PlainTerms])
def test_weights_come_in_anything_like_an_array(made: Callable[[np.ndarray], Any]) -> None:
    weights, read = np.diag([1.0, 3.0, 1.0, 1.0]), [np.outer(np.arange(1, 6), np.eye(4)[i]) + 0.01 for i in range(4)]
    for found, wanted in zip(
        merged_units(made(weights), read, "l", 2), merged_units(weights, read, "l", 2), strict=True
    ):
        np.testing.assert_array_equal(found.unit.weights, wanted.unit.weights)


def test_an_example_of_two_terms_is_one_example() -> None:
    common = np.array([[3.0, 1.0], [1.0, 3.0], [4.0, 1.0], [1.0, 4.0], [5.0, 1.0], [1.0, 5.0]])
    weights = np.array([[1.0, 0.0], [0.0, 1.0]] * 2)
    for labeled in merged_units(weights, [common] * 4, "layer", terms=2):
        assert len(labeled.labels) == len(common)


def test_balance_is_the_ratio_of_the_first_term_to_the_last() -> None:
    weights, read = np.eye(6), [np.outer(np.arange(100, 200), np.eye(6)[i]) for i in range(6)]
    merged = merged_units(weights, read, "layer", terms=3, n_examples=93, balance=25.0)
    assert [np.bincount(labeled.labels).tolist() for labeled in merged] == [[75, 15, 3]] * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": np.eye(3)}, "4 sets of read vectors"),
        ({"read": [np.ones((2, 3))] * 4}, r"Unit 0 read vectors of shape \(2, 3\)"),
        ({"read": [np.ones((2, 4)), np.full((2, 4), np.nan)] * 2}, "Unit 1 read vectors with NaN"),
        ({"read": [np.full((2, 4), np.inf)] * 4}, "Unit 0 read vectors with NaN or infinity"),
        ({"weights": ["a", "b"]}, "The weights"),
        ({"terms": 1}, "at least 2"),
        ({"terms": 3}, "needs at least 6"),
        ({"balance": 0.5}, "at least 1"),
        ({"weights": -np.eye(4)}, "0 units can be terms"),
    ],
)
def test_what_cannot_be_merged_is_refused(change: dict[str, object], message: str) -> None:
    given = {"weights": np.eye(4), "read": [np.ones((2, 4))] * 4, "group": "layer", "terms": 2} | change
    with pytest.raises(NbkitError, match=message):
        merged_units(**given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"other_weights": np.ones(3)}, "other_weights of shape"),
        ({"labels": np.zeros(3, int)}, "labels of shape"),
        ({"unit": Unit(np.ones(4), np.ones(2), Background(np.eye(2)))}, "read vectors of shape"),
        ({"unit": Unit(np.ones((4, 2)), np.ones(2), Background(np.eye(3)))}, "background of shape"),
        (
            {
                "unit": Unit(
                    np.ones((4, 2)), np.ones(2), Background(np.eye(2)), Features(np.ones((4, 5)), np.ones((4, 2)))
                )
            },
            "codes of shape",
        ),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(NbkitError, match=message):
        replace(labeled_of(np.ones((4, 2))), **change)


@pytest.mark.parametrize(
    "options", [{"n_features": 1}, {"active": 0}, {"active": 200}, {"overlap": 1.0}, {"n_examples": 5}, {"seed": -1}]
)
def test_toys_that_cannot_be_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(NbkitError):
        Toy(**options)
