"""The rules that choose the pages' latents, on tables made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nbkit.errors import NbkitError
from nbkit.mnist.choice import LatentChoice, clear_clusters, same_rank, typical
from nbkit.mnist.view import LatentView
from tests.examples.views import Row, view_of


def test_the_clearest_clusters_have_the_highest_silhouette() -> None:
    rows: list[Row] = [
        {"n_examples": 100, "silhouette": 0.2},
        {"n_examples": 99, "silhouette": 0.9},
        {"n_examples": 100, "silhouette": 0.4},
        {"n_examples": 100},
        {"n_examples": 100, "silhouette": 0.8, "n_clusters": 1},
    ]
    choice = clear_clusters(view_of(rows, "neuron", "hidden layer"))
    assert choice.name == "Neuron 2 of the hidden layer"
    assert choice.rule.endswith("of these the highest silhouette (2 of 5 neurons are eligible).")
    assert "looser" in clear_clusters(view_of(rows[1:2])).rule


def test_the_typical_latent_has_the_median_distance_of_those_with_enough_examples() -> None:
    distances = (0.5, 0.1, 0.9, 0.2, 0.4)
    few = [{"n_examples": 9, "mean_distance": d} for d in (0.0, 0.01, 0.02)]
    choice = typical(view_of([*few, *({"n_examples": 10, "mean_distance": d} for d in distances)]))
    assert choice.latent == 3 + distances.index(0.4)
    assert "the median of their mean distances (5 of 8 latents are eligible)" in choice.rule


def ladder(n: int, name: str, shuffled: int = 0) -> LatentView:
    """Distances 0, 1, ... n - 1 in a random order, over n."""
    order = np.random.default_rng(shuffled).permutation(n)
    return view_of([{"mean_distance": d / n} for d in order], name=name)


@pytest.mark.parametrize("n", [1, 2, 5, 10])
def test_the_same_rank_in_the_same_model_is_the_latent_itself(n: int) -> None:
    view = ladder(n, "one")
    for latent in range(n):
        assert same_rank(view, LatentChoice(view, latent, "")).latent == latent


@pytest.mark.parametrize(("rank", "expected"), [(0, 0), (5, 20), (7, 29), (10, 41)])
def test_ranks_are_shares_of_the_ranked_latents(rank: int, expected: int) -> None:
    """The nearest rank: 0.5 * 41 is 20.5, of the two the even one, and 0.7 * 41 is 28.7."""
    small, large = ladder(11, "small"), ladder(42, "large", 1)
    like = LatentChoice(small, int(small.metrics["mean_distance"].argsort()[rank]), "")
    choice = same_rank(large, like)
    assert choice.metrics["mean_distance"] == pytest.approx(expected / 42)
    assert f"the same rank as {like.name}: {rank / 10:.0%} lie below" in choice.rule


def test_latents_at_the_same_distance_are_not_below() -> None:
    view = view_of([{"mean_distance": d} for d in (0.1, 0.2, 0.2, 0.4)])
    for latent in (1, 2):
        assert "33% lie below" in same_rank(view, LatentChoice(view, latent, "")).rule


def test_a_latent_with_few_examples_is_ranked_by_its_distance() -> None:
    rows: list[Row] = [{"mean_distance": d} for d in (0.1, 0.2, 0.3, 0.4)]
    view = view_of([*rows, {"n_examples": 3, "mean_distance": 0.25}])
    share = "50% lie below"
    assert share in same_rank(view, LatentChoice(view, 4, "")).rule


def test_a_model_without_latents_to_show_is_named() -> None:
    view = view_of([{"n_examples": 9}, {"n_examples": 3, "n_clusters": 3}])
    with pytest.raises(NbkitError, match="No latent of the example SAE meets the rule"):
        clear_clusters(view)
    with pytest.raises(NbkitError, match="No latent of the example SAE has 10 examples"):
        typical(view)


def test_a_latent_without_distances_has_no_rank() -> None:
    view = view_of([{}, {"n_examples": 1, "mean_distance": np.nan}])
    with pytest.raises(NbkitError, match="Latent 1 of the example SAE has no two examples, so no rank"):
        same_rank(view, LatentChoice(view, 1, ""))
