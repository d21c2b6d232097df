"""Gemma Scope's autoencoders and transcoders, against references from the equations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from nbkit.errors import NbkitError
from nbkit.sae.autoencoder import SparseAutoencoder
from tests.examples.evaluated import evaluated
from tests.examples.foreign_saes import D_IN, D_OUT, Weights, check, inputs, random, reference, thresholds, weights

load = SparseAutoencoder.load


def write_npz(folder: Path, tensors: Weights) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "params.npz", **{name: tensor.numpy() for name, tensor in tensors.items()})
    return folder


def write_2(folder: Path, tensors: Weights, **fields: object) -> Path:
    config = {
        "architecture": "jump_relu",
        "model_name": "google/gemma-3-1b-pt",
        "hf_hook_point_in": "model.layers.5.output",
        "width": 16384,
        "l0": 50,
        "affine_connection": False,
        **fields,
    }
    (folder / "config.json").write_text(json.dumps(config))
    renamed = {name.lower() if name.startswith("W") else name: tensor for name, tensor in tensors.items()}
    save_file(renamed, folder / "params.safetensors")
    return folder


def expected(tensors: Weights) -> tuple[torch.Tensor, torch.Tensor]:
    return reference(inputs(), tensors, "jumprelu", subtract=False, threshold=thresholds().double())


@pytest.mark.parametrize("name", ["W_enc", "w_enc"])
def test_autoencoders(name: str, tmp_path: Path) -> None:
    tensors = weights() | {"threshold": thresholds()}
    tensors[name] = tensors.pop("W_enc")
    folder = write_npz(tmp_path / "gemma-scope-2b-pt-res" / "layer_5" / "average_l0_76", tensors)
    for place in (folder, folder / "params.npz"):
        sae = load(place)
        check(sae, inputs(), expected(weights()))
        evaluated(sae, inputs(), inputs())


@pytest.mark.parametrize("d_out", [D_IN, D_OUT])
def test_transcoders(d_out: int, tmp_path: Path) -> None:
    folder = tmp_path / "gemma-scope-2b-pt-transcoders" / "layer_5" / "average_l0_76"
    sae = load(write_npz(folder, weights(d_out) | {"threshold": thresholds()}))
    check(sae, inputs(), expected(weights(d_out)))
    with pytest.raises(NbkitError, match="This is a transcoder"):
        evaluated(sae, inputs(), inputs())


def test_a_pickle_in_an_npz_does_not_run(tmp_path: Path) -> None:
    np.savez(tmp_path / "params.npz", W_enc=np.array([{}], dtype=object))
    with pytest.raises(NbkitError, match="no file of NumPy arrays"):
        load(tmp_path)
    (tmp_path / "params.npz").write_bytes(b"PK")
    with pytest.raises(NbkitError, match="no file of NumPy arrays"):
        load(tmp_path)


def test_gemma_scope_2(tmp_path: Path) -> None:
    check(load(write_2(tmp_path, weights() | {"threshold": thresholds()})), inputs(), expected(weights()))


@pytest.mark.parametrize("skip", [True, False])
def test_transcoders_of_gemma_scope_2(skip: bool, tmp_path: Path) -> None:
    tensors, (z, out) = weights(D_OUT) | {"threshold": thresholds()}, expected(weights(D_OUT))
    if skip:
        tensors["affine_skip_connection"] = random(D_IN, D_OUT, seed=8)
        out = out + inputs().double() @ tensors["affine_skip_connection"].double()
    fields = {"hf_hook_point_out": "model.layers.5.post_feedforward_layernorm.output", "affine_connection": skip}
    check(load(write_2(tmp_path, tensors, **fields)), inputs(), (z, out))


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"affine_connection": True}, "affine_connection = true"),
        ({"type": "crosscoder"}, 'type = "crosscoder"'),
        ({"input_norm": 3.0}, "the field 'input_norm', which nbkit doesn't know"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_by_name(fields: dict[str, Any], match: str, tmp_path: Path) -> None:
    with pytest.raises(NbkitError, match=match):
        load(write_2(tmp_path, weights() | {"threshold": thresholds()}, **fields))
