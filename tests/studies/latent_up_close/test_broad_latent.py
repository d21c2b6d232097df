"""The latent like that of the paper's Figure 5: every part of the rule, on tables made by hand."""

from __future__ import annotations

import pytest

from nbkit.errors import NbkitError
from nbkit.studies.latent_up_close.broad_latent import broad_single_cluster
from tests.examples.views import Row, view_of

BROAD: Row = {"n_clusters": 1, "n_examples": 100, "mean_distance": 0.0149, "max_distance": 0.0449}
"""At every bound of the rule."""


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


def test_without_a_single_cluster_there_is_none() -> None:
    view = view_of([{"n_examples": 9, "n_clusters": 1}, {"n_examples": 3, "n_clusters": 3}])
    with pytest.raises(NbkitError, match="No latent of the example SAE meets the rule"):
        broad_single_cluster(view)
