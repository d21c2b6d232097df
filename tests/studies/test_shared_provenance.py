"""The badge of every page: what made its numbers."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version

from markdown_it import MarkdownIt

from nbkit.studies.shared.provenance import mnist_provenance, provenance
from tests.examples.atlas import GATED, MANIFEST, example_atlas


def test_the_provenance_names_everything_that_made_the_numbers() -> None:
    assert provenance(example_atlas([{}]), "quick").data == (
        "*Made by profile `quick`: model `a-model` (float32 on cpu, input weights as the model has them), 2 of 6 "
        "layers, corpus `a-corpus`, 1,234 contexts of 128 tokens (the tokenizer adds no special tokens); examples "
        "reach 75% of a neuron's maximum, the first 100 are kept; embedding `input`; seed 7; nbkit 0.1.0, torch 2.8.0.*"
    )
    folded = provenance(example_atlas([{}], replace(GATED, weights="folded")), "mine").data
    assert "input weights with the layer norm folded in" in folded and "embedding `gradient`" in folded


def test_the_provenance_names_the_special_tokens() -> None:
    bert = replace(GATED, added_before=((101, "[CLS]"),), added_after=((7, "a`b"), (9, "`")))
    said = provenance(example_atlas([{}], bert), "mine").data
    assert (
        "of 128 tokens (before each text `[CLS]` (id 101), after each text `` a`b `` (id 7) `` ` `` (id 9)); " in said
    )


def test_the_provenance_names_the_checkpoint_and_no_place() -> None:
    known = replace(MANIFEST, model="smollm2-135m", checkpoint="SmolLM2-135M-Instruct, de-quantized")
    said = provenance(example_atlas([{}], known), "quick").data
    assert "model `smollm2-135m` (float32 on cpu, input weights as the model has them; the checkpoint is Smol" in said
    for place in ("/home/me/my model", "~/models/my model/", "../my model", r"C:\models\my model"):
        local = replace(MANIFEST, model=place)
        assert "model `my model` (float32" in provenance(example_atlas([{}], local), "quick").data
        assert local.model_title == "my model"
    hub = replace(MANIFEST, model="owner/model")
    assert "model `owner/model` (" in provenance(example_atlas([{}], hub), "quick").data


def test_no_name_ends_its_code() -> None:
    hostile = replace(MANIFEST, model="a`b", corpus="``*x*`\n# y")
    said = MarkdownIt().render(provenance(example_atlas([{}], hostile), "p`").data)
    for name in ("p`", "a`b", "``*x*` # y"):
        assert f"<code>{name}</code>" in said
    assert said.startswith("<p><em>Made by") and said.endswith(".</em></p>\n") and said.count("<em>") == 1


def test_the_provenance_of_the_mnist_part_names_its_seeds() -> None:
    assert "an MLP 784-64-10, seed 3; float32" in mnist_provenance("quick", 1, 3).data
    several = mnist_provenance("quick", 3, 2).data
    assert several.startswith("*Made by profile `quick`: MNIST, 60,000 training and 10,000 test images;")
    assert "an MLP 784-64-10, one for each seed, 2 to 4; float32" in several and f"torch {version('torch')}" in several
