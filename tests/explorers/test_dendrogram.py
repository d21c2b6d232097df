"""What the dendrogram explorer sends to the browser, and what it refuses."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from typing import Any

import numpy as np
import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.examples import HasExamples
from nbkit.atlas.snippets import Snippet
from nbkit.errors import NbkitError
from nbkit.explorers import DendrogramExplorer
from nbkit.explorers.dendrogram.dendrogram import explorer_data
from nbkit.explorers.shared.bundle import EXPLORERS_FOLDER
from nbkit.figures.palette import ALONE, CLUSTER_COLORS, COLD, HEAT, INK, QUIET
from nbkit.method.clusters import feature_clusters, node_medoids
from tests.examples import pictures
from tests.examples.neuron import HOSTILE, example_neuron


def data_of(neuron: HasExamples) -> dict[str, Any]:
    """What the explorer of a neuron is told."""
    data: dict[str, Any] = json.loads(explorer_data(neuron, neuron.clusters()))
    return data


def test_the_data_hold_the_tree_and_the_examples() -> None:
    neuron = example_neuron(12)
    data = data_of(neuron)
    clusters = neuron.clusters()
    assert data["title"] == "Layer 7, neuron 123"
    assert np.array_equal(np.reshape(data["pairs"], (-1, 2)), clusters.linkage[:, :2])
    assert data["heights"] == clusters.linkage[:, 2].tolist()  # to the last bit: the cut must be SciPy's
    for i, snippet in enumerate(neuron.snippets):
        assert [data["vocabulary"][token] for token in data["tokens"][i]] == list(snippet.tokens)
        assert np.allclose(data["activations"][i], snippet.activations, rtol=5e-3)
        assert data["keys"][i] == snippet.key
        assert (data["contexts"][i], data["positions"][i]) == (snippet.context, snippet.position)


def test_examples_that_are_images_bring_them(gray_atlas: Atlas) -> None:
    neuron, boxes = gray_atlas.neuron(0, 1), gray_atlas.boxes(0)
    data = data_of(neuron)
    assert gray_atlas.images is not None and boxes is not None
    about = {name: value for name, value in data["images"].items() if name != "known"}
    assert about == {"height": pictures.HEIGHT, "width": pictures.WIDTH, "channels": 1, "labeled": True}
    known = {int(context): b64decode(text) for context, text in data["images"]["known"].items()}
    assert known == {context: gray_atlas.images[context].tobytes() for context in neuron.context.tolist()}
    for position in data["positions"]:
        assert [data["boxes"][str(4 * position + side)] for side in range(4)] == boxes[position].tolist()
    whole = data_of(gray_atlas.neuron(1, 0))
    assert "boxes" not in whole and whole["images"]["known"]
    assert "images" not in data_of(example_neuron(4))


def test_key_tokens_that_look_alike_are_told_apart() -> None:
    neuron = example_neuron(4)
    for number, word in enumerate((3, 3, 8, 8)):
        neuron.snippets[number] = Snippet(("a ", "↵", " b"), (0.0, 9.0, 0.0), 1, number, 1, word)
    data = data_of(neuron)
    keys = [tokens[key] for tokens, key in zip(data["tokens"], data["keys"], strict=True)]
    assert keys[0] == keys[1] != keys[2] == keys[3]
    assert [data["vocabulary"][key] for key in keys] == ["↵"] * 4


def test_tokens_that_share_a_character_are_sent_as_one() -> None:
    neuron = example_neuron(1)
    neuron.snippets[0] = Snippet(("x", "\udce6\udc9d", "\udcb1", "\udce3"), (0.5, 1.0, 9.0, 0.0), 2, 0, 2)
    data = data_of(neuron)
    assert [data["vocabulary"][token] for token in data["tokens"][0]] == ["x", "東", "⟨E3⟩"]
    assert (data["keys"], data["activations"]) == ([1], [[0.5, 9.0, 0.0]])


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("ties", [False, True])
def test_every_cluster_of_every_cut_finds_its_medoid_in_the_tree(threshold: float, ties: bool) -> None:
    few = np.random.default_rng(0).integers(1, 4, size=(40, 3)).astype(float)  # many distances are equal
    clusters = feature_clusters(few, threshold) if ties else example_neuron(40).clusters(threshold)
    n = len(clusters.labels)
    members = [frozenset([example]) for example in range(n)]
    for left, right in clusters.linkage[:, :2].astype(int):
        members.append(members[left] | members[right])
    medoids = dict(zip(members[n:], node_medoids(clusters), strict=True))
    for label, medoid in enumerate(clusters.medoids):
        cluster = frozenset(np.flatnonzero(clusters.labels == label).tolist())
        assert len(cluster) == 1 or medoids[cluster] == medoid


def test_a_hundred_examples_take_less_than_150_kilobytes_with_code_and_style() -> None:
    explorer = DendrogramExplorer(example_neuron(100))
    state = json.dumps(json.dumps(explorer.get_state()))  # as a notebook keeps it, inside a page
    assert len(state) < 150_000


def test_hostile_tokens_are_harmless_to_whatever_carries_the_data() -> None:
    neuron = example_neuron(20, words=HOSTILE)
    text = explorer_data(neuron, neuron.clusters())
    assert text.isascii()
    assert "<" not in text
    vocabulary = json.loads(text)["vocabulary"]
    assert HOSTILE[0] in vocabulary
    assert "⟨U+202E⟩right to left override" in vocabulary
    assert not any(char in token for token in vocabulary for char in "\x00\n\t\u202e")


def test_no_module_writes_markup() -> None:
    for path in EXPLORERS_FOLDER.rglob("*.js"):
        code = path.read_text(encoding="utf-8")
        assert not re.search(r"(?:inner|outer)HTML\s*\+?=(?!=)|insertAdjacentHTML|document\.write", code), path.name


def test_the_threshold_is_a_trait_that_follows_and_refuses() -> None:
    explorer = DendrogramExplorer(example_neuron(5), threshold=0.3)
    assert explorer.threshold == 0.3
    explorer.threshold = 0.7
    with pytest.raises(NbkitError, match=r"\(0, 1\]"):
        explorer.threshold = 1.5
    assert explorer.threshold == 0.7
    with pytest.raises(NbkitError, match=r"\(0, 1\]"):
        DendrogramExplorer(example_neuron(5), threshold=0.0)


def test_one_example_is_a_tree_without_merges() -> None:
    data = data_of(example_neuron(1))
    assert (data["pairs"], data["heights"], data["medoids"], len(data["tokens"])) == ([], [], [], 1)


def colors() -> dict[str, tuple[str, str]]:
    """The style sheet's colors by name: on light and on dark pages."""
    css = (EXPLORERS_FOLDER / "shared/explorer.css").read_text(encoding="utf-8")
    pairs = re.findall(r"--([\w-]+): .*light-dark\((#\w{6}), (#\w{6})\)", css)
    return {name: (light, dark) for name, light, dark in pairs}


def luminance(color: str) -> float:
    """Relative luminance as the Web Content Accessibility Guidelines define it."""
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colors, 1 to 21."""
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_the_colors_are_those_of_the_figures() -> None:
    light = {name: pair[0] for name, pair in colors().items()}
    assert [light[f"hue-{i}"] for i in range(len(CLUSTER_COLORS))] == list(CLUSTER_COLORS)
    assert [light[name] for name in ("alone", "ink", "quiet", "heat", "cold")] == [ALONE, INK, QUIET, HEAT, COLD]
    script = (EXPLORERS_FOLDER / "shared/cluster-colors.js").read_text(encoding="utf-8")
    assert f"const HUES = {len(CLUSTER_COLORS)};" in script


@pytest.mark.parametrize("page", [0, 1])
def test_text_has_contrast_on_light_and_dark_pages(page: int) -> None:
    color = {name: pair[page] for name, pair in colors().items()}
    hues = [color[name] for name in color if name.startswith("hue-")]
    assert len(hues) == len(CLUSTER_COLORS)
    pairs = [(color[text], color[ground]) for text in ("ink", "quiet", "accent") for ground in ("paper", "card")]
    pairs += [(color["ink"], color[shade]) for shade in ("heat", "cold", "weight")]
    pairs += [(color["on-color"], ground) for ground in (*hues, color["alone"], color["accent"])]
    pairs += [(hue, color["paper"]) for hue in (*hues, color["alone"])]
    for text, ground in pairs:
        assert contrast(text, ground) >= 4.5, (text, ground)
