"""Words of every script are found, whatever tokens spell them and however they are typed."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import regex

from nbkit.atlas.atlas import Atlas
from nbkit.explorers.shared.bundle import module_text
from nbkit.features.phrases import phrases_of
from nbkit.features.spelling import Spelling, spelling_of
from nbkit.features.table import features_of
from nbkit.features.unspaced import LONGEST_RUN, UNSPACED, runs_around
from nbkit.features.words import normalized, words_of
from nbkit.models.token_bytes import raw_text, token_bytes
from tests.browser.node import run_module
from tests.examples.scripts import SCRIPTS, TOKENIZERS

WORDS = {
    "Korean": ["나는", "서울에", "서울은", "한국의", "수도이고"],
    "Arabic": ["مدينة", "كبيرة", "جميلة", "cairo"],
    "Hebrew": ["ירושלים", "עתיקה"],
    "Persian": ["میخواهم", "کتابها"],  # the non-joiner is left out
    "Hindi": ["हिन्दी", "भाषा", "क्षेत्र"],
    "Russian": ["москва", "столица", "большая"],
    "Greek": ["αθήνα", "πρωτεύουσα"],
    "Turkish": ["istanbul", "ılık", "ırmak", "isparta"],
    "decomposed": ["café", "née", "naïve", "한글"],
}


def spelled(tokenizer: Any, text: str) -> Spelling:
    """One context: all of a text."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    raw_texts = {token: raw_text(data) for token, data in zip(ids, token_bytes(tokenizer, ids), strict=True)}
    return spelling_of(cast(Atlas, SimpleNamespace(raw_texts=raw_texts, tokens=np.array([ids]))), np.array([0]))


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("script", WORDS)
def test_words_are_whole_whatever_tokens_spell_them(kind: str, script: str) -> None:
    words = words_of(spelled(TOKENIZERS[kind](), SCRIPTS[script]))
    found = [words.strings[word] for word in words.text]
    assert not set(WORDS[script]) - set(found), found
    assert not [word for word in found if "\ufffd" in word or "⟨" in word]


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_a_part_of_an_emoji_is_the_emoji(kind: str) -> None:
    words = words_of(spelled(TOKENIZERS[kind](), "a 👩\u200d💻 b"))
    assert [words.strings[word] for word in words.text if words.strings[word] != "␣"] == ["a", "👩\u200d💻", "b"]
    assert {words.strings[token] for token in words.token[0]} == {"a", "␣", "👩\u200d💻", "b"}


def test_a_byte_alone_is_no_neighbor() -> None:
    raw_texts = {0: "\udca4", 1: " bank", 2: " of", 3: " \udce6\udc9d"}
    words = words_of(
        spelling_of(cast(Atlas, SimpleNamespace(raw_texts=raw_texts, tokens=np.array([[0, 1, 2, 3]]))), np.array([0]))
    )
    assert [words.strings[word] for word in words.text] == ["⟨A4⟩", "bank", "of", "⟨E6⟩⟨9D⟩"]
    assert (words.before.tolist(), words.after.tolist()) == ([-1, -1, 1, -1], [-1, 2, -1, -1])


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("script", ["Chinese", "Japanese", "Thai"])
def test_runs_of_characters_stand_for_words_where_no_space_does(kind: str, script: str) -> None:
    spelling = spelled(TOKENIZERS[kind](), SCRIPTS[script])
    n = spelling.tokens.shape[1]
    examples = pd.DataFrame({"context": 0, "position": range(n)})
    found = {(row, run) for rows, runs in runs_around(spelling, examples) for row, run in zip(rows, runs, strict=True)}
    assert found == set(slow_runs(spelling))
    assert {"Chinese": "北京", "Japanese": "日本の首", "Thai": "เมือ"}[script] in {run for _, run in found}


def slow_runs(spelling: Spelling) -> Iterator[tuple[int, str]]:
    """Every run of up to four word characters with each token that has a part in it."""
    starts = np.flatnonzero(~spelling.goes_on[0])
    clusters: list[tuple[str, int, int]] = []  # text, first and last token
    for start, stop in zip(starts, [*starts[1:], spelling.tokens.shape[1]], strict=True):
        for cluster in regex.findall(r"\X", spelling.texts[spelling.tokens[0, start]]):
            clusters.append((cluster, int(start), int(stop)))
    for n in range(1, LONGEST_RUN + 1):
        for at in range(len(clusters) - n + 1):
            run = clusters[at : at + n]
            if not all(unicodedata.category(cluster[0])[0] in "LMN" for cluster, _, _ in run):
                continue
            text = "".join(cluster for cluster, _, _ in run)
            for token in {token for _, start, stop in run for token in range(start, stop)}:
                if UNSPACED.search(spelling.texts[spelling.tokens[0, token]]) and UNSPACED.search(text):
                    yield token, text


def test_the_index_of_an_atlas_finds_words_of_every_script(scripts_atlas: Atlas) -> None:
    table, features = phrases_of(scripts_atlas, progress=False), features_of(scripts_atlas, progress=False)
    for word in ("東京", "北京", "مدينة", "हिन्दी", "москва", "café", "👩\u200d💻"):
        hits = table[table["phrase"] == normalized(word)]
        assert len(hits), word
        for feature, count in hits[["feature", "count"]].to_numpy()[:5]:
            row = features.loc[feature]
            neuron = scripts_atlas.neuron(int(row["layer"]), int(row["index"]))
            members = np.flatnonzero(neuron.clusters().labels == row["place"])
            snippets = [neuron.snippets[i] for i in members]
            holding = [s for s in snippets if normalized(word) in normalized("".join(s.tokens))]
            assert len(holding) >= count
    assert not table["phrase"].str.contains("\ufffd⟨").any()


TYPED = {
    "東京": "東京",
    "CAFE\u0301": "café",
    "caf\u00e9": "café",
    "МОСКВА": "москва",
    "İSTANBUL": "istanbul",
    "IĞDIR": "iğdir",
    "ılık": "ılık",
    "می\u200cخواهم": "میخواهم",
    "\u1112\u1161\u11ab\u1100\u1173\u11af": "한글",
    "❤\ufe0f": "❤",
    "جدًّا": "جدا",
    "מְדִינָה": "מדינה",
    "👩\u200d💻": "👩\u200d💻",
    " The\t Bank ": "the bank",
}


def test_the_browser_reads_what_is_typed_as_the_index_does() -> None:
    script = f"console.log(JSON.stringify(JSON.parse({json.dumps(json.dumps(list(TYPED)))}).map(normalized)));"
    assert json.loads(run_module(module_text("atlas/phrase-search.js") + script)) == list(TYPED.values())
    assert [normalized(text) for text in TYPED] == list(TYPED.values())


def test_a_phrase_without_spaces_that_is_too_long_is_found_by_its_parts() -> None:
    script = """
    const shard = { json: { phrases: ["コンピュ", "ピュータ", "京", "東京"] }, start: Uint32Array.of(0, 2, 3, 4, 5),
      feature: Uint32Array.of(7, 9, 7, 1, 2), count: Uint16Array.of(3, 4, 5, 1, 2) };
    const search = (text) => searchPhrase(["コンピュ"], async () => shard, text);
    console.log(JSON.stringify([await search("コンピューター"), await search("東京"), runsOf("computers"),
      runsOf("東京タワ")]));
    """
    long, short, latin, four = json.loads(run_module(module_text("atlas/phrase-search.js") + script))
    assert long["hits"] == [{"feature": 7, "count": 5}, {"feature": 9, "count": 4}]
    assert long["parts"] == ["コンピュ", "ピュータ"]
    assert (short["hits"], short["parts"]) == ([{"feature": 2, "count": 2}], [])
    assert (latin, four) == ([], [])
