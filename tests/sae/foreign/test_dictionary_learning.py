"""dictionary_learning's checkpoints: each of its classes, against references from the equations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from nbkit.errors import NbkitError
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.foreign.dictionary_learning import DICT_CLASSES
from tests.examples.foreign_saes import (
    D_IN,
    D_SAE,
    K,
    Weights,
    check,
    gates,
    inputs,
    reference,
    thresholds,
    weights,
)

load = SparseAutoencoder.load
W, G = weights(), gates()
LINEAR = {"encoder.weight": W["W_enc"].T, "encoder.bias": W["b_enc"], "decoder.weight": W["W_dec"].T}
KEPT = {"k": torch.tensor(K, dtype=torch.int32), "threshold": torch.tensor(0.6)}
CASES: dict[str, tuple[Weights, dict[str, Any]]] = {
    "AutoEncoder": ({**LINEAR, "bias": W["b_dec"]}, {}),
    "AutoEncoderNew": ({**LINEAR, "decoder.bias": W["b_dec"]}, {"subtract": False}),
    "AutoEncoderTopK": ({**LINEAR, "b_dec": W["b_dec"], **KEPT}, {"activation": "topk"}),
    "BatchTopKSAE": ({**LINEAR, "b_dec": W["b_dec"], **KEPT}, {"activation": "jumprelu", "threshold": 0.6}),
    "MatryoshkaBatchTopKSAE": (
        {**W, **KEPT, "group_sizes": torch.tensor([5, D_SAE - 5])},
        {"activation": "jumprelu", "threshold": 0.6},
    ),
    "JumpReluAutoEncoder": (
        {**W, "threshold": thresholds()},
        {"activation": "jumprelu", "threshold": thresholds().double(), "subtract": False},
    ),
    "GatedAutoEncoder": (
        {
            "encoder.weight": G["W_enc"].T,
            "gate_bias": G["b_gate"],
            "mag_bias": G["b_mag"],
            "r_mag": G["r_mag"],
            "decoder.weight": G["W_dec"].T,
            "decoder_bias": G["b_dec"],
        },
        {"activation": "gated"},
    ),
}


def write(folder: Path, name: str, tensors: Weights, **fields: object) -> Path:
    trainer = {
        "trainer_class": "Trainer",
        "dict_class": name,
        "activation_dim": D_IN,
        "dict_size": D_SAE,
        "lr": 1e-4,
        "layer": 3,
        "lm_name": "EleutherAI/pythia-70m-deduped",
        "submodule_name": "resid_post_layer_3",
        "device": "cuda:0",
        **({"k": K} if "TopK" in name else {}),
        **fields,
    }
    (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {"ctx_len": 128}}))
    torch.save({key: tensor.contiguous() for key, tensor in tensors.items()}, folder / "ae.pt")
    return folder


@pytest.mark.parametrize("name", CASES)
def test_every_class(name: str, tmp_path: Path) -> None:
    tensors, options = CASES[name]
    write(tmp_path, name, tensors)
    for place in (tmp_path, tmp_path / "ae.pt"):
        check(load(place), inputs(), reference(inputs(), G if name == "GatedAutoEncoder" else W, **options))
    assert set(CASES) == set(DICT_CLASSES)


def test_a_threshold_that_was_never_found_lets_all_positive_ones_pass(tmp_path: Path) -> None:
    tensors = {**CASES["BatchTopKSAE"][0], "threshold": torch.tensor(-1.0)}
    check(load(write(tmp_path, "BatchTopKSAE", tensors)), inputs(), reference(inputs(), W))


def test_an_autoencoder_tells_its_class_by_its_bias(tmp_path: Path) -> None:
    write(tmp_path, "AutoEncoder", CASES["AutoEncoder"][0])
    (tmp_path / "config.json").unlink()
    check(load(tmp_path / "ae.pt"), inputs(), reference(inputs(), W))


@pytest.mark.parametrize(
    ("name", "fields", "match"),
    [
        ("IdentityDict", {}, 'dict_class = "IdentityDict"'),
        ("AutoEncoder", {"activation_dim": 7}, "activation_dim = 7, and the weights beside it have 6"),
        ("AutoEncoder", {"dict_size": 21}, "dict_size = 21, and the weights beside it have 20"),
        ("AutoEncoder", {"k": K}, "k is 3"),
        ("AutoEncoderTopK", {"k": K + 1}, "k = 4, and the weights beside it have 3"),
        ("AutoEncoder", {"input_scale": 2.0}, "the field 'input_scale', which nbkit doesn't know"),
        ("AutoEncoderNew", {}, "the tensor 'bias'"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_by_name(
    name: str, fields: dict[str, Any], match: str, tmp_path: Path
) -> None:
    tensors = CASES["AutoEncoderTopK" if name == "AutoEncoderTopK" else "AutoEncoder"][0]
    with pytest.raises(NbkitError, match=match):
        load(write(tmp_path, name, tensors, **fields))
