"""A tiny model's atlas with the latents of two autoencoders that were trained on its text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import nbkit
from nbkit.studies.shared import with_latents
from nbkit.studies.shared.language_model_saes import WithLatents
from tests.examples.tiny_models import make_model, random_contexts


def tiny_with_latents(folder: Path, hooks: Sequence[str], n_atlas: int, n_trained: int) -> WithLatents:
    """
    Args:
        folder: an empty one, which gets a cache of its own.
        hooks: where the autoencoders read.
        n_atlas: contexts of the atlas.
        n_trained: of them those that the autoencoders are trained on.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBKIT_CACHE", str(folder / "cache"))
        model = nbkit.load_model(make_model("llama", folder / "model"), dtype="float32", device="cpu")
        config = nbkit.AtlasConfig(embedding="paper")
        atlas = nbkit.build_atlas(model, random_contexts(n_atlas, 24), folder / "atlas", config, progress=False)
        return with_latents(atlas, hooks, d_sae=30, k=4, n_contexts=n_trained, progress=False)
