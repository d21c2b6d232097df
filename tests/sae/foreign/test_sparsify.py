"""EleutherAI's sparsify: its folders, against references from the equations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from nbkit.errors import NbkitError
from nbkit.sae.autoencoder import SparseAutoencoder
from tests.examples.foreign_saes import (
    D_IN,
    D_OUT,
    D_SAE,
    K,
    Weights,
    check,
    inputs,
    output,
    random,
    reference,
    weights,
    write_folder,
)


def config(**fields: object) -> dict[str, Any]:
    return {
        "activation": "topk",
        "expansion_factor": 32,
        "normalize_decoder": True,
        "num_latents": D_SAE,
        "k": K,
        "multi_topk": False,
        "skip_connection": False,
        "transcode": False,
        "d_in": D_IN,
        **fields,
    }


def stored(w: Weights) -> Weights:
    return {
        "encoder.weight": w["W_enc"].T,
        "encoder.bias": w["b_enc"],
        "W_dec": w["W_dec"],
        "b_dec": w["b_dec"],
    }


def write(folder: Path, fields: dict[str, Any], tensors: Weights) -> Path:
    return write_folder(folder, fields, tensors, "sae.safetensors")


@pytest.mark.parametrize("d_out", [D_IN, D_OUT])
@pytest.mark.parametrize("skip", [True, False])
def test_transcoders(skip: bool, d_out: int, tmp_path: Path) -> None:
    tensors = stored(weights(d_out))
    z, out = reference(inputs(), weights(d_out), "topk", subtract=False)
    if skip:
        tensors["W_skip"] = random(d_out, D_IN, seed=8)
        out = out + torch.stack([tensors["W_skip"].double() @ x for x in inputs().double()])
    sae = SparseAutoencoder.load(write(tmp_path, config(transcode=True, skip_connection=skip), tensors))
    check(sae, inputs(), (z, out))
    assert sae.d_out == d_out


@pytest.mark.parametrize("skip", [True, False])
def test_autoencoders(skip: bool, tmp_path: Path) -> None:
    tensors = stored(weights())
    z, out = reference(inputs(), weights(), "topk")
    if skip:
        tensors["W_skip"] = random(D_IN, D_IN, seed=8)
        out = out + torch.stack([tensors["W_skip"].double() @ x for x in inputs().double()])
    write(tmp_path, config(skip_connection=skip), tensors)
    check(SparseAutoencoder.load(tmp_path), inputs(), (z, out))
    check(SparseAutoencoder.load(tmp_path / "sae.safetensors", "topk", K), inputs(), (z, out))


def test_the_largest_of_each_group(tmp_path: Path) -> None:
    sae = SparseAutoencoder.load(write(tmp_path, config(activation="groupmax", k=4), stored(weights())))
    pre, _ = reference(inputs(), weights())
    z = torch.zeros_like(pre)
    for row, values in zip(z, pre, strict=True):
        for start in range(0, D_SAE, 5):
            best = start + int(values[start : start + 5].argmax())
            row[best] = values[best]
    check(sae, inputs(), (z, torch.stack([output(row, weights()) for row in z])))
    with pytest.raises(NbkitError, match=r"SAELens .* has no groupmax autoencoder"):
        sae.save(tmp_path / "new", format="saelens")


def test_the_description_of_its_first_versions(tmp_path: Path) -> None:
    tensors = stored(weights())
    tensors["encoder.weight"], tensors["encoder.bias"] = tensors["encoder.weight"][:18], tensors["encoder.bias"][:18]
    tensors["W_dec"] = tensors["W_dec"][:18]
    fields = {"expansion_factor": 3, "normalize_decoder": True, "num_latents": 0, "k": K, "signed": False, "d_in": D_IN}
    sae = SparseAutoencoder.load(write(tmp_path, fields, tensors))
    assert (sae.d_sae, sae.activation, sae.k) == (18, "topk", K)


def test_the_precision_is_that_of_the_tensors(tmp_path: Path) -> None:
    tensors = {name: tensor.bfloat16() for name, tensor in stored(weights()).items()}
    assert SparseAutoencoder.load(write(tmp_path, config(), tensors)).w_dec.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"activation": "batchtopk"}, 'activation = "batchtopk"'),
        ({"activation": "groupmax"}, "k is 3: 20 latents don't fall into so many equal groups"),
        ({"signed": True}, "signed = true"),
        ({"k": None}, "k = null"),
        ({"k": D_SAE + 1}, "k is 21"),
        ({"d_in": D_IN + 1}, "d_in = 7, and the weights beside it have 6"),
        ({"num_latents": D_SAE + 1}, "num_latents = 21, and the weights beside it have 20"),
        ({"num_latents": 0}, "expansion_factor = 32"),
        ({"skip_connection": True}, "lacks the tensor 'W_skip'"),
        ({"center": True}, "the field 'center', which nbkit doesn't know"),
        ({"transcode": 1}, "transcode = 1"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_by_name(fields: dict[str, Any], match: str, tmp_path: Path) -> None:
    with pytest.raises(NbkitError, match=match):
        SparseAutoencoder.load(write(tmp_path, config(**fields), stored(weights())))


def test_a_skip_matrix_that_the_description_denies(tmp_path: Path) -> None:
    tensors = stored(weights()) | {"W_skip": random(D_IN, D_IN)}
    with pytest.raises(NbkitError, match="'W_skip'"):
        SparseAutoencoder.load(write(tmp_path, config(), tensors))


def test_saelens_has_no_topk_transcoder(tmp_path: Path) -> None:
    sae = SparseAutoencoder.load(write(tmp_path, config(transcode=True), stored(weights())))
    with pytest.raises(NbkitError, match=r"SAELens .* has no topk transcoder"):
        sae.save(tmp_path / "new", format="saelens")
