"""What is said of neurons beside their clusters, run under Node.js: chance, comparison, names in a text."""

from __future__ import annotations

from typing import Any

import pytest

from tests.explorers.test_atlas_js import evaluate

RANDOM = {
    "shares": [0.5, 0.9, 0.99, 0.999, 0.9999],
    "cosines": [[[[0.0, 0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4, 0.5]], [[None] * 5, [-0.2, -0.1, 0.0, 0.1, 0.2]]]],
}


@pytest.mark.parametrize(
    ("layer", "scope", "cosine", "expected"),
    [
        (0, 0, 0.05, "0.05, closer than 50% of random pairs"),
        (0, 0, 0.35, "0.35, closer than 99.9% of random pairs"),
        (0, 1, 0.35, "0.35, closer than 99% of random pairs"),
        (0, 0, 1, "1.00, closer than 99.99% of random pairs"),
        (0, 0, 0, "0.00, no closer than half of random pairs"),
        (1, 0, 0.9, "0.90; there are no random pairs to compare with"),
        (1, 1, 0.05, "0.05, closer than 99% of random pairs"),
    ],
)
def test_a_similarity_is_told_beside_chance(layer: int, scope: int, cosine: float, expected: str) -> None:
    script = "return besideChance(data.of.cosine, lessSimilar(data.random, data.of));"
    of = {"kind": 0, "layer": layer, "scope": scope, "cosine": cosine}
    assert evaluate("atlas/likeness.js", script, {"random": RANDOM, "of": of}) == expected


def test_it_is_said_what_is_clustered_and_where_the_tree_is_cut() -> None:
    script = """
        const of = (embedding) => clusteredBy({ embedding, words: { reads: "pre-MLP vector" } }, data[embedding]);
        return Object.keys(data).map(of);
    """
    assert evaluate("atlas/similar-view.js", script, {"centered": 0.93, "gradient": 0.5, "input": 0.5}) == [
        "Clustered by: pre-MLP vector minus its mean; the usual cut is at 0.93 (one standard deviation below "
        "the mean distance of any two).",
        "Clustered by: neuron embedding (gradient); the usual cut is at 0.50 (as in the paper).",
        "Clustered by: neuron embedding (input); the usual cut is at 0.50 (as in the paper).",
    ]


def neuron(*examples: tuple[int, int, str]) -> dict[str, Any]:
    """Examples as (context, position, key token)."""
    words = sorted({word for _, _, word in examples})
    return {
        "vocabulary": [" and", *words],
        "tokens": [[0, 1 + words.index(word)] for _, _, word in examples],
        "keys": [1] * len(examples),
        "contexts": [context for context, _, _ in examples],
        "positions": [position for _, position, _ in examples],
    }


def test_two_neurons_are_compared_by_places_and_words() -> None:
    one = neuron((0, 5, " Bank"), (1, 5, " bank"), (2, 9, "river"), (3, 1, "boat"), (4, 1, "boat"))
    other = neuron((1, 5, "bank"), (2, 9, " River"), (2, 5, "river"), (3, 2, "boat"), (0, 0, "money"))
    found = evaluate("atlas/comparison.js", "return inCommon(data.one, data.other);", {"one": one, "other": other})
    assert found == {"places": 2, "words": [["bank", 2, 1], ["river", 1, 2], ["boat", 2, 1]]}
    empty = evaluate("atlas/comparison.js", "return inCommon(data.one, data.other);", {"one": one, "other": neuron()})
    assert empty == {"places": 0, "words": []}


def test_only_what_is_surely_a_unit_is_taken_for_one() -> None:
    texts = {
        "L12 N1401": [("L12", 1401)],
        "(L2\u00a0N9), Layer 7, neuron 123, and layer 0, neuron 4.": [("L2", 9), ("L7", 123), ("L0", 4)],
        "S1 (blocks.0.hook_mlp_out:processed), latent 2 or S2 (conv2), channel 5": [("S1", 2), ("S2", 5)],
        "S30 #12, S0\u00a0#4 and S1 (blocks.0.mlp.hook_in), latent 7": [("S30", 12), ("S0", 4), ("S1", 7)],
        "S3 N4, L3 #4, S3#4, XS3 #4, S3 # 4, s3 #4, S3 #4b, S3 (two words), latent 7, S3, latent 7": [],
        "L7N123, XL2 N3, L2 N3b, L1234 N5, layers 7, neurons 3, L 2 N 3, layer 7 of neuron 3, l2 n3, N3 L2": [],
    }
    for text, expected in texts.items():
        found = evaluate("atlas/neuron-links.js", "return namesIn(data);", text)
        assert [(name["label"], name["index"]) for name in found] == expected
        assert [text[name["start"] : name["end"]][0] in "LlS" for name in found] == [True] * len(expected)
