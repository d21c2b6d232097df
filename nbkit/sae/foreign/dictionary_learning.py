"""Marks and others' dictionary_learning: `ae.pt` and `config.json`, whose `trainer` names the class."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, zeros

from nbkit.errors import NbkitError
from nbkit.sae.architecture import AnyActivation, Architecture
from nbkit.sae.autoencoder_parts import Found
from nbkit.sae.description import Description
from nbkit.sae.foreign.state_dict import TIED_BIAS
from nbkit.sae.foreign.weights import LINEAR, SAELENS, Layout, renamed
from nbkit.sae.hooks import Hooks


class DictClass(NamedTuple):
    """How one of its classes computes."""

    layout: Layout
    """Its tensors."""
    activation: AnyActivation
    apply_b_dec_to_input: bool = True
    unused: frozenset[str] = frozenset()
    """Tensors that its encoder doesn't use, beside `k`."""


_TOPK: Layout = {**{name: LINEAR[name] for name in list(LINEAR)[:3]}, "b_dec": ("b_dec", False)}
_THRESHOLD: Layout = {"threshold": ("threshold", False)}
DICT_CLASSES = {
    "AutoEncoder": DictClass(TIED_BIAS, "relu"),
    "AutoEncoderNew": DictClass(LINEAR, "relu", apply_b_dec_to_input=False),
    "AutoEncoderTopK": DictClass(_TOPK, "topk", unused=frozenset({"threshold"})),
    "BatchTopKSAE": DictClass({**_TOPK, **_THRESHOLD}, "batch_topk"),
    "MatryoshkaBatchTopKSAE": DictClass({**SAELENS, **_THRESHOLD}, "batch_topk", unused=frozenset({"group_sizes"})),
    "JumpReluAutoEncoder": DictClass({**SAELENS, **_THRESHOLD}, "jumprelu", apply_b_dec_to_input=False),
    "GatedAutoEncoder": DictClass(
        {
            "encoder.weight": ("w_enc", True),
            "gate_bias": ("b_gate", False),
            "mag_bias": ("b_enc", False),
            "r_mag": ("r_mag", False),
            "decoder.weight": ("w_dec", True),
            "decoder_bias": ("b_dec", False),
        },
        "gated",
    ),
}
_OUTPUT_OF_BLOCK = re.compile(r"resid_post_layer_(\d{1,4})")
_HARMLESS = """
anneal_end anneal_start auxk_alpha bandwidth dead_feature_threshold decay_start device group_fractions group_sizes
group_weights initial_sparsity_penalty k_anneal_steps l1_penalty layer lm_name lr n_sparsity_updates p_end p_start
resample_steps seed sparsity_function sparsity_penalty sparsity_queue_length sparsity_warmup_steps steps
submodule_name target_l0 temperature threshold_beta threshold_start_step top_k_aux trainer_class wandb_entity
wandb_name wandb_project warmup_steps
"""
TRAINER_FIELDS = frozenset(_HARMLESS.split())
"""Fields of a trainer that say how it trained."""


def read_dictionary_learning(description: Description, tensors: dict[str, Tensor], path: Path) -> Found:
    """The weights as they are: `load_dictionary` divides an `AutoEncoder`'s decoder by its norms and multiplies the
    encoder's, which changes the scale of the latents and not the reconstruction.

    The hook point is known of a block's output: of all that users call their submodules, its scripts know only
    `resid_post_layer_L`.

    Raises:
        NbkitError: an unknown class or field, or one that contradicts the weights.
    """
    trainer = description.inside("trainer")
    what = DICT_CLASSES[trainer.choice("dict_class", "", tuple(DICT_CLASSES))]
    stored = {name: tensor for name, tensor in tensors.items() if name not in what.unused | {"k"}}
    found = renamed(stored, what.layout, path)
    d_in, d_sae = found["w_enc"].shape
    trainer.must_be("activation_dim", d_in)
    trainer.must_be("dict_size", d_sae)
    k = trainer.size("k")
    if "k" in tensors:
        if tensors["k"].numel() != 1 or tensors["k"].is_floating_point():
            raise NbkitError(f"{path}: k holds {tensors['k'].dtype} of shape {tuple(tensors['k'].shape)}: no number")
        kept = int(tensors["k"])
        if k is not None and k != kept:
            raise NbkitError(f"{description.path} says k = {k}, and the weights beside it have {kept}: one is wrong")
        k = kept
    if what.activation in ("topk", "batch_topk") and k is None:
        raise trainer.refusal("k", k, "a number of latents is needed")
    trainer.finish(TRAINER_FIELDS)
    hooks = _hooks(trainer, description.take("buffer"))
    description.finish(())
    found.setdefault("threshold", zeros((), dtype=found["w_enc"].dtype))
    architecture = Architecture(d_in, d_sae, what.activation, k, apply_b_dec_to_input=what.apply_b_dec_to_input)
    return Found(architecture, found, hooks)


def _hooks(trainer: Description, buffer: object) -> Hooks:
    """What the buffer took from the submodule, if both, and the layer, say that it's a block's output."""
    named = _OUTPUT_OF_BLOCK.fullmatch(str(trainer.take("submodule_name", "")))
    given = buffer.get("io", "out") == "out" if isinstance(buffer, dict) else True
    if named is None or not given or trainer.take("layer", int(named[1])) != int(named[1]):
        return Hooks()
    return Hooks(f"blocks.{named[1]}.hook_resid_post")
