"""The rules that choose the pages' neurons, on tables made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.features.showcase import (
    Choice,
    embedding_contrast,
    extremes,
    featured,
    rare_behavior,
    several_behaviors,
    typical_contrast,
)
from tests.examples.atlas import MANIFEST, OF_LATENTS, example_atlas
from tests.examples.tiny_models import D_MLP

Row = Mapping[str, float]
RULES: tuple[Callable[..., Choice], ...] = (several_behaviors, rare_behavior, embedding_contrast, typical_contrast)

# For each rule a row that it takes, and changes that make it not take it.
SEVERAL: Row = {
    "n_clusters": 5,
    "n_examples": 40,
    "largest_share": 0.5,
    "second_share": 0.2,
    "token_agreement": 0.5,
    "concentration": 0.3,
}
RARE: Row = {"n_clusters": 2, "n_examples": 50, "largest_share": 0.96, "concentration": 0.3}
CONTRAST: Row = {"n_clusters": 2, "n_examples": 40, "largest_share": 0.75, "concentration": 0.3}
BROKEN: list[tuple[Callable[..., Choice], Row, Row]] = [
    (several_behaviors, SEVERAL, {"n_clusters": 3}),
    (several_behaviors, SEVERAL, {"n_clusters": 9}),
    (several_behaviors, SEVERAL, {"n_examples": 39}),
    (several_behaviors, SEVERAL, {"largest_share": 0.525}),
    (several_behaviors, SEVERAL, {"token_agreement": 0.51}),
    (several_behaviors, SEVERAL, {"second_share": 0.19}),
    (several_behaviors, SEVERAL, {"concentration": 0.31}),
    (rare_behavior, RARE, {"n_clusters": 3}),
    (rare_behavior, RARE, {"n_clusters": 1, "largest_share": 1}),
    (rare_behavior, RARE, {"n_examples": 49, "largest_share": 47 / 49}),
    (rare_behavior, RARE, {"largest_share": 0.92}),
    (rare_behavior, RARE, {"largest_share": 0.98}),  # one odd example is no behavior
    (rare_behavior, RARE, {"concentration": 0.31}),
    (embedding_contrast, CONTRAST, {"concentration": 0.31}),
    (typical_contrast, CONTRAST, {"concentration": 0.31}),
    (embedding_contrast, CONTRAST, {"n_clusters": 3}),
    (embedding_contrast, CONTRAST, {"largest_share": 0.775}),  # the smaller cluster has 9
    (typical_contrast, CONTRAST, {"n_clusters": 3}),
    (typical_contrast, CONTRAST, {"largest_share": 0.775}),
]
AT_THE_BOUND: list[tuple[Callable[..., Choice], Row]] = [
    (several_behaviors, {"n_clusters": 4, "n_examples": 40, "largest_share": 0.5, "token_agreement": 0.5}),
    (several_behaviors, {"n_clusters": 8, "n_examples": 41, "largest_share": 0.2, "token_agreement": 0.1}),
    (rare_behavior, {"n_clusters": 2, "n_examples": 50, "largest_share": 47 / 50}),
    (rare_behavior, {"n_clusters": 2, "n_examples": 100, "largest_share": 98 / 100}),
    (rare_behavior, {"n_clusters": 2, "n_examples": 77, "largest_share": 75 / 77}),
    (embedding_contrast, {"n_clusters": 2, "n_examples": 20, "largest_share": 0.5}),
    (embedding_contrast, {"n_clusters": 2, "n_examples": 97, "largest_share": 87 / 97}),
]


def atlas_of(rows: Sequence[Row], pre_mlp: Sequence[Row] | None = None) -> Atlas:
    return example_atlas(rows, pre_mlp=[{"silhouette_matched": 0.1}] * len(rows) if pre_mlp is None else pre_mlp)


@pytest.mark.parametrize(("rule", "row", "change"), BROKEN)
def test_a_rule_takes_no_neuron_that_breaks_a_part_of_it(rule: Callable[..., Choice], row: Row, change: Row) -> None:
    better = {"silhouette": 0.9, "inter_cluster": 0.9}
    choice = rule(atlas_of([{**row, **better, **change}, row]))
    assert choice.neuron.index == 1
    assert choice.rule.startswith("Chosen by rule: ")
    assert choice.rule.endswith("(1 of the 2 neurons of layer 0 are eligible).")


@pytest.mark.parametrize(("rule", "row"), AT_THE_BOUND)
def test_a_rule_takes_a_neuron_at_its_bound(rule: Callable[..., Choice], row: Row) -> None:
    assert rule(atlas_of([row])).rule.startswith("Chosen by rule: ")


def test_several_behaviors_are_those_with_the_highest_silhouette() -> None:
    rows: list[Row] = [{**SEVERAL, "silhouette": value} for value in (0.3, np.nan, 0.5, 0.5, 0.4)]
    choice = several_behaviors(atlas_of(rows))
    assert choice.neuron.index == 2  # the first of equals
    assert "4 to 8 clusters that are more than key tokens" in choice.rule and "highest silhouette" in choice.rule
    assert "(4 of the 5 neurons" in choice.rule  # NaN cannot be compared


def test_a_rare_behavior_is_far_from_the_common_one() -> None:
    rows: list[Row] = [{**RARE, "inter_cluster": value} for value in (0.6, 0.9, 0.9, np.nan)]
    assert rare_behavior(atlas_of(rows)).neuron.index == 1


def test_the_contrast_is_the_largest_gain_over_the_pre_mlp_vector() -> None:
    own: list[Row] = [{**CONTRAST, "silhouette": value} for value in (0.9, 0.5, 0.7, 0.7)]
    other: list[Row] = [{"silhouette_matched": value, "silhouette": 0.0} for value in (0.8, 0.2, 0.3, 0.3)]
    assert embedding_contrast(atlas_of(own, other)).neuron.index == 2  # gains 0.1, 0.3, 0.4, 0.4


def test_centered_vectors_are_held_against_the_neuron_embedding() -> None:
    rows = [CONTRAST | {"silhouette": 0.6}, CONTRAST | {"silhouette": 0.7}]
    others = {"input": [{"silhouette_matched": 0.1}, {"silhouette_matched": 0.5}]}
    atlas = example_atlas(rows, replace(MANIFEST, embedding="centered"), **others)
    best = embedding_contrast(atlas)
    assert best.neuron.index == 0
    assert "the largest gain in silhouette of the centered vector over the neuron embedding, both cut" in best.rule
    assert "the gain in silhouette over the neuron embedding, both cut" in typical_contrast(atlas).rule


def test_the_gain_is_that_of_the_same_neuron() -> None:
    """The eligible neurons are not the first rows of the other space's table."""
    own: list[Row] = [{"n_clusters": 1}, {**CONTRAST, "silhouette": 0.5}, {**CONTRAST, "silhouette": 0.6}]
    other: list[Row] = [{"silhouette_matched": value} for value in (0.9, 0.1, 0.5)]
    assert embedding_contrast(atlas_of(own, other)).neuron.index == 1


@pytest.mark.parametrize(
    ("gains", "index"), [((-0.5, 0.0, 0.1, 0.2, 0.6), 2), ((0.0, 0.4, 0.1), 2), ((0.0, 0.25), 0), ((0.3,), 0)]
)
def test_the_typical_contrast_is_the_median_gain(gains: tuple[float, ...], index: int) -> None:
    own: list[Row] = [{**CONTRAST, "silhouette": 0.0 + gain} for gain in gains]
    choice = typical_contrast(atlas_of(own, [{"silhouette_matched": 0.0}] * len(gains)))
    assert choice.neuron.index == index
    assert "closest to the median" in choice.rule


LOOSE: list[tuple[Callable[..., Choice], Row, str]] = [
    (several_behaviors, {"n_clusters": 3, "n_examples": 10, "largest_share": 0.9}, "3 to 12 clusters"),
    (rare_behavior, {"n_clusters": 4, "n_examples": 10, "largest_share": 0.7}, "at least 70%"),
    (embedding_contrast, {"n_clusters": 5, "n_examples": 10}, "at least two clusters and 10 examples"),
    (typical_contrast, {"n_clusters": 5, "n_examples": 10}, "at least two clusters and 10 examples"),
]


@pytest.mark.parametrize(("rule", "row", "words"), LOOSE)
def test_a_looser_rule_says_that_it_chose(rule: Callable[..., Choice], row: Row, words: str) -> None:
    choice = rule(atlas_of([{"n_clusters": 1, "largest_share": 1}, row]))
    assert choice.neuron.index == 1
    assert choice.rule.startswith("Chosen by a looser rule, since the usual one finds no neuron here: ")
    assert words in choice.rule


def test_where_only_nan_meets_the_rule_the_looser_one_chooses() -> None:
    rows: list[Row] = [{**SEVERAL, "silhouette": np.nan}, {"n_clusters": 3, "n_examples": 12}]
    choice = several_behaviors(atlas_of(rows))
    assert choice.neuron.index == 1 and "looser" in choice.rule


@pytest.mark.parametrize("rule", RULES)
def test_where_there_is_nothing_to_show_the_way_out_is_named(rule: Callable[..., Choice]) -> None:
    rows: list[Row] = [{"n_clusters": 1, "largest_share": 1}, {**CONTRAST, "n_examples": 9, "largest_share": 0.5}]
    with pytest.raises(NbkitError, match="no neuron of example-atlas can be shown here: scan more text, or give"):
        rule(atlas_of(rows))


@pytest.mark.parametrize("rule", RULES)
def test_a_neuron_that_is_asked_for_is_shown_whatever_the_rule(rule: Callable[..., Choice]) -> None:
    choice = rule(atlas_of([{"n_clusters": 1, "n_examples": 3}]), layer=0, neuron=0)
    assert (choice.neuron.layer, choice.neuron.index) == (0, 0)
    assert choice._repr_markdown_() == "**L0 N0** (3 examples). Chosen by the parameters `layer` and `neuron`."


@pytest.mark.parametrize("rule", RULES)
def test_a_layer_confines_the_choice(rule: Callable[..., Choice]) -> None:
    fits = {"n_clusters": 4, "n_examples": 50, "largest_share": 0.5}
    rows: list[Row] = [{**fits, "silhouette": 0.9, "layer": 1, "index": 0}, {**fits, "layer": 0, "index": 0}]
    choice = rule(atlas_of([{**row, "largest_share": 0.8} if rule is rare_behavior else row for row in rows]), layer=0)
    assert choice.neuron.layer == 0
    assert choice.rule.endswith("(1 of the 1 neurons of layer 0 are eligible).")


@pytest.mark.parametrize(
    ("scanned", "chosen", "words"),
    [
        ((0, 1, 2, 3, 4, 5), 3, "2 neurons of layers 2 to 3"),
        ((2, 5, 8), 5, "1 neurons of layer 5"),
        ((4, 7), 7, "2 neurons of layers 4 to 7"),
        ((3,), 3, "1 neurons of layer 3"),
    ],
)
def test_showcases_come_from_the_middle_third_of_the_layers(scanned: tuple[int, ...], chosen: int, words: str) -> None:
    rows: list[Row] = [
        {**SEVERAL, "layer": layer, "index": 0, "silhouette": 0.9 if layer in (0, 5, 8) else 0.1 * layer}
        for layer in scanned
    ]
    if scanned == (2, 5, 8):
        rows[1] = {**rows[1], "silhouette": 0.1}
    choice = several_behaviors(atlas_of(rows))
    assert choice.neuron.layer == chosen
    assert words in choice.rule


def test_latents_are_chosen_among_those_of_all_sites_and_called_so() -> None:
    rows: list[Row] = [{**CONTRAST, "layer": site, "index": 0, "silhouette": 0.3 + 0.1 * site} for site in (0, 1, 2)]
    atlas = example_atlas(rows, OF_LATENTS, pre_mlp=[{"silhouette_matched": 0.1}] * 3)
    choice = embedding_contrast(atlas)
    assert choice.neuron.layer == 2
    assert "of the neuron embedding over the vector that a latent reads, both cut" in choice.rule
    assert choice.rule.endswith(
        "passing over latents that answer to the start of a context or, mostly, to tokens without a letter (3 of the 3 "
        "latents of sites S0 to S2 are eligible)."
    )
    assert embedding_contrast(atlas, layer=1).rule.endswith("(1 of the 1 latents of site S1 are eligible).")
    assert all("neurons" not in choice.rule for choice in featured(atlas))


def test_neurons_are_shown_where_latents_stand_beside_them() -> None:
    beside = tuple(replace(site, number=2 + site.number) for site in OF_LATENTS.sites)
    manifest = replace(MANIFEST, sites=(*MANIFEST.sites, *beside))
    neuron: Row = {**CONTRAST, **RARE, "layer": 1, "silhouette": 0.5, "mean_distance": 0.5}
    latent: Row = {
        **CONTRAST,
        **RARE,
        "layer": 3,
        "index": 0,
        "silhouette": 0.9,
        "mean_distance": 0.01,
        "n_examples": 500,
    }
    atlas = example_atlas([neuron, latent], manifest, pre_mlp=[{"silhouette_matched": 0.1}] * 2)
    alone = example_atlas([neuron], pre_mlp=[{"silhouette_matched": 0.1}])
    assert [(choice.neuron, choice.rule) for choice in featured(atlas)] == [
        (choice.neuron, choice.rule) for choice in featured(alone)
    ]
    choice = embedding_contrast(atlas, layer=3)
    assert choice.neuron.layer == 3 and "vector that a latent reads" in choice.rule
    assert choice.rule.endswith("(1 of the 1 latents of site S3 are eligible).")


@pytest.mark.parametrize("rule", RULES)
def test_a_neuron_or_layer_that_is_not_there_is_refused(
    rule: Callable[..., Choice], tiny_atlas: Callable[[str], Atlas]
) -> None:
    atlas = tiny_atlas("gpt2")
    with pytest.raises(NbkitError, match="neuron 5 of which layer"):
        rule(atlas, neuron=5)
    with pytest.raises(NbkitError, match="has no layer 9: it holds layers 0 to 2"):
        rule(atlas, layer=9)
    with pytest.raises(NbkitError, match=f"layer 1 has no neuron {D_MLP}"):
        rule(atlas, layer=1, neuron=D_MLP)


def test_a_choice_reads_as_a_sentence() -> None:
    text = several_behaviors(atlas_of([{**SEVERAL, "layer": 1, "index": 3}]))._repr_markdown_()
    assert text == (
        "**L1 N3** (40 examples). Chosen by rule: 4 to 8 clusters that are more than key tokens (adjusted Rand index "
        "with them at most 0.5), at least 40 examples, the largest cluster holding at most half of them and the second "
        "at least a fifth, at most 30% of the embeddings' squared length in one coordinate; of these the highest "
        "silhouette, passing over neurons that answer to the start of a context or, mostly, to tokens without a letter "
        "(1 of the 1 neurons of layer 1 are eligible)."
    )


@pytest.mark.parametrize("rule", RULES)
def test_a_neuron_that_answers_to_the_start_of_a_context_is_passed_over(rule: Callable[..., Choice]) -> None:
    fits = {"n_clusters": 2, "n_examples": 50, "largest_share": 0.96, "position": 9}
    if rule is several_behaviors:
        fits = {**SEVERAL, "position": 9}
    better = {**fits, "silhouette": 0.9, "inter_cluster": 0.9, "position": 1}
    assert rule(atlas_of([better, fits])).neuron.index == 1
    with pytest.raises(NbkitError, match="no neuron"):
        rule(atlas_of([better]))


@pytest.mark.parametrize("rule", RULES)
def test_a_neuron_of_figures_and_signs_is_passed_over(rule: Callable[..., Choice]) -> None:
    fits = SEVERAL if rule is several_behaviors else {"n_clusters": 2, "n_examples": 50, "largest_share": 0.96}
    for lettered in (0, 1):
        better = {**fits, "silhouette": 0.9, "inter_cluster": 0.9, "lettered": lettered}
        assert rule(atlas_of([better, {**fits, "lettered": 2}])).neuron.index == 1
    of_figures = rule(atlas_of([better, {**fits, "lettered": 0}]))
    assert "passing over neurons that answer to the start of a context (" in of_figures.rule


def test_extremes_are_the_neurons_at_both_ends() -> None:
    rows: list[Row] = [
        {"n_clusters": 3, "mean_distance": 0.4},
        {"n_clusters": 7, "mean_distance": 0.5},
        {"n_clusters": 7, "mean_distance": 0.6},
        {"n_clusters": 1, "mean_distance": 0.1},
        {"n_clusters": 9, "mean_distance": 0.01, "n_examples": 49},
        {"n_clusters": 1, "mean_distance": 0.2},
    ]
    table = extremes(atlas_of(rows), min_examples=50, n=2)
    assert table["extreme"].tolist() == ["most clusters"] * 2 + ["smallest mean distance"] * 2
    assert table["index"].tolist() == [2, 1, 3, 5]


def test_a_small_atlas_has_extremes_as_well() -> None:
    rows = [{"n_examples": 8, "mean_distance": 0.3}, {"n_examples": 7, "mean_distance": 0.1}]
    assert extremes(atlas_of(rows), min_examples=50, n=5)["index"].tolist() == [0, 0]


def test_the_pages_neurons_are_featured_once_with_the_first_rule_that_chose_them() -> None:
    usual: Row = {"n_clusters": 2, "mean_distance": 0.5, "largest_share": 0.75}
    rows: list[Row] = [
        {**SEVERAL, "silhouette": 0.9},  # several behaviors, too few examples for an extreme
        {**RARE, "inter_cluster": 0.9, "mean_distance": 0.01},  # a rare behavior, and the smallest mean distance
        {**usual, "silhouette": 0.9, "mean_distance": 0.4},  # the largest gain
        *({**usual, "silhouette": 0.4 - 0.01 * i, "mean_distance": 0.45 + 0.01 * i} for i in range(4)),
        *({"n_clusters": 7 + i, "mean_distance": 0.6 + 0.01 * i, "largest_share": 0.9} for i in range(5)),
        {"n_clusters": 3, "mean_distance": 0.58, "largest_share": 0.9},  # nothing
    ]
    choices = featured(atlas_of(rows))
    # 0.29 is the median of the gains 0.8, 0.3, 0.29, 0.28 and 0.27 over the pre-MLP vector
    assert [choice.neuron.index for choice in choices] == [0, 1, 2, 4, 11, 10, 9, 8, 7, 3, 5]
    assert "4 to 8 clusters" in choices[0].rule and "two clusters, at least 50" in choices[1].rule
    most = "Chosen by rule: one of the 5 neurons with the most clusters among those with at least 50 examples."
    assert [choice.rule for choice in choices[4:9]] == [most] * 5
    assert choices[-1].rule == most.replace("most clusters", "smallest mean distance")


def test_a_rule_that_finds_no_neuron_is_passed_over() -> None:
    empty = {"n_examples": 1, "n_clusters": np.nan, "mean_distance": np.nan, "silhouette": np.nan}
    assert featured(atlas_of([empty, empty])) == []
    choices = featured(atlas_of([empty, {"n_examples": 2, "n_clusters": 1, "mean_distance": 0.2}]))
    assert [choice.neuron.index for choice in choices] == [1]
    assert "at least 2 examples" in choices[0].rule


def test_a_mistake_of_another_kind_is_not_passed_over() -> None:
    atlas = atlas_of([CONTRAST])

    def full(kind: str) -> None:
        raise NbkitError(f"can't write {kind}")

    object.__setattr__(atlas, "metrics", full)
    with pytest.raises(NbkitError, match="can't write pre_mlp"):
        featured(atlas)
