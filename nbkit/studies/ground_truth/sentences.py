"""Contestant: what a sentence encoder makes of an example's text, as PRISM (Kopf et al. 2025) clusters examples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float

from nbkit import models
from nbkit.method.truth.unit import Unit
from nbkit.studies.shared.text_and_model import without_bars

ENCODER = "minilm"
SENTENCES_AT_ONCE = 64


class SentenceEncoder:
    """all-MiniLM-L6-v2's embedding of the text around each key token: the mean of its last layer over the tokens.
    It knows neither the key token nor the unit. A text is run once: units, and layers, share most of theirs."""

    def __init__(self) -> None:
        self.known: dict[str, Float[np.ndarray, " 384"]] = {}

    def __call__(self, unit: Unit) -> Float[np.ndarray, "n 384"] | None:
        """None for a unit without text."""
        if unit.text is None:
            return None
        new = tuple(dict.fromkeys(text for text in unit.text.snippets if text not in self.known))
        self.known |= zip(new, sentence_embeddings(new), strict=True)
        return np.stack([self.known[text] for text in unit.text.snippets])


def sentence_embeddings(texts: Sequence[str]) -> Float[np.ndarray, "n 384"]:
    """all-MiniLM-L6-v2's embeddings of texts."""
    encoder = _encoder()
    found = np.empty((len(texts), encoder.d_model), dtype=np.float32)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # of like length together
    for rows in (order[first : first + SENTENCES_AT_ONCE] for first in range(0, len(order), SENTENCES_AT_ONCE)):
        batch = [texts[i] for i in rows]
        read = encoder.tokenizer(batch, padding=True, truncation=True, return_tensors="pt").to(encoder.device)
        with torch.inference_mode():
            vectors = encoder.network(**read).last_hidden_state.float()
        there = read["attention_mask"][..., None]
        found[rows] = ((vectors * there).sum(dim=1) / there.sum(dim=1)).cpu().numpy()
    return found


@lru_cache(maxsize=1)
def _encoder() -> models.LanguageModel:
    with without_bars():
        return models.load_model(ENCODER, dtype="float32")
