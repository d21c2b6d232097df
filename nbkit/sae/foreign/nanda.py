"""Neel Nanda's autoencoders and those of codes that began as his: `25.pt` and `25_cfg.json`."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from torch import Tensor, zeros

from nbkit.sae.architecture import Architecture, Reshaping
from nbkit.sae.autoencoder_parts import Found
from nbkit.sae.description import Description
from nbkit.sae.foreign.weights import SAELENS, renamed
from nbkit.sae.hooks import Hooks, after_rewriting

_HARMLESS = """
batch_size beta1 beta2 buffer_batches buffer_mult buffer_size checkpoint_freq d_mlp device dict_mult enc_dtype hook_name
l1_coeff layer lr model_batch_size model_name name num_batches num_tokens perf_log_freq remove_rare_dir seed seq_len
site wandb_project
"""
NANDA_IGNORED = frozenset(_HARMLESS.split())
"""Of training, and about where the activations come from; the tensors have their precision themselves."""


def read_nanda(description: Description, tensors: dict[str, Tensor], path: Path) -> Found:
    """A ReLU autoencoder that subtracts `b_dec`, of a model whose weights TransformerLens has rewritten.

    Raises:
        NbkitError: a field that is unknown or contradicts the weights.
    """
    found = renamed(tensors, SAELENS, path)
    d_in, d_sae = found["w_enc"].shape
    description.must_be("act_size", d_in)
    description.must_be("dict_size", d_sae)
    hook = description.hook("act_name")
    reshape = "hook_z" if "hook_z" in (hook or "") else "none"
    description.finish(NANDA_IGNORED)
    found["threshold"] = zeros((), dtype=found["w_enc"].dtype)
    processed = None if hook is None else after_rewriting(hook, centered=True)
    hooks = Hooks(processed or hook, same=processed is not None)
    return Found(Architecture(d_in, d_sae, reshape_activations=cast(Reshaping, reshape)), found, hooks)
