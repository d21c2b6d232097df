"""Contexts that a model can't read are refused, and an atlas says which special tokens they hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nbkit.atlas.atlas import open_atlas
from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.manifest import ATLAS_SCHEMA
from nbkit.corpora import Contexts, load_contexts
from nbkit.errors import NbkitError
from nbkit.models import LanguageModel, load_model
from tests.corpora.test_added_tokens import tokenizer
from tests.examples.tiny_models import VOCABULARY, make_network, random_contexts

ONE_LAYER = AtlasConfig(layers=[0])


@pytest.mark.parametrize(
    ("template", "before", "after"),
    [("", (), ()), ("<s> $A", ((1, "<s>"),), ()), ("[CLS] $A [SEP]", ((3, "[CLS]"),), ((4, "[SEP]"),))],
)
def test_the_manifest_names_the_special_tokens(
    template: str, before: tuple[tuple[int, str], ...], after: tuple[tuple[int, str], ...], tmp_path: Path
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("abcdefgh" * 9)
    model = load_model(make_network("gpt2"), tokenizer=tokenizer(template, bos_token="<s>", cls_token="[CLS]"))
    atlas = build_atlas(model, load_contexts(text, model, 12), tmp_path / "atlas", ONE_LAYER, progress=False)
    for manifest in (atlas.manifest, open_atlas(tmp_path / "atlas").manifest):
        assert (manifest.added_before, manifest.added_after) == (before, after)
    kept = json.loads((tmp_path / "atlas" / "atlas.json").read_text())
    assert kept["schema"] == ATLAS_SCHEMA and kept["added_before"] == [list(pair) for pair in before]
    positions = np.concatenate([neuron.position for neuron in atlas.iterate(0)])
    assert positions.min() == max(1, len(before)) and positions.max() == 11 - len(after)


def with_token(contexts: Contexts, token: int) -> Contexts:
    tokens = contexts.tokens.copy()
    tokens[2, 5] = token
    return replace(contexts, tokens=tokens)


@pytest.mark.parametrize("token", [-1, 101, len(VOCABULARY), 10**6])
def test_a_token_that_the_model_does_not_have_is_refused(token: int, tmp_path: Path) -> None:
    """101 is a row of the embedding that no token owns."""
    model = load_model(make_network("llama"), tokenizer=tokenizer(words=VOCABULARY[:101]))
    assert model.d_vocabulary == len(VOCABULARY) and len(model.token_ids) == 101
    with pytest.raises(NbkitError, match=rf"hold token id {token}, and model .* has no such token: .* ids 0 to 100"):
        build_atlas(model, with_token(random_contexts(4, 12), token), tmp_path / "atlas", progress=False)
    assert not (tmp_path / "atlas").exists()


def test_contexts_of_another_tokenizer_are_refused(tiny_model: Callable[[str], LanguageModel], tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("abcdefgh" * 9)
    other = load_model(make_network("gpt2"), tokenizer=tokenizer())
    contexts = load_contexts(text, other, 12)
    with pytest.raises(NbkitError, match=r"contexts of text.txt were cut with another tokenizer than that of model"):
        build_atlas(tiny_model("gpt2"), contexts, tmp_path / "atlas", progress=False)
    # Another model with this tokenizer may read them, and arrays may come from anywhere.
    third = load_model(make_network("llama"), tokenizer=tokenizer())
    build_atlas(third, contexts, tmp_path / "third", ONE_LAYER, progress=False)
    unknown = replace(contexts, vocabulary_sha256=None, added=None)
    build_atlas(tiny_model("gpt2"), unknown, tmp_path / "atlas", ONE_LAYER, progress=False)
