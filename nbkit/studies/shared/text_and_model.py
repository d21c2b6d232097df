"""The model that an atlas was made with, opened again; whether it says what comes next; a part of its text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import Int

from nbkit.atlas.atlas import Atlas
from nbkit.models import LanguageModel, load_model


def model_of(atlas: Atlas, progress: bool = True) -> LanguageModel:
    """The model, in the precision and on the type of device that it had.

    Args:
        progress: whether `transformers` may show its bars, which on a page would stay.

    Raises:
        NbkitError: it can't be opened.
    """
    m = atlas.manifest
    with without_bars(not progress):
        return load_model(m.model, dtype=m.dtype, device=m.device)  # type: ignore[arg-type]  # as they were


def says_next(model: LanguageModel) -> bool:
    """Whether a model is causal and has an unembedding."""
    return model.network.get_output_embeddings() is not None and model.causal


def spread(n: int, most: int) -> Int[np.ndarray, " places"]:
    """At most so many of n places, evenly spread, both ends among them."""
    places: Int[np.ndarray, " places"] = np.unique(np.linspace(0, n - 1, min(most, n)).astype(int))
    return places


@contextmanager
def without_bars(silent: bool = True) -> Iterator[None]:
    """Keeps the bars of `transformers` away, which on a page would stay."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    if silent:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
