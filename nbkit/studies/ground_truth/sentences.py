"""Contestant: what a sentence encoder makes of an example's text, as PRISM (Kopf et al. 2025) clusters examples."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float

from nbkit import models
from nbkit.method.truth.unit import Unit
from nbkit.studies.shared.text_and_model import without_bars

ENCODER = "minilm"
BATCH = 64


def sentence(unit: Unit) -> Float[np.ndarray, "n 384"] | None:
    """all-MiniLM-L6-v2's embedding of the text around each key token: the mean of its last layer over the tokens.
    It knows neither the key token nor the unit."""
    return None if unit.text is None else sentence_embeddings(unit.text.snippets)


def sentence_embeddings(snippets: tuple[str, ...]) -> Float[np.ndarray, "n 384"]:
    """The same of any texts."""
    found = _embedded(snippets)
    return np.stack([found[snippet] for snippet in snippets])


@lru_cache(maxsize=4)
def _embedded(snippets: tuple[str, ...]) -> dict[str, Float[np.ndarray, " 384"]]:
    encoder = _encoder()
    texts = sorted(set(snippets), key=len)  # of like length together
    found: dict[str, Float[np.ndarray, " 384"]] = {}
    for first in range(0, len(texts), BATCH):
        batch = texts[first : first + BATCH]
        read = encoder.tokenizer(batch, padding=True, truncation=True, return_tensors="pt").to(encoder.device)
        with torch.inference_mode():
            vectors = encoder.network(**read).last_hidden_state.float()
        there = read["attention_mask"][..., None]
        means = (vectors * there).sum(dim=1) / there.sum(dim=1)
        found |= dict(zip(batch, means.cpu().numpy(), strict=True))
    return found


@lru_cache(maxsize=1)
def _encoder() -> models.LanguageModel:
    with without_bars():
        return models.load_model(ENCODER, dtype="float32")
