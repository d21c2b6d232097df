"""The cost model of large runs: its equations by hand, and the coefficients that a sample gives."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from nbkit.errors import NbkitError
from nbkit.studies import large_run
from nbkit.studies.large_run.coefficients import H100_BARE, H100_NEURONS, H100_SCAN, Kept, gpu, h100
from nbkit.studies.large_run.cost_model import Costs, Work
from nbkit.studies.large_run.fitting import measured, places
from nbkit.studies.large_run.shape import Shape, shape_of
from tests.examples.large_run import EACH, NOTHING, SHAPE, WORK, sample_of


def test_the_equations_by_hand() -> None:
    costs = Costs(WORK, replace(EACH, candidates=Kept(1.0, 1.0, 1.0), levels=Kept(0.5, 1.0, 1.0)))
    # Of 16 contexts, 320 tokens, a neuron keeps 16 candidates and 8 level examples, wherever the block is.
    assert costs.records(16, 32) == pytest.approx((16.0, 8.0))
    assert costs.forward(16) == pytest.approx(2 * 1_000 * 320 / 1e6)
    assert costs.capture(16, 32) == pytest.approx(4 * 100 * (320 * 1e-5 + 24 * 1e-3))
    vectors = 160 * (1 - np.exp(-1600 / 160))
    assert costs.vectors(16, 32) == pytest.approx(vectors)
    n_bytes = 4 * (100 * (50 + 16 * 100 + 8 * 90) + vectors * 10 * 2)
    assert costs.block_bytes(16, 32) == pytest.approx(n_bytes)
    assert costs.scan(16, 32) == pytest.approx(costs.forward(16) + costs.capture(16, 32) + n_bytes / 1e6)
    assert costs.merge(1e6) == pytest.approx(2.0 + 2 * 100 * 10 * 50 / 1e5)
    assert costs.metrics() == pytest.approx(100 * 10 * 1e-4)
    assert costs.weights_bytes() == (1_000 + 2 * 50 * 10) * 2
    assert costs.atlas_bytes_at_most() == pytest.approx(400 * (50 + 200 * (100 + 20)))


def test_a_text_is_cut_into_contexts_and_blocks() -> None:
    work = Work.of_tokens(SHAPE, 100_000_000)
    assert (work.n_contexts, work.n_blocks, work.n_tokens) == (781_250, 6_104, 100_000_000)
    assert sum(work.size(number) for number in range(work.n_blocks)) == work.n_contexts
    with pytest.raises(NbkitError, match="100 tokens don't fill a context of 128"):
        Work.of_tokens(SHAPE, 100)


def test_without_a_power_the_law_is_the_rule_of_ranks() -> None:
    """a ln(1 + n / n0) with a = k and n0 = k / e is k (1 + ln(n / k)) of many contexts."""
    k = 100
    log_law, rule = Kept(k, k / np.e, 0.0), Kept(1e9, 1.0, 1.0, ranks=k)
    assert log_law(100_000) == pytest.approx(k * (1 + np.log(1_000)), rel=1e-4)
    assert log_law(100_000) == pytest.approx(rule(100_000), rel=1e-4)
    assert rule(60) == 60 and rule(1_000) == pytest.approx(k * (1 + np.log(10)))
    assert Kept(k, 1.0, 1e-7)(50.0) == pytest.approx(min(50.0, k * np.log(51)), rel=1e-5)


def test_what_is_kept_of_blocks_adds_up() -> None:
    for kept in (EACH.candidates, EACH.levels):
        assert kept(0) == 0
        blocks = [kept.between(seen, 16) for seen in range(0, 160, 16)]
        assert sum(blocks) == pytest.approx(kept(160))
        assert all(a > b > 0 for a, b in pairwise(blocks)), "ever less"


@pytest.mark.parametrize("law", [EACH.candidates, EACH.levels, Kept(5.0, 300.0, 0.8), Kept(5.0, 2.0, -1.2)])
def test_a_law_is_found_from_three_blocks(law: Kept) -> None:
    seen = (0.0, 16.0, 984.0)
    found = Kept.through(seen, [law.between(each, 16) for each in seen], 16, law.ranks)
    for n in (8, 100, 1_000):
        assert found(n) == pytest.approx(law(n), rel=1e-3)


def test_a_block_without_records_is_told() -> None:
    with pytest.raises(NbkitError, match="measure on larger blocks"):
        Kept.through((0, 16, 984), (1.0, 0.5, 0.0), 16)


def test_places_are_found_from_how_many_are_hit() -> None:
    assert places(1_600, 160 * (1 - np.exp(-10)), 10_000) == pytest.approx(160, rel=1e-3)
    assert places(10, 10, 500) == 500, "no place was hit twice"
    # Hits drawn at random, counted.
    rng = np.random.default_rng(0)
    different = np.mean([len(np.unique(rng.integers(1_000, size=700))) for _ in range(200)])
    assert places(700, float(different), 10_000) == pytest.approx(1_000, rel=0.02)


def test_a_sample_gives_its_coefficients_back() -> None:
    found = measured(sample_of())
    for name, value in vars(EACH).items():
        if name not in ("candidates", "levels", "name"):
            assert getattr(found, name) == pytest.approx(value, rel=1e-3, abs=1e-12), name
    for name in ("candidates", "levels"):
        assert getattr(found, name)(500) == pytest.approx(getattr(EACH, name)(500), rel=1e-3)


def test_a_scan_that_is_faster_than_the_bare_pass_has_no_negative_costs() -> None:
    sample = sample_of(replace(EACH, look=0.0, keep=0.0))
    sample.blocks["scan"] *= 0.9  # a busy machine
    found = measured(sample)
    assert found.look == 0 and found.keep == 0


def test_an_h100_is_as_fast_as_it_was_measured() -> None:
    """Its scan of the small model has the tokens a second that the coefficients are made from."""
    small = Shape("smollm2-135m", 30, 576, 1_536, 106_203_456, 49_152)
    costs = Costs(Work(small, 10_000), replace(h100(EACH), candidates=NOTHING, levels=NOTHING))
    assert small.n_neurons == H100_NEURONS
    assert 128 * 128 / costs.forward(128) == pytest.approx(H100_BARE)
    assert 128 * 128 / (costs.forward(128) + costs.capture(128, 0)) == pytest.approx(H100_SCAN)
    slower = gpu(EACH, "half the memory", 100e12, 0.5, 3.35e12 / 2)
    assert slower.look == pytest.approx(2 * h100(EACH).look) and slower.flops == 50e12


@pytest.mark.parametrize(
    ("given", "told"), [((0, 0.4, 1e12), "speed above 0"), ((1e12, 1.5, 1e12), "share of"), ((1e12, 1, -1), "above 0")]
)
def test_impossible_gpus_are_refused(given: tuple[float, float, float], told: str) -> None:
    with pytest.raises(NbkitError, match=told):
        gpu(EACH, "none", *given)


def test_a_model_is_told_by_its_sizes() -> None:
    sizes = {"name": "x", "n_layers": 2, "d_model": 3, "d_mlp": 4, "n_parameters": 5, "d_vocabulary": 6}
    assert shape_of(sizes).n_weights == 5 + 2 * 6 * 3 and large_run.shape_of(sizes).n_neurons == 8
    with pytest.raises(NbkitError, match="give name, n_layers"):
        shape_of({"name": "x"})
    with pytest.raises(NbkitError, match="d_mlp is 0"):
        shape_of({**sizes, "d_mlp": 0})
