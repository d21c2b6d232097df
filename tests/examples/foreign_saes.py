"""Autoencoders of other codes: random weights, their folders, and slow references written from the equations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from nbkit.sae.autoencoder import SparseAutoencoder

D_IN, D_SAE, D_OUT, K = 6, 20, 4, 3
Weights = dict[str, Tensor]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def inputs(n: int = 30) -> Tensor:
    return 2 * random(n, D_IN, seed=99) + 0.7


def weights(d_out: int = D_IN) -> Weights:
    """Encoder and decoder, under SAELens' names."""
    return {
        "W_enc": 0.5 * random(D_IN, D_SAE, seed=1),
        "b_enc": 0.5 * random(D_SAE, seed=2),
        "W_dec": 0.5 * random(D_SAE, d_out, seed=3),
        "b_dec": 0.5 * random(d_out, seed=4),
    }


def thresholds() -> Tensor:
    return random(D_SAE, seed=5).abs()


def gates() -> Weights:
    w = weights()
    w["b_mag"] = w.pop("b_enc")
    return w | {"b_gate": random(D_SAE, seed=6), "r_mag": 0.3 * random(D_SAE, seed=7)}


def write_folder(folder: Path, config: dict[str, Any], tensors: Weights, name: str = "sae_weights.safetensors") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cfg.json").write_text(json.dumps(config))
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, folder / name)
    return folder


def config_6(architecture: str, **fields: object) -> dict[str, Any]:
    """A description as SAELens 6 writes it."""
    return {
        "d_in": D_IN,
        "d_sae": D_SAE,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": not architecture.endswith("transcoder"),
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"sae_lens_version": "6.20.0", "model_name": "gpt2", "hook_name": "blocks.1.hook_resid_pre"},
        "architecture": architecture,
        **fields,
    }


def config_3(**fields: object) -> dict[str, Any]:
    """A description as versions 3 to 5 of SAELens write it."""
    return {
        "architecture": "standard",
        "d_in": D_IN,
        "d_sae": D_SAE,
        "dtype": "float32",
        "device": "mps",
        "model_name": "gpt2-small",
        "hook_name": "blocks.1.hook_resid_pre",
        "hook_layer": 1,
        "hook_head_index": None,
        "activation_fn_str": "relu",
        "activation_fn_kwargs": {},
        "apply_b_dec_to_input": True,
        "finetuning_scaling_factor": False,
        "sae_lens_training_version": "3.20.1",
        "prepend_bos": True,
        "dataset_path": "Skylion007/openwebtext",
        "context_size": 128,
        "dataset_trust_remote_code": True,
        "normalize_activations": "none",
        "neuronpedia_id": None,
        "model_from_pretrained_kwargs": {},
        **fields,
    }


def config_2(**fields: object) -> dict[str, Any]:
    """A description as the first versions of SAELens wrote it: all that a run was told."""
    return {
        "model_name": "gpt2-small",
        "hook_point": "blocks.1.hook_resid_pre",
        "hook_point_layer": 1,
        "hook_point_head_index": None,
        "dataset_path": "Skylion007/openwebtext",
        "is_dataset_tokenized": False,
        "context_size": 128,
        "use_cached_activations": False,
        "cached_activations_path": "activations/openwebtext",
        "d_in": D_IN,
        "n_batches_in_buffer": 128,
        "total_training_tokens": 300_000_000,
        "store_batch_size": 32,
        "device": "mps",
        "seed": 42,
        "dtype": "torch.float32",
        "b_dec_init_method": "geometric_median",
        "expansion_factor": 32,
        "from_pretrained_path": None,
        "l1_coefficient": 8e-05,
        "lr": 0.0004,
        "lr_scheduler_name": None,
        "lr_warm_up_steps": 5000,
        "train_batch_size": 4096,
        "use_ghost_grads": False,
        "feature_sampling_window": 1000,
        "feature_sampling_method": None,
        "resample_batches": 1028,
        "feature_reinit_scale": 0.2,
        "dead_feature_window": 5000,
        "dead_feature_estimation_method": "no_fire",
        "dead_feature_threshold": 1e-06,
        "log_to_wandb": True,
        "wandb_project": "gpt2",
        "wandb_entity": None,
        "wandb_log_frequency": 100,
        "n_checkpoints": 10,
        "checkpoint_path": "checkpoints/abc",
        "d_sae": D_SAE,
        "tokens_per_buffer": 67_108_864,
        "run_name": "24576-L1-8e-05",
        **fields,
    }


def pre_activations(x: Tensor, w: Weights, subtract: bool) -> Tensor:
    """Of one input."""
    read = x - w["b_dec"].double() if subtract else x
    return torch.stack([(read * w["W_enc"][:, j].double()).sum() + w["b_enc"][j].double() for j in range(D_SAE)])


def latents(pre: Tensor, activation: str, k: int = K, threshold: Tensor | float = 0.0) -> Tensor:
    """Of one input: every positive pre-activation, the k largest, or those above a threshold."""
    if activation == "topk":
        kept = pre.sort(descending=True).indices[:k]
        threshold = torch.full_like(pre, torch.inf)
        threshold[kept] = 0.0
    return torch.where((pre > threshold) & (pre > 0), pre, 0.0)


def gated_latents(x: Tensor, w: Weights, subtract: bool) -> Tensor:
    """Of one input: magnitudes where the gates are open."""
    read = x - w["b_dec"].double() if subtract else x
    gate = read @ w["W_enc"].double() + w["b_gate"].double()
    magnitude = read @ (w["W_enc"].double() * w["r_mag"].double().exp()) + w["b_mag"].double()
    return torch.where((gate > 0) & (magnitude > 0), magnitude, 0.0)


def output(z: Tensor, w: Weights) -> Tensor:
    """Of one input."""
    out = w["b_dec"].double().clone()
    for j in range(D_SAE):
        out += z[j] * w["W_dec"][j].double()
    return out


def reference(
    h: Tensor, w: Weights, activation: str = "relu", subtract: bool = True, **options: Any
) -> tuple[Tensor, Tensor]:
    """Latents and reconstruction of each input, in float64."""
    rows = []
    for x in h.double():
        gated = activation == "gated"
        z = gated_latents(x, w, subtract) if gated else latents(pre_activations(x, w, subtract), activation, **options)
        rows.append((z, output(z, w)))
    return torch.stack([z for z, _ in rows]), torch.stack([out for _, out in rows])


def check(sae: SparseAutoencoder, h: Tensor, expected: tuple[Tensor, Tensor]) -> None:
    """The autoencoder computes this; there is something to compute."""
    with torch.no_grad():
        found = sae(h)
    assert 0 < (expected[0] > 0).double().mean() < 1
    torch.testing.assert_close(found.latents.double(), expected[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.reconstruction.double(), expected[1], rtol=1e-5, atol=1e-5)
