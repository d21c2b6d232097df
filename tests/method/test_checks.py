"""Whatever a caller gives is taken if its meaning is plain, and else refused in one sentence, never half understood."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from nbkit.errors import NbkitError
from nbkit.method.checks import (
    checked_array,
    checked_choice,
    checked_number,
    checked_whole,
    have_direction,
)
from nbkit.method.clusters import cosine_distances, feature_clusters
from nbkit.method.embeddings import gradient_embeddings, neuron_embeddings
from nbkit.method.metrics import adjusted_rand_index, polysemanticity

X = np.random.default_rng(0).normal(size=(4, 3))
LABELS = np.array([0, 0, 1, 1])


@pytest.mark.parametrize(
    "given_as",
    [
        X.tolist(),
        X.astype(object),
        X.astype(">f8"),
        X.astype(np.longdouble),
        np.ma.masked_array(X),
        pd.DataFrame(X),
        torch.tensor(X),
        torch.tensor(X, requires_grad=True),
        torch.tensor(X).to_sparse(),
        sparse.csr_array(X),
        sparse.coo_matrix(X),
    ],
)
def test_arrays_of_other_libraries_are_arrays(given_as: Any) -> None:
    np.testing.assert_array_equal(cosine_distances(given_as), cosine_distances(X))
    np.testing.assert_array_equal(feature_clusters(given_as).labels, feature_clusters(X).labels)


def test_precisions_are_kept() -> None:
    for dtype in ("float16", "float32", "float64"):
        assert checked_array(X.astype(dtype), "The values").dtype == dtype
    assert checked_array(torch.tensor(X).bfloat16(), "The values").dtype == "float32"
    assert checked_array([[1, 2]], "The values").dtype == checked_array(X > 0, "The values").dtype == "float64"


NO_ARRAYS: list[tuple[Any, str]] = [
    (X * 1j, "complex numbers"),
    (torch.tensor(X * 1j), "complex numbers"),
    ("embeddings.npy", "text"),
    ([["1", "2"]], "text"),
    (b"abc", "bytes"),
    (None, "values of type object"),
    ([[None, 1.0]], "values of type object"),
    ({"a": [1]}, "values of type object"),
    ([[Decimal(1)]], "values of type object"),
    (pd.DataFrame({"a": [1], "b": ["x"]}), "values of type object"),
    (np.array(["2020-01-01"], dtype="M8[D]"), "values of type datetime64"),
    ([[1.0], [1.0, 2.0]], "their rows differ in length"),
    (np.ma.masked_greater(X, 0), "masked entries"),
]


@pytest.mark.parametrize(("given_as", "what"), NO_ARRAYS)
def test_what_is_no_array_of_real_numbers_is_refused(given_as: Any, what: str) -> None:
    for function in (cosine_distances, feature_clusters, lambda x: polysemanticity(x, LABELS)):
        with pytest.raises(NbkitError, match=f"^The embeddings .*{what}") as error:
            function(given_as)
        assert len(str(error.value)) <= 300
    with pytest.raises(NbkitError, match=f"^The pre-MLP vectors .*{what}"):
        neuron_embeddings(given_as, np.ones(3))


@pytest.mark.parametrize("shaped", [np.ones(3), np.float64(1), [], [[]], np.ones((2, 2, 2)), 5])
def test_other_shapes_are_refused(shaped: Any) -> None:
    with pytest.raises(NbkitError, match=r"must have shape \(n, d\)"):
        feature_clusters(shaped)


@pytest.mark.parametrize("number", [10**400, 1e400, -(10**400)])
def test_numbers_beyond_all_floats_are_infinite(number: Any) -> None:
    with pytest.raises(NbkitError, match=r"Row 0 .* NaN or infinity"):
        feature_clusters([[1.0, number]])


@pytest.mark.parametrize(
    "threshold", ["0.5", None, True, [0.5], np.array([0.5]), 0.5j, Decimal("0.5"), 10**400, "x" * 900]
)
def test_a_threshold_is_a_number(threshold: Any) -> None:
    clusters = feature_clusters(X)
    for cut in (partial(feature_clusters, X), clusters.cut):
        with pytest.raises(NbkitError, match=r"^A threshold of .* is no distance to cut at") as error:
            cut(threshold)
        assert len(str(error.value)) <= 300


@pytest.mark.parametrize("threshold", [np.float32(0.5), np.array(0.5), torch.tensor(0.5), np.float64(0.5)])
def test_numpys_and_pytorchs_numbers_are_thresholds(threshold: Any) -> None:
    np.testing.assert_array_equal(feature_clusters(X, threshold).labels, feature_clusters(X, 0.5).labels)


@pytest.mark.parametrize("method", [None, ["average"], np.array(["average", "single"]), 3])
def test_a_method_is_a_word(method: Any) -> None:
    with pytest.raises(NbkitError, match="There is no clustering method"):
        feature_clusters(X, 0.5, method)


@pytest.mark.parametrize("k", [2.5, "2", None, True, 2.0])
def test_a_number_of_clusters_is_whole(k: Any) -> None:
    with pytest.raises(NbkitError, match=r"n_clusters is .*: give a whole number"):
        feature_clusters(X).cut_to(k)


@pytest.mark.parametrize(
    "labels",
    [
        [0, 0, 1, 1],
        [0.0, 0.0, 1.0, 1.0],
        ["a", "a", "b", "b"],
        [False, False, True, True],
        torch.tensor([3, 3, -1, -1]),
        pd.Series([5, 5, 2, 2], dtype="Int64"),
        pd.Series(["a", "a", "b", "b"], dtype="category"),
        np.array([10**30, 10**30, 1, 1], dtype=object),
    ],
)
def test_labels_may_be_any_names(labels: Any) -> None:
    assert polysemanticity(X, labels) == polysemanticity(X, LABELS)
    assert adjusted_rand_index(labels, LABELS) == 1.0


@pytest.mark.parametrize(
    "labels",
    [
        [np.nan] * 4,
        [0, 1, np.nan, 2],
        pd.Series([0, 1, None, 2]),
        pd.Series([0, 1, None, 2], dtype="Int64"),
        [0.5, 0, 1, 1],
        [np.inf, 0, 1, 1],
        [None] * 4,
        ["a", 1, None, 2],
        [1j] * 4,
        np.ma.masked_equal(LABELS, 0),
        [[0], [0, 1]],
        {0, 1, 2, 3},
    ],
)
def test_what_names_no_cluster_is_refused(labels: Any) -> None:
    for measured in (lambda: polysemanticity(X, labels), lambda: adjusted_rand_index(labels, LABELS)):
        with pytest.raises(NbkitError, match=r"^The labels "):
            measured()


@pytest.mark.parametrize("labels", [[0, 1], [], 5, "abcd", [[0]] * 4])
def test_labels_of_another_shape_are_refused(labels: Any) -> None:
    with pytest.raises(NbkitError, match="do not belong together"):
        polysemanticity(X, labels)


def test_libraries_and_precisions_may_be_mixed_in_embeddings() -> None:
    h, w = X.astype(np.float32), X[0].astype(np.float32)
    expected = torch.from_numpy(h * w)
    mixed: list[Any] = [(torch.from_numpy(h), w), (h, torch.from_numpy(w)), (torch.from_numpy(h), w.tolist())]
    for vectors, weights in mixed:
        torch.testing.assert_close(neuron_embeddings(vectors, weights), expected, check_dtype=False)
    with pytest.raises(NbkitError, match="b_in is nan: give a finite number"):
        gradient_embeddings(h, w, float("nan"), torch.relu)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_gradients_in_half_precision_are_computed_in_float32(dtype: torch.dtype) -> None:
    """A sum over 4,096 numbers in half precision would be off by percents, and so would be the slope."""
    generator = torch.Generator().manual_seed(0)
    h, w = torch.randn(5, 4096, generator=generator).to(dtype), (torch.randn(4096, generator=generator) / 64).to(dtype)
    found = gradient_embeddings(h, w, 0.1, torch.nn.functional.gelu)
    exact = gradient_embeddings(h.float(), w.float(), 0.1, torch.nn.functional.gelu)
    assert found.dtype == dtype and torch.equal(found, exact.to(dtype))


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.floats())))
def test_a_number_is_taken_as_it_is_or_refused_in_a_sentence(value: Any) -> None:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    checks: list[tuple[Callable[[], Any], bool]] = [
        (lambda: checked_number("x", value, "give one above 0, up to 1", 0, 1, "(]"), real and 0 < value <= 1),
        (lambda: checked_whole("x", value, 0, 9), real and isinstance(value, int) and 0 <= value <= 9),
        (lambda: checked_choice("x", value, ("a", "b")), value in ("a", "b")),
    ]
    for check, fine in checks:
        if fine:
            assert check() == value
            continue
        with pytest.raises(NbkitError, match=r"^x is .*\Z") as error:  # on one line
            check()
        assert len(str(error.value)) <= 300


def test_rows_without_a_direction() -> None:
    rows = np.array([[1, 0], [0, 0], [np.nan, 1], [1, np.inf], [1e-300, 0]])
    assert have_direction(rows).tolist() == [True, False, False, False, True]
