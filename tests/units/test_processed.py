"""Latents of an autoencoder that was trained in a model with processed weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import nbkit
from nbkit.errors import NbkitError
from nbkit.models import LanguageModel, load_model
from nbkit.models.logits import direct_unembedding
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.units.latents import sae_latents
from tests.examples.architectures import ARCHITECTURES
from tests.examples.processed_weights import processed_vectors
from tests.examples.tiny_models import D_MODEL, make_tokenizer
from tests.units.test_latents import CONFIG, CONTEXTS, made_up

PLAIN = "blocks.1.hook_resid_pre"


@pytest.fixture
def sae() -> SparseAutoencoder:
    sae = made_up(D_MODEL)
    sae.hook = f"{PLAIN}:processed"
    return sae


@pytest.mark.parametrize("kind", ["GPT2LMHeadModel", "GPTNeoXForCausalLM"])
def test_they_are_those_of_transformer_lens_vectors(kind: str, sae: SparseAutoencoder, tmp_path: Path) -> None:
    sae.save(tmp_path / "sae", "saelens")
    network = next(each for each in ARCHITECTURES if each.kind == kind).make()
    units = sae_latents(load_model(network, tokenizer=make_tokenizer()), tmp_path / "sae")
    assert units.sites[0].name == sae.hook
    atlas = nbkit.build_atlas(units, CONTEXTS, tmp_path / "atlas", CONFIG, progress=False)
    vectors = processed_vectors(network, tmp_path / "network", CONTEXTS)(PLAIN)
    z = sae.encode(vectors.flatten(0, 1)).detach().view(*vectors.shape[:2], -1)
    text = np.flatnonzero(~CONTEXTS.special)
    n = 0
    for unit in atlas.iterate(0):
        at = np.searchsorted(text, unit.position)
        np.testing.assert_allclose(unit.peak, z[unit.context, at, unit.index], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(unit.pre_mlp, vectors[unit.context, at], atol=1e-4)
        np.testing.assert_allclose(unit.embeddings("input").sum(1) + unit.weights.b_in, unit.peak, rtol=1e-4, atol=1e-4)
        n += len(unit)
    assert n > 30


def test_the_decoder_s_rows_are_what_is_written(
    sae: SparseAutoencoder, tiny_model: Callable[[str], LanguageModel]
) -> None:
    model = tiny_model("gpt2")
    written = sae_latents(model, sae).written(0)
    assert written is not None and torch.equal(written, sae.w_dec.detach())
    unembedding = direct_unembedding(model)
    assert unembedding is not None
    effects = [unembedding @ rows.T for rows in (written, written - written.mean(1, keepdim=True))]
    torch.testing.assert_close(*(each - each.mean(0) for each in effects), rtol=0, atol=1e-4)
    reads = made_up(D_MODEL, d_out=D_MODEL, apply_b_dec_to_input=False)
    reads.hook, reads.hook_out = "blocks.1.ln2.hook_normalized", "blocks.1.hook_mlp_out:processed"
    written = sae_latents(model, reads).written(0)
    assert written is not None and torch.equal(written, reads.w_dec.detach())


def test_the_plain_hook_point_is_refused(sae: SparseAutoencoder, tiny_model: Callable[[str], LanguageModel]) -> None:
    with pytest.raises(NbkitError, match=rf"was trained at {PLAIN}:processed, and '{PLAIN}' was given: leave hook out"):
        sae_latents(tiny_model("gpt2"), sae, PLAIN)
