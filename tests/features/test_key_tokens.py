"""Units in a few words: their most frequent key tokens, against a slow count of what their snippets show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.features.key_tokens import InWords, key_tokens_of
from nbkit.models import LanguageModel
from tests.examples.tiny_models import D_MLP, N_LAYERS, random_contexts


def slow(atlas: Atlas, layer: int) -> list[str]:
    found = []
    for index in range(atlas.manifest.site(layer).n_units):
        unit = atlas.neuron(layer, index)
        words = [int(atlas.words[key]) for key in unit.key_ids]
        counts = Counter(words)
        best = sorted(counts, key=lambda word, words=words, counts=counts: (-counts[word], words.index(word)))[:3]  # type: ignore[misc]
        found.append(" · ".join(unit.snippets[words.index(word)].key_token.strip() or "␣" for word in best))
    return found


def test_equals_a_slow_count(tiny_atlas: Callable[[str], Atlas]) -> None:
    atlas = tiny_atlas("llama")
    table = key_tokens_of(atlas, 1, progress=False)
    assert table["index"].tolist() == list(range(D_MLP))
    assert table["tokens"].tolist() == slow(atlas, 1)
    assert InWords(atlas, atlas.manifest.site(1)).of(np.array([3, 0])) == [table["tokens"][3], table["tokens"][0]]


def test_characters_of_several_tokens_are_whole(scripts_atlas: Atlas) -> None:
    tokens = key_tokens_of(scripts_atlas, 0, progress=False)["tokens"].tolist()
    assert tokens == slow(scripts_atlas, 0)
    assert any(not text.isascii() for text in tokens)


def test_a_unit_without_examples_has_no_words(tiny_model: Callable[[str], LanguageModel], tmp_path: Path) -> None:
    maxima = np.full((N_LAYERS, D_MLP), 1.0)
    maxima[0, :10] = 1e6  # out of reach
    few = build_atlas(
        tiny_model("gpt2"), random_contexts(8, 16), tmp_path, AtlasConfig(layers=[0]), maxima, progress=False
    )
    assert key_tokens_of(few, 0, progress=False)["tokens"].tolist()[:10] == [""] * 10


def test_the_table_is_made_once(own_atlas: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch) -> None:
    atlas = own_atlas("llama")
    first = key_tokens_of(atlas, 2, progress=False)
    monkeypatch.setattr("nbkit.features.key_tokens._of_site", None)
    pd.testing.assert_frame_equal(key_tokens_of(open_atlas(atlas.path), 2, progress=False), first)
