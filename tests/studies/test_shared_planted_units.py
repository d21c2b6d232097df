"""Probes and the units planted with them, on vectors made by hand; references that look at one token at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from jaxtyping import Float
from sklearn.linear_model import Ridge

from nbkit.errors import NbkitError
from nbkit.method.truth.benchmark import benchmark
from nbkit.method.truth.contestants import paper, pre_mlp
from nbkit.method.truth.dominant import RIVAL_SHARE
from nbkit.method.truth.unit import LabeledUnit
from nbkit.studies.ground_truth import concept_units, concepts_of, merged_probes, train_probes
from nbkit.studies.shared.planted.concepts import Concepts
from nbkit.studies.shared.planted.probe_sums import MOST_OFTEN
from nbkit.studies.shared.planted.probes import Probes
from nbkit.studies.shared.planted.token_reads import TokenReads, held_out
from tests.examples.token_reads import CONCEPTS, labeled_by_hand, reads_by_hand


@pytest.fixture(scope="module")
def reads() -> TokenReads:
    return reads_by_hand(labeled_by_hand(n=1500))


@pytest.fixture(scope="module")
def concepts(reads: TokenReads) -> Concepts:
    return {name: reads.token == number for number, name in enumerate(CONCEPTS)}


@pytest.fixture(scope="module")
def probes(reads: TokenReads, concepts: Concepts) -> Probes:
    return train_probes(reads, {"things": concepts})


def row_of(reads: TokenReads, vector: Float[np.ndarray, " d"]) -> int:
    return int(np.flatnonzero((reads.read == vector).all(axis=1))[0])


def test_a_probe_scores_0_at_the_mean_and_1_at_its_concept(reads: TokenReads, concepts: Concepts) -> None:
    seen = ~held_out(reads.document) & (reads.token != 5)
    for kind in ("discriminant", "means"):
        probes = train_probes(reads, {"things": concepts}, kind)
        assert probes.names == CONCEPTS
        scores = (reads.read - probes.mean) @ probes.weights.T
        np.testing.assert_allclose(scores[seen].mean(axis=0), 0, atol=1e-4)
        for number, name in enumerate(CONCEPTS):
            assert scores[seen & concepts[name], number].mean() == pytest.approx(1, abs=1e-4)
    away = [reads.read[seen & concepts[name]].mean(axis=0) - reads.read[seen].mean(axis=0) for name in CONCEPTS]
    np.testing.assert_allclose(cosines(probes.weights, np.array(away)), 1, atol=1e-5)


def cosines(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    products: Float[np.ndarray, " n"] = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return products


def test_the_discriminant_is_about_that_of_a_ridge(reads: TokenReads, concepts: Concepts, probes: Probes) -> None:
    seen = ~held_out(reads.document) & (reads.token != 5)
    ridge = [Ridge(alpha=1e-3).fit(reads.read[seen], concepts[name][seen]).coef_ for name in CONCEPTS]
    assert (cosines(probes.weights, np.array(ridge)) > 0.99).all()
    means = train_probes(reads, {"things": concepts}, "means")
    assert (cosines(means.weights, np.array(ridge)) < 0.99).any()


def test_a_probe_sees_nothing_of_the_held_out_documents(reads: TokenReads, concepts: Concepts, probes: Probes) -> None:
    held = held_out(reads.document)
    assert not set(reads.document[held]) & set(reads.document[~held])
    other = replace(reads, read=np.where(held[:, None], np.float32(7), reads.read))
    np.testing.assert_array_equal(train_probes(other, {"things": concepts}).weights, probes.weights)


def test_rare_concepts_and_unknown_kinds_get_no_probe(reads: TokenReads, concepts: Concepts) -> None:
    rare = {**concepts, "rare": np.arange(len(reads.read)) < 40}
    assert train_probes(reads, {"things": rare}).names == CONCEPTS
    with pytest.raises(NbkitError, match="no concept has 25 tokens"):
        train_probes(reads, {"things": {"rare": rare["rare"]}})
    with pytest.raises(NbkitError, match="choose discriminant or means"):
        train_probes(reads, {"things": concepts}, "svm")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def units(probes: Probes, concepts: Concepts) -> list[LabeledUnit]:
    return concept_units(probes, terms=(2,), n_examples=40)


def test_examples_are_the_strongest_tokens_of_held_out_contexts(
    units: list[LabeledUnit], reads: TokenReads, probes: Probes
) -> None:
    assert len(units) == 4, "two of things, two of all kinds together"
    held = held_out(reads.document)
    for labeled in units:
        w = labeled.unit.weights
        rows = [row_of(reads, vector) for vector in labeled.unit.read]
        contexts = reads.context[rows]
        assert len(set(contexts)) == len(rows) and held[rows].all()
        threshold = np.quantile(reads.read[~held] @ w, 1 - MOST_OFTEN)
        for row in rows:
            mine = reads.read[reads.context == reads.context[row]] @ w
            assert reads.read[row] @ w == pytest.approx(mine.max(), abs=1e-5) and mine.max() > threshold - 1e-5
        terms = labeled.name.split(": ")[1].split(", ")[0].split(" + ")
        np.testing.assert_allclose(w, sum(probes.weights[probes.names.index(term)] for term in terms), rtol=1e-5)
        words = [CONCEPTS[token] if token < 4 else "" for token in reads.token[rows]]
        assert labeled.ambiguous.tolist() == [word not in terms for word in words]
        assert all(terms[label] == word for label, word in zip(labeled.labels, words, strict=True) if word in terms)
        assert labeled.unit.text is not None and labeled.unit.text.keys.tolist() == reads.token[rows].tolist()
        assert labeled.unit.background is reads.background


def test_the_control_has_the_weights_of_another_unit(units: list[LabeledUnit]) -> None:
    own = {labeled.unit.weights.tobytes() for labeled in units}
    assert all(labeled.other_weights.tobytes() in own - {labeled.unit.weights.tobytes()} for labeled in units)
    assert len({labeled.name for labeled in units}) == len(units)
    assert {labeled.difficulty["kind"] for labeled in units} == {"things", "mixed"}


def test_the_control_has_none_of_the_units_own_probes(probes: Probes) -> None:
    for seed in range(8):
        labeled = merged_probes(probes, terms=(2,), n_examples=40, seed=seed)
        for each in labeled:
            of_other = np.linalg.lstsq(probes.weights.T, each.other_weights, rcond=None)[0].round(3)
            own = np.linalg.lstsq(probes.weights.T, each.unit.weights, rcond=None)[0].round(3)
            assert own.sum() == of_other.sum() == 2 and not (own * of_other).any()
    of_all = merged_probes(probes, terms=(4,), n_examples=40)  # where all share their terms
    assert len(of_all) == 2


def test_a_token_of_two_concepts_is_ambiguous(reads: TokenReads, concepts: Concepts) -> None:
    painted = concepts["boats"] & (reads.context % 4 == 0)
    both = {"boats": concepts["boats"], "paint": concepts["birds"] | painted}
    units = concept_units(train_probes(reads, {"things": both}), terms=(2,), n_examples=60)
    assert len(units) == 2
    for labeled in units:
        terms = labeled.name.split(": ")[1].split(", ")[0].split(" + ")
        rows = np.array([row_of(reads, vector) for vector in labeled.unit.read])
        of = np.stack([both[term][rows] for term in terms], axis=1)
        assert set(of.sum(axis=1)) >= {1, 2}
        np.testing.assert_array_equal(labeled.ambiguous, of.sum(axis=1) != 1)
        np.testing.assert_array_equal(labeled.labels[~labeled.ambiguous], of[~labeled.ambiguous].argmax(axis=1))


def test_merged_probes_are_labeled_by_the_term_that_contributes_most(
    reads: TokenReads, probes: Probes, concepts: Concepts
) -> None:
    units = merged_probes(probes, terms=(2, 3), n_examples=40)
    assert {labeled.task for labeled in units} == {"merged probes"}
    for labeled in units:
        terms = labeled.name.split(": ")[1].split(", ")[0].split(" + ")
        for h, label, ambiguous in zip(labeled.unit.read, labeled.labels, labeled.ambiguous, strict=True):
            shares = [float((h - probes.mean) @ probes.weights[probes.names.index(term)]) for term in terms]
            assert label == int(np.argmax(shares))
            assert ambiguous == (sorted(shares)[-2] > RIVAL_SHARE * max(shares) or max(shares) <= 0)


@pytest.mark.parametrize("make", [concept_units, merged_probes])
def test_balance_and_number_of_examples(make: object, probes: Probes, concepts: Concepts) -> None:
    assert callable(make)
    for labeled in make(probes, terms=(2,), n_examples=44, balance=10.0):
        counts = np.bincount(labeled.labels[~labeled.ambiguous])
        assert counts.min() == 4 and 30 <= counts.max() <= 40


def test_spaces_that_see_the_concepts_find_them_and_draws_have_a_seed(
    units: list[LabeledUnit], probes: Probes, concepts: Concepts
) -> None:
    table = benchmark({"paper's": paper, "pre-MLP": pre_mlp}, units)
    found = table[(table["measure"] == "auc") & (table["contestant"] == "pre-MLP")]["value"]
    assert found.mean() > 0.95
    again = concept_units(probes, terms=(2,), n_examples=40)
    other = concept_units(probes, terms=(2,), n_examples=40, seed=1)
    np.testing.assert_array_equal(again[0].unit.read, units[0].unit.read)
    assert [labeled.name for labeled in other] != [labeled.name for labeled in units] or any(
        a.unit.read.shape != b.unit.read.shape or (a.unit.read != b.unit.read).any()
        for a, b in zip(other, units, strict=True)
    )


def test_wrong_options_and_single_units_are_refused(probes: Probes, concepts: Concepts) -> None:
    for options in ({"n_examples": 5}, {"balance": 0.5}, {"terms": (1,)}, {"most": 0}):
        with pytest.raises(NbkitError, match=next(iter(options))):
            concept_units(probes, **options)  # type: ignore[arg-type]
    with pytest.raises(NbkitError, match="0 units can be planted"):
        concept_units(probes, terms=(9,))


def test_the_concepts_of_tokens(reads: TokenReads) -> None:
    kinds = concepts_of(reads)
    assert list(kinds) == ["word class", "part of speech", "genre", "quotation", "position"]
    labeled = reads.labeled
    dogs = replace(reads, labeled=replace(labeled, word=np.where(labeled.word == "boats", "Dogs", labeled.word)))
    np.testing.assert_array_equal(kinds["word class"]["animals"], reads.token == 2)
    np.testing.assert_array_equal(concepts_of(dogs)["word class"]["animals"], np.isin(reads.token, [0, 2]))
    speech = kinds["part of speech"]
    np.testing.assert_array_equal(speech["noun"], reads.token < 2)
    np.testing.assert_array_equal(speech["preposition"], reads.token == 4)
    assert {name: int(tokens.sum()) for name, tokens in kinds["genre"].items()} == {"news": 6000, "fiction": 6000}
    np.testing.assert_array_equal(kinds["position"]["second word"], (reads.position == 1) & (reads.token != 5))
    np.testing.assert_array_equal(kinds["position"]["last word"], (reads.position == 8) & (reads.token != 5))


def test_ambiguous_examples_are_drawn_as_often_as_they_occur(probes: Probes) -> None:
    few, many = (merged_probes(probes, terms=(4,), n_examples=n) for n in (20, 10_000))
    for labeled, everything in zip(few, many, strict=True):
        assert (~labeled.ambiguous).sum() <= 20 < (~everything.ambiguous).sum()
        assert labeled.ambiguous.mean() == pytest.approx(everything.ambiguous.mean(), abs=0.03)
