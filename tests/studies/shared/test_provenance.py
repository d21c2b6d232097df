"""The badge of every page: what made its numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from importlib.metadata import version

from nbkit.assets.catalog import ASSETS
from nbkit.studies.shared.provenance import Provenance, mnist_provenance, provenance
from tests.examples.atlas import GATED, MANIFEST, example_atlas


def shown(made: Provenance) -> tuple[str, dict[str, str]]:
    """The badge's line and, opened, its rows, as a browser shows them."""
    html = made._repr_html_()
    [title] = re.findall("<summary>([^<]*)</summary>", html)
    rows = re.findall("<dt>([^<]*)</dt><dd>([^<]*)</dd>", html)
    assert html.count("<d") == 2 * len(rows) + len(rows) + 2, "nothing else"  # details, dl, and div, dt, dd a row
    return unescape(title), {unescape(name): unescape(value) for name, value in rows}


def test_the_badge_tells_everything_that_made_the_numbers() -> None:
    title, rows = shown(provenance(example_atlas([{}]), "quick"))
    assert title == "Made by profile quick: a-model, 2 of 6 layers, on 1,234 contexts of a-corpus"
    assert rows == {
        "profile": "quick",
        "model": "a-model",
        "checkpoint": "a-model",
        "sha256 of the weights": "12ab",
        "precision": "float32 on cpu",
        "input weights": "as the model has them",
        "layers": "2 of 6",
        "corpus": "a-corpus",
        "contexts": "1,234 of 128 tokens; the tokenizer adds no special tokens",
        "sha256 of the contexts": "34cd",
        "activations": "above zero",
        "examples": "reach 75% of a neuron's maximum; the first 100 are kept",
        "embedding": "input",
        "seed": "7",
        "versions": "nbkit 0.1.0, torch 2.8.0",
    }
    _, folded = shown(provenance(example_atlas([{}], replace(GATED, weights="folded")), "mine"))
    assert folded["input weights"] == "with the layer norm folded in" and folded["embedding"] == "gradient"


def test_checksums_are_whole() -> None:
    whole = replace(MANIFEST, model_sha256="1f" * 32, contexts_sha256="a0" * 32)
    _, rows = shown(provenance(example_atlas([{}], whole), "quick", mnist_provenance("quick", 1)))
    checksums = {name: value for name, value in rows.items() if name.startswith("sha256")}
    assert list(checksums.values()) == ["1f" * 32, "a0" * 32, ASSETS["mnist"].downloads[0].sha256]


def test_the_badge_names_the_special_tokens() -> None:
    bert = replace(GATED, added_before=((101, "[CLS]"),), added_after=((7, "a`b"), (9, "`")))
    _, rows = shown(provenance(example_atlas([{}], bert), "mine"))
    assert rows["contexts"].endswith("; before each text [CLS] (id 101), after each text a`b (id 7) ` (id 9)")


def test_the_badge_names_the_checkpoint_and_no_place() -> None:
    known = replace(MANIFEST, model="smollm2-135m", checkpoint="SmolLM2-135M-Instruct, de-quantized")
    _, rows = shown(provenance(example_atlas([{}], known), "quick"))
    assert (rows["model"], rows["checkpoint"]) == ("smollm2-135m", "SmolLM2-135M-Instruct, de-quantized")
    for place in ("/home/me/my model", "~/models/my model/", "../my model", r"C:\models\my model"):
        local = replace(MANIFEST, model=place)
        title, rows = shown(provenance(example_atlas([{}], local), "quick"))
        assert rows["model"] == rows["checkpoint"] == local.model_title == "my model" and ": my model, " in title
    assert shown(provenance(example_atlas([{}], replace(MANIFEST, model="owner/model")), "quick"))[1]["model"] == (
        "owner/model"
    )


def test_no_name_is_markup() -> None:
    hostile = replace(MANIFEST, model="<b>&amp;", corpus="</summary><script>\n# y")
    title, rows = shown(provenance(example_atlas([{}], hostile), "p</details>"))
    assert title.startswith("Made by profile p</details>: <b>&amp;, ")
    assert (rows["profile"], rows["model"], rows["corpus"]) == ("p</details>", "<b>&amp;", "</summary><script> # y")


def test_the_badge_of_the_mnist_part_names_its_seeds() -> None:
    title, rows = shown(mnist_provenance("quick", 1, 3))
    assert title == "Made by profile quick: MNIST, an MLP 784-64-10, seed 3" and rows["seeds"] == "seed 3"
    title, rows = shown(mnist_provenance("quick", 3, 2))
    assert title.endswith(", seeds 2 to 4") and rows["seeds"] == "one MLP for each seed, 2 to 4"
    assert rows["versions"].split(", ")[1] == f"torch {version('torch')}"
    title, rows = shown(mnist_provenance("quick", 1, 0, "a convolutional network"))
    assert title == "Made by profile quick: MNIST, a convolutional network, seed 0"
    assert rows["model"] == "a convolutional network, trained here"


def test_a_page_with_both_parts_has_one_badge() -> None:
    title, rows = shown(provenance(example_atlas([{}]), "quick", mnist_provenance("quick", 3, 2)))
    assert title.endswith(" of a-corpus; MNIST")
    assert rows["seed"] == "7" and rows["seeds, MNIST part"] == "one MLP for each seed, 2 to 4"
    assert [name for name in rows if "profile" in name] == ["profile"]
