"""Tokens as the characters that they spell: in Python and in the browser alike."""

from __future__ import annotations

import json
import random
import sys
import unicodedata
from itertools import pairwise
from typing import Any

import pytest
import regex

from nbkit.atlas.pieces import Piece, pieces
from nbkit.atlas.snippets import Snippet, display_token
from nbkit.explorers.shared.bundle import module_text
from nbkit.models.token_bytes import raw_text, token_bytes
from tests.browser.node import run_module
from tests.examples.scripts import SCOTLAND, SCRIPTS, TOKENIZERS


def raw(*tokens: bytes | str) -> list[str]:
    return [raw_text(token.encode() if isinstance(token, str) else token) for token in tokens]


ESCAPED = ("utf-8", "surrogateescape")
EAST = "東".encode()
CASES: list[tuple[list[str], int, list[tuple[str, int, int]]]] = [
    (raw("The", " bank"), 0, [("The", 0, 0), (" bank", 1, 1)]),
    (raw(EAST[:1], EAST[1:2], EAST[2:]), 1, [("東", 0, 2)]),
    (raw(EAST[:2], EAST[2:] + "京".encode()), 0, [("東", 0, 1), ("京", 1, 1)]),
    (raw(EAST[:2], EAST[2:] + "京".encode()), 1, [("東京", 0, 1)]),  # the key token has a part in both
    (raw(EAST[2:], "x", EAST[:2]), 1, [("⟨B1⟩", 0, 0), ("x", 1, 1), ("⟨E6⟩⟨9D⟩", 2, 2)]),
    (raw(EAST[:1], EAST[:1], EAST), 0, [("⟨E6⟩", 0, 0), ("⟨E6⟩", 1, 1), ("東", 2, 2)]),
    (raw(b" " + EAST[:1], EAST[1:], "!"), 2, [(" ", 0, 0), ("東", 0, 1), ("!", 2, 2)]),
    (raw("e", "\u0301", "a"), 2, [("e\u0301", 0, 1), ("a", 2, 2)]),
    (raw("\u0301", "a"), 1, [("◌\u0301", 0, 0), ("a", 1, 1)]),
    (raw("a\n", "\u0301"), 0, [("a↵", 0, 0), ("◌\u0301", 1, 1)]),
    (raw("ह", "ि", "न", "्", "द", "ी"), 0, [("हि", 0, 1), ("न्दी", 2, 5)]),
    (raw("👩", "\u200d", "💻"), 1, [("👩\u200d💻", 0, 2)]),
    (raw("👍", "🏽", "🏽"), 0, [("👍🏽🏽", 0, 2)]),
    (raw("🇯", "🇵", "🇫", "🇷"), 3, [("🇯🇵", 0, 1), ("🇫🇷", 2, 3)]),
    (raw(*SCOTLAND), 3, [(SCOTLAND, 0, 6)]),
    (raw("\U000e0067", "\U000e007f"), 0, [("⟨U+E0067⟩", 0, 0), ("⟨U+E007F⟩", 1, 1)]),
    (raw("\u1112", "\u1161", "\u11ab"), 0, [("\u1112\u1161\u11ab", 0, 2)]),
    (raw("a", "\u200d", " b"), 0, [("a", 0, 0), ("⟨U+200D⟩", 1, 1), (" b", 2, 2)]),
    (raw("a", "\u200c", "b"), 0, [("a", 0, 0), ("⟨U+200C⟩", 1, 1), ("b", 2, 2)]),
    (raw("ی", "\u200c", "خ"), 0, [("ی\u200c", 0, 1), ("خ", 2, 2)]),
    (raw("a", "\ufe0f", "\ufe0f"), 0, [("a\ufe0f", 0, 1), ("⟨U+FE0F⟩", 2, 2)]),
    (raw("\ufe0f" * 3), 0, [("◌\ufe0f⟨U+FE0F⟩⟨U+FE0F⟩", 0, 0)]),
    (raw("a", "\u3164", "b"), 0, [("a", 0, 0), ("⟨U+3164⟩", 1, 1), ("b", 2, 2)]),
    (raw("\u1100", "\u1160"), 0, [("\u1100\u1160", 0, 1)]),
    (raw("\r", "\n"), 0, [("␍", 0, 0), ("↵", 1, 1)]),
    (raw("\ufffd", b"\x80"), 0, [("\ufffd", 0, 0), ("⟨80⟩", 1, 1)]),
]


@pytest.mark.parametrize(("texts", "key", "expected"), CASES)
def test_tokens_that_share_a_character_are_one_piece(
    texts: list[str], key: int, expected: list[tuple[str, int, int]]
) -> None:
    assert pieces(texts, key) == [Piece(*each) for each in expected]


def windows() -> list[tuple[list[str], int]]:
    """Runs of tokens of every script and tokenizer, begun and ended anywhere."""
    rng = random.Random(0)
    found = [(texts, key) for texts, key, _ in CASES]
    for make in TOKENIZERS.values():
        tokenizer = make()
        for text in SCRIPTS.values():
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            texts = [raw_text(data) for data in token_bytes(tokenizer, ids)]
            for _ in range(8):
                start = rng.randrange(len(texts))
                window = texts[start : start + 31]
                found.append((window, rng.randrange(len(window))))
    return found


def test_pieces_are_the_text_without_gaps() -> None:
    for texts, key in windows():
        found = pieces(texts, key)
        whole = raw_text("".join(texts).encode(*ESCAPED))
        assert "".join(piece.text for piece in found) == display_token(whole)
        assert [piece.first <= key <= piece.last for piece in found].count(True) == 1
        covered = {token for piece in found for token in range(piece.first, piece.last + 1)}
        assert covered == set(range(len(texts)))
        assert all(one.first <= other.first and one.last <= other.last for one, other in pairwise(found))
        clusters = regex.findall(r"\X", display_token(whole))
        assert [c for piece in found for c in regex.findall(r"\X", piece.text)] == clusters


def in_browser(script: str, data: object) -> Any:
    module = module_text("shared/pieces.js")
    text = f"{module}\nconst data = JSON.parse({json.dumps(json.dumps(data))});\n{script}"
    return json.loads(run_module(text))


def test_the_browser_makes_the_same_pieces() -> None:
    conjunct = "\u094d"  # where these end, Unicode has said only since 15.1
    cases = [(texts, key) for texts, key in windows() if conjunct not in raw_text("".join(texts).encode(*ESCAPED))]
    assert len(cases) > 250
    found = in_browser("console.log(JSON.stringify(data.map(([texts, key]) => pieces(texts, key))));", cases)
    for (texts, key), made in zip(cases, found, strict=True):
        assert [Piece(each["text"], each["first"], each["last"]) for each in made] == pieces(texts, key)
        assert ["".join(part["text"] for part in each["parts"]) for each in made] == [each["text"] for each in made]
    [_, mark, byte] = in_browser("console.log(JSON.stringify(pieces(data, 0)));", raw("⟨U+202E⟩", "\u202e", EAST[:2]))
    assert mark["parts"] == [{"text": "⟨U+202E⟩", "sign": "U+202E"}]
    assert [part["sign"] for part in byte["parts"]] == [f"byte {hex_}, a part of a character" for hex_ in ("E6", "9D")]


def test_the_browser_shows_every_character_as_python_does() -> None:
    known = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) not in ("Cn", "Co")]
    script = """
    const odd = [];
    for (const [from, to] of data) for (let code = from; code <= to; code++) {
      const char = String.fromCodePoint(code);
      const [shown] = visibleCharacters([char]);
      if (shown !== char) odd.push([code, shown]);
    }
    console.log(JSON.stringify(odd));"""
    runs: list[list[int]] = []
    for char in known:
        if runs and runs[-1][1] == ord(char) - 1:
            runs[-1][1] += 1
        else:
            runs.append([ord(char), ord(char)])
    expected = [[ord(char), display_token(char)] for char in known if display_token(char) != char]
    assert in_browser(script, runs) == expected
    assert len(expected) > 2000  # marks, controls, formats, surrogates


def test_a_snippet_spreads_key_token_and_activation_over_its_character() -> None:
    texts = raw("in ", EAST[:1], EAST[1:2], EAST[2:], " now")
    snippet = Snippet.of(texts, [0.1, 0.2, 3.0, 0.4, -1.0], 2, 7, 30)
    assert str(snippet) == "in [東] now"
    assert (snippet.tokens, snippet.key) == (("in ", "東", " now"), 1)
    assert snippet.activations == (0.1, 3.0, -1.0)
    weaker = Snippet.of(texts, [9.0, 0.2, 0.1, 0.4, -1.0], 0, 7, 30)
    assert weaker.activations == (9.0, 0.4, -1.0)  # of what is not the key token, the strongest


def test_the_key_tokens_own_activation_is_shown() -> None:
    snippet = Snippet.of(raw(EAST[:1], EAST[1:]), [5.0, 2.0], 1, 0, 1)
    assert (snippet.tokens, snippet.activations, snippet.key) == (("東",), (2.0,), 0)
