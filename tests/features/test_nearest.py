"""The nearest rows against full rows of similarities, sorted."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import nbkit.features.nearest
from nbkit.errors import NbkitError
from nbkit.features.nearest import K, nearest

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def random_rows(n: int, d: int, n_layers: int, seed: int, noise: float = 0.5) -> Rows:
    """Rows around common centers, of layers and neurons that have one to many rows."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((max(1, n // 20), d))
    vectors = centers[rng.integers(len(centers), size=n)] + noise * rng.standard_normal((n, d))
    layer = np.sort(rng.integers(n_layers, size=n))
    neuron = np.cumsum((rng.random(n) < 0.3) | (np.diff(layer, prepend=0) > 0))
    return vectors.astype(np.float32), layer, neuron


def slow_nearest(
    vectors: np.ndarray, layer: np.ndarray, neuron: np.ndarray, decimals: int = 12
) -> tuple[np.ndarray, np.ndarray]:
    unit = vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    number, cosine = np.full((len(unit), 2, K), -1), np.zeros((len(unit), 2, K))
    for row in range(len(unit)):
        similarity = (unit @ unit[row]).round(decimals)
        for scope in (0, 1):
            eligible = np.flatnonzero(((layer == layer[row]) == (scope == 0)) & (neuron != neuron[row]))
            best = eligible[np.argsort(-similarity[eligible], kind="stable")][:K]
            number[row, scope, : len(best)], cosine[row, scope, : len(best)] = best, similarity[best]
    return number, cosine


@pytest.fixture(params=["float32", "bfloat16"])
def product(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The dtype of the rough products, with blocks so small that there are many."""
    monkeypatch.setattr(nbkit.features.nearest, "_bfloat16_is_faster", lambda _: request.param == "bfloat16")
    monkeypatch.setattr(nbkit.features.nearest, "QUERIES_AT_ONCE", 32)
    monkeypatch.setattr(nbkit.features.nearest, "PAIRS_AT_ONCE", 50)
    return str(request.param)


@pytest.mark.usefixtures("product")
@pytest.mark.parametrize(
    ("n", "d", "n_layers", "noise"),
    [
        (400, 24, 3, 0.1),
        (400, 24, 3, 3.0),
        (300, 5, 1, 0.5),
        (120, 3, 12, 0.5),
        (30, 2, 9, 1.0),
        (1, 4, 1, 1.0),
        (0, 4, 1, 1.0),
    ],
)
def test_equals_full_rows_of_similarities(n: int, d: int, n_layers: int, noise: float) -> None:
    rows = random_rows(n, d, n_layers, seed=n, noise=noise)
    number, cosine = nearest(*rows)
    expected_number, expected_cosine = slow_nearest(*rows)
    assert number.dtype == np.int32 and cosine.dtype == np.float32
    np.testing.assert_allclose(cosine, expected_cosine, atol=1e-6)
    np.testing.assert_array_equal(number, expected_number)


@pytest.mark.usefixtures("product")
def test_of_equals_the_smaller_number_comes_first() -> None:
    """Every vector occurs many times, in all layers and in different places of a block."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((5, 48)).astype(np.float32)[rng.integers(5, size=300)]
    vectors *= 2.0 ** rng.integers(-3, 4, size=(300, 1)).astype(np.float32)  # length doesn't count
    layer = np.repeat([0, 1, 2], 100)
    number, cosine = nearest(vectors, layer, np.arange(300) // 2)
    expected, _ = slow_nearest(vectors, layer, np.arange(300) // 2, decimals=6)
    np.testing.assert_array_equal(number, expected)
    assert (np.diff(number[:, :, :2], axis=2) > 0).all() and len(set(cosine[:, 0].ravel().tolist())) < 16


@given(st.integers(0, 10_000))
def test_negative_similarities_are_found_too(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((12, 2)).astype(np.float32)
    rows = vectors, np.repeat([0, 1], 6), np.arange(12)
    for faster in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(nbkit.features.nearest, "_bfloat16_is_faster", lambda _, faster=faster: faster)
            np.testing.assert_array_equal(nearest(*rows)[0], slow_nearest(*rows)[0])


def test_both_products_give_the_same_bytes_and_the_order_of_blocks_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = random_rows(500, 16, 3, seed=3)
    results = []
    for faster, block in ((False, 7), (True, 7), (True, 100), (False, 2048)):
        monkeypatch.setattr(nbkit.features.nearest, "_bfloat16_is_faster", lambda _, faster=faster: faster)
        monkeypatch.setattr(nbkit.features.nearest, "QUERIES_AT_ONCE", block)
        results.append(nearest(*rows))
    for number, cosine in results[1:]:
        np.testing.assert_array_equal(number, results[0][0])
        np.testing.assert_array_equal(cosine, results[0][1])


@given(st.integers(0, 10_000), st.integers(1, 700))
def test_the_bound_on_the_error_of_a_product_holds(seed: int, d: int) -> None:
    unit = nbkit.features.nearest._normalized(np.random.default_rng(seed).standard_t(2, (20, d)))
    exact = unit.double() @ unit.double().T
    for dtype in (torch.float32, torch.bfloat16):
        rough = (unit.to(dtype) @ unit.to(dtype).T).double()
        assert float((rough - exact).abs().max()) <= nbkit.features.nearest._largest_error(unit, dtype)


def test_little_is_computed_a_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = random_rows(2000, 32, 4, seed=0)
    exact, seen = nbkit.features.nearest._Search._exact, []

    def counted(self: Any, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        seen.append(len(i))
        return exact(self, i, j)

    monkeypatch.setattr(nbkit.features.nearest, "QUERIES_AT_ONCE", 128)
    monkeypatch.setattr(nbkit.features.nearest, "_bfloat16_is_faster", lambda _: False)
    monkeypatch.setattr(nbkit.features.nearest._Search, "_exact", counted)
    nearest(*rows)
    assert sum(seen) < 0.05 * 2000 * 2000


def test_past_the_limit_other_layers_are_found_approximately(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = random_rows(20_000, 16, 4, seed=1, noise=0.3)
    number, cosine = nearest(*rows)
    monkeypatch.setattr(nbkit.features.nearest, "EXACT_UP_TO", 19_999)
    near, its_cosine = nearest(*rows)
    np.testing.assert_array_equal(near[:, 0], number[:, 0])
    assert (rows[1][near[:, 1]] != rows[1][:, None]).all()
    found = (near[:, 1, :, None] == number[:, 1, None, :]).any(1)
    assert 0.9 < found.mean() < 1
    same = near == number
    np.testing.assert_array_equal(its_cosine[same], cosine[same])


def test_past_the_limit_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nbkit.features.nearest, "EXACT_UP_TO", 10)
    monkeypatch.setitem(sys.modules, "faiss", None)  # as if it were not installed
    with pytest.raises(NbkitError, match=r"11 features are too many.*limit is 10.*pip install faiss-cpu"):
        nearest(*random_rows(11, 4, 2, seed=0))


def test_progress_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    nearest(*random_rows(50, 4, 2, seed=0), progress=True, desc="near")
    assert "near: 100%" in capsys.readouterr().err
    nearest(*random_rows(50, 4, 2, seed=0))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("faster", [torch.bfloat16, torch.float32])
def test_the_number_format_is_chosen_by_the_processor_s_time(
    faster: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one thread; by the clock, which other work makes wrong, each seems to be the other."""
    now = dict.fromkeys((time.perf_counter, time.thread_time), 0.0)
    multiply = torch.Tensor.__matmul__

    def watched(left: Tensor, right: Tensor) -> Tensor:
        assert torch.get_num_threads() == 1
        now[time.thread_time] += 1 if left.dtype == faster else 2
        now[time.perf_counter] += 2 if left.dtype == faster else 1
        return multiply(left, right)

    clocks = SimpleNamespace(perf_counter=lambda: now[time.perf_counter], thread_time=lambda: now[time.thread_time])
    monkeypatch.setattr(torch.Tensor, "__matmul__", watched)
    monkeypatch.setattr(nbkit.features.nearest, "time", clocks)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert nbkit.features.nearest._bfloat16_is_faster(torch.eye(4)) == (faster == torch.bfloat16)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("contended", [True, False])
def test_products_are_made_by_one_thread_while_other_work_keeps_the_cores_busy(
    contended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[int] = []
    compare = nbkit.features.nearest._Search.compare

    def watched(*args: Any) -> None:
        searched.append(torch.get_num_threads())
        compare(*args)

    monkeypatch.setattr(nbkit.features.nearest._Search, "compare", watched)
    monkeypatch.setattr(
        nbkit.features.nearest, "_seconds_of_product", lambda *_: 1 + (torch.get_num_threads() > 1) * (contended - 0.5)
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)  # where there is one, it makes them
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        nearest(*random_rows(60, 8, 2, seed=0))
        assert searched and set(searched) == {1 if contended else 3}
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
