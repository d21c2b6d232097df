"""The rules that choose the pages' latents, on tables made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from nbkit.errors import NbkitError
from nbkit.mnist.choice import LatentChoice, broad_single_cluster, clear_clusters, same_rank, typical
from nbkit.mnist.view import LatentView

Row = Mapping[str, float]
BROAD: Row = {"n_clusters": 1, "n_examples": 100, "mean_distance": 0.0149, "max_distance": 0.0449}
"""At every bound of the rule."""


def view_of(rows: Sequence[Row], unit: Literal["latent", "neuron"] = "latent", name: str = "example SAE") -> LatentView:
    """A view of these metrics; `effect` is the range of a unit's logit effects."""
    defaults = {"n_clusters": 2, "n_examples": 50, "mean_distance": 0.3, "max_distance": 0.9, "max_activation": 1.0}
    metrics = pd.DataFrame([{**defaults, "silhouette": np.nan, "effect": 1.0, **row} for row in rows])
    effects = np.zeros((len(rows), 10))
    effects[:, 3], effects[:, 8] = 0.25 * metrics["effect"], -0.75 * metrics["effect"]
    empty = [np.empty(0, dtype=int)] * len(rows)
    return LatentView(
        name, metrics, np.zeros((len(rows), 784)), effects, np.zeros((len(rows), 2)), empty, empty, None, unit
    )


@pytest.mark.parametrize(
    "change", [{"n_clusters": 2}, {"n_examples": 99}, {"mean_distance": 0.0151}, {"max_distance": 0.0451}]
)
def test_a_broad_latent_meets_every_part_of_the_rule(change: Row) -> None:
    choice = broad_single_cluster(view_of([{**BROAD, **change, "effect": 9}, BROAD]))
    assert choice.latent == 1
    assert choice.rule.startswith("Chosen by rule: one feature cluster, at least 100 examples, and mean")
    assert choice.rule.endswith("(1 of 2 latents are eligible).")


def test_of_several_broad_latents_the_one_that_moves_the_logits_furthest() -> None:
    rows = [{**BROAD, "max_activation": a, "effect": e} for a, e in ((5, 0.1), (1, 2), (2, 1.5), (0.5, 6), (1, 3))]
    choice = broad_single_cluster(view_of(rows))
    assert choice.latent == 2, "0.5, 2, 3, 3, 3: the first of equals"
    assert "(5 of 5 latents" in choice.rule


def test_a_looser_rule_says_that_it_chose() -> None:
    rows = [{"n_clusters": 1, "n_examples": 9, "effect": 9}, {"n_clusters": 1, "n_examples": 10}, {"effect": 9}]
    choice = broad_single_cluster(view_of(rows))
    assert choice.latent == 1
    assert choice.rule.startswith("Chosen by a looser rule, since the usual one finds none here: one feature cluster")


def test_a_latent_that_is_asked_for_is_shown_whatever_the_rule() -> None:
    choice = broad_single_cluster(view_of([BROAD, {"n_examples": 1234}]), 1)
    assert choice._repr_markdown_() == (
        "**Latent 1 of the example SAE** (1,234 test images activate it). Chosen by the parameter `latent`."
    )


@pytest.mark.parametrize("asked", [-1, 2])
def test_a_latent_that_is_not_there_is_refused(asked: int) -> None:
    with pytest.raises(NbkitError, match=f"There is no latent {asked} of the example SAE: choose 0 to 1."):
        broad_single_cluster(view_of([BROAD, BROAD]), asked)


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
    for rule in (broad_single_cluster, clear_clusters):
        with pytest.raises(NbkitError, match="No latent of the example SAE meets the rule"):
            rule(view)
    with pytest.raises(NbkitError, match="No latent of the example SAE has 10 examples"):
        typical(view)


def test_a_latent_without_distances_has_no_rank() -> None:
    view = view_of([{}, {"n_examples": 1, "mean_distance": np.nan}])
    with pytest.raises(NbkitError, match="Latent 1 of the example SAE has no two examples, so no rank"):
        same_rank(view, LatentChoice(view, 1, ""))
