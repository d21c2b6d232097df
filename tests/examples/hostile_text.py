"""A corpus that holds markup and invisible characters, and a tokenizer that leaves them as they are."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import decoders

from tests.examples.tiny_models import make_tokenizer

HOSTILE = (
    "<script>hacked=1</script>",
    "<img src=x onerror=hacked=2>",
    "</script><script>hacked=3//",
    "\u202egnp.exe\u202c \u2066hidden\u2069 \u200f",
    "👩‍👩‍👧 🏳️‍🌈 مرحبا",
    "nul\x00bell\x07escape\x1b[31m",
    "{{ 7*7 }} $x$ `code` &lt;b&gt; {cite}`none`",
)


def fuse_tokens(model: Path) -> None:
    """Give a tiny model a tokenizer that puts no space between the characters that are its tokens."""
    tokenizer = make_tokenizer()
    tokenizer.backend_tokenizer.decoder = decoders.Fuse()
    tokenizer.save_pretrained(model)


def write_corpora(folder: Path) -> dict[str, Path]:
    """The same lines as one text, and as a document each in JSON."""
    lines = [" ".join(HOSTILE[:2] * 3 + HOSTILE[i:] + HOSTILE[:i]) for i in range(len(HOSTILE))] * 4
    corpora = {"text": folder / "hostile.txt", "lines": folder / "hostile.jsonl"}
    corpora["text"].write_text("\n".join(lines), encoding="utf-8")
    corpora["lines"].write_text("".join(json.dumps({"text": line}) + "\n" for line in lines), encoding="utf-8")
    return corpora
