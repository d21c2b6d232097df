"""Which reader opens what, weights without a description, and contradictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from nbkit.errors import NbkitError
from nbkit.sae.autoencoder import SparseAutoencoder
from tests.examples.foreign_saes import (
    D_IN,
    D_OUT,
    D_SAE,
    K,
    check,
    config_3,
    config_6,
    inputs,
    reference,
    weights,
    write_folder,
)
from tests.sae.foreign import test_sparsify as sparsify

load = SparseAutoencoder.load


@pytest.mark.parametrize("d_out", [D_IN, D_OUT])
def test_a_sequence_of_two_layers_runs_as_it_does_by_itself(d_out: int, tmp_path: Path) -> None:
    w = weights(d_out)
    layers = torch.nn.Sequential(torch.nn.Linear(D_IN, D_SAE), torch.nn.ReLU(), torch.nn.Linear(D_SAE, d_out))
    layers.load_state_dict(
        {"0.weight": w["W_enc"].T, "0.bias": w["b_enc"], "2.weight": w["W_dec"].T, "2.bias": w["b_dec"]}
    )
    torch.save(layers.state_dict(), tmp_path / "layers.pt")
    sae = load(tmp_path / "layers.pt")
    with torch.no_grad():
        check(sae, inputs(), (layers[:2](inputs()).double(), layers(inputs()).double()))
    assert sae.d_out == d_out


@pytest.mark.parametrize("d_out", [D_IN, D_OUT])
def test_two_numbered_layers_are_the_papers(d_out: int, tmp_path: Path) -> None:
    w = weights(d_out)
    stored = {"0.weight": w["W_enc"].T, "0.bias": w["b_enc"], "1.weight": w["W_dec"].T, "1.bias": w["b_dec"]}
    torch.save(stored, tmp_path / "sae.pt")
    check(load(tmp_path / "sae.pt"), inputs(), reference(inputs(), w, subtract=d_out == D_IN))
    check(load(tmp_path / "sae.pt", "topk", K), inputs(), reference(inputs(), w, "topk", subtract=d_out == D_IN))


def test_a_folder_of_ours_and_one_of_sparsify_are_told_apart(tmp_path: Path) -> None:
    SparseAutoencoder(D_IN, D_SAE, "topk", K, seed=5).save(tmp_path)
    assert (tmp_path / "sae.safetensors").is_file()
    assert torch.equal(load(tmp_path).w_enc, SparseAutoencoder(D_IN, D_SAE, "topk", K, seed=5).w_enc)
    assert torch.equal(load(tmp_path / "sae.safetensors").w_enc, load(tmp_path).w_enc)


def test_a_folder_written_in_both_formats_is_of_the_last(tmp_path: Path) -> None:
    SparseAutoencoder(D_IN, D_SAE, "topk", K, seed=5).save(tmp_path)
    SparseAutoencoder(D_IN, D_SAE, "topk", K, seed=6).save(tmp_path, format="saelens")
    assert torch.equal(load(tmp_path).w_enc, SparseAutoencoder(D_IN, D_SAE, "topk", K, seed=6).w_enc)
    SparseAutoencoder(D_IN, D_SAE, "topk", K, seed=7).save(tmp_path)
    assert torch.equal(load(tmp_path).w_enc, SparseAutoencoder(D_IN, D_SAE, "topk", K, seed=7).w_enc)


def test_arguments_that_contradict_the_description(tmp_path: Path) -> None:
    write_folder(tmp_path, config_6("topk", k=K), weights())
    check(load(tmp_path, "topk", K), inputs(), reference(inputs(), weights(), "topk"))
    with pytest.raises(NbkitError, match="says activation = 'topk', and 'relu' was given"):
        load(tmp_path, "relu")
    with pytest.raises(NbkitError, match="says k = 3, and 4 was given"):
        load(tmp_path / "sae_weights.safetensors", k=4)


def test_a_description_of_something_else(tmp_path: Path) -> None:
    torch.save(weights(), tmp_path / "sae.pt")
    assert load(tmp_path / "sae.pt").d_sae == D_SAE
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2", "n_layer": 12}))
    with pytest.raises(NbkitError, match=r"config\.json doesn't describe a sparse autoencoder that nbkit knows"):
        load(tmp_path / "sae.pt")
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(NbkitError, match="is no JSON object"):
        load(tmp_path / "sae.pt")


@pytest.mark.parametrize("name", ["hyperparams.json", "conf.yaml", "sae.json", "config.yaml"])
def test_a_description_that_cannot_be_read_is_not_ignored(name: str, tmp_path: Path) -> None:
    torch.save(weights(), tmp_path / "sae.pt")
    (tmp_path / name).write_text("{}")
    with pytest.raises(NbkitError, match=rf"{name} may describe sae\.pt, and nbkit can't read it"):
        load(tmp_path / "sae.pt")


def test_the_description_of_a_checkpoint_lies_one_step_up(tmp_path: Path) -> None:
    w = weights()
    tensors = {
        "encoder.weight": w["W_enc"].T,
        "encoder.bias": w["b_enc"],
        "decoder.weight": w["W_dec"].T,
        "decoder.bias": w["b_dec"],
    }
    (tmp_path / "checkpoints").mkdir()
    torch.save(tensors, tmp_path / "checkpoints" / "ae_1000.pt")
    trainer = {"dict_class": "AutoEncoderNew", "activation_dim": D_IN, "dict_size": D_SAE}
    (tmp_path / "config.json").write_text(json.dumps({"trainer": trainer}))
    wanted = reference(inputs(), w, subtract=False)
    check(load(tmp_path / "checkpoints" / "ae_1000.pt"), inputs(), wanted)


def test_a_description_named_after_the_weights(tmp_path: Path) -> None:
    """Neel Nanda's, and those of hook_z that followed."""
    torch.save(weights(), tmp_path / "25.pt")
    config = {"act_size": D_IN, "dict_size": D_SAE, "act_name": "blocks.5.attn.hook_z", "l1_coeff": 3e-4, "seed": 49}
    (tmp_path / "25_cfg.json").write_text(json.dumps(config))
    z, out = reference(inputs(), weights())
    check(load(tmp_path / "25.pt"), inputs().view(-1, 2, 3), (z, out.view(-1, 2, 3)))
    for odd, match in (({"act_size": 7}, "act_size = 7"), ({"tied": True}, "the field 'tied'")):
        (tmp_path / "25_cfg.json").write_text(json.dumps(config | odd))
        with pytest.raises(NbkitError, match=match):
            load(tmp_path / "25.pt")


ODD = (None, True, 0, -1, 1.5, float("nan"), 10**30, "", "x" * 300, "\x1b[31m", [], [[1]], {}, {"k": 3}, "layer_norm")


@pytest.mark.parametrize(
    "config", [config_3(activation_fn_str="topk", activation_fn_kwargs={"k": K}), sparsify.config()]
)
def test_odd_values_are_obeyed_or_refused_in_one_sentence(config: dict[str, Any], tmp_path: Path) -> None:
    theirs = "hook_name" not in config
    tensors = sparsify.stored(weights()) if theirs else weights()
    write_folder(tmp_path, config, tensors, "sae.safetensors" if theirs else "sae_weights.safetensors")
    n_refused = 0
    for name in (*config, "sae", "metadata", "schema", "trainer", "act_size"):
        for value in ODD:
            (tmp_path / "cfg.json").write_text(json.dumps(config | {name: value}))
            try:
                load(tmp_path)(inputs())
            except NbkitError as error:
                message = str(error).replace(str(tmp_path), "")
                assert len(message) <= 300 and "\n" not in message and "\x1b" not in message
                n_refused += 1
    assert n_refused > 100


def test_sparse_tensors(tmp_path: Path) -> None:
    w = weights()
    torch.save({**w, "W_enc": w["W_enc"].to_sparse()}, tmp_path / "sae.pt")
    with pytest.raises(NbkitError, match="'W_enc' is no plain tensor of real numbers"):
        load(tmp_path / "sae.pt")


def test_loaded_weights_do_not_hang_on_their_file(tmp_path: Path) -> None:
    SparseAutoencoder(D_IN, D_SAE).save(tmp_path)
    sae = load(tmp_path)
    before = sae.w_enc.detach().clone()
    (tmp_path / "sae.safetensors").write_bytes(bytes((tmp_path / "sae.safetensors").stat().st_size))
    assert torch.equal(sae.w_enc, before)


def test_a_description_without_weights(tmp_path: Path) -> None:
    (tmp_path / "cfg.json").write_text(json.dumps(config_6("standard")))
    with pytest.raises(NbkitError, match=r"has none of sae_weights\.safetensors"):
        load(tmp_path)


def test_a_threshold_without_a_description_is_not_ignored(tmp_path: Path) -> None:
    torch.save(weights() | {"threshold": torch.ones(D_SAE)}, tmp_path / "sae.pt")
    with pytest.raises(NbkitError, match="has besides those of a sparse autoencoder the tensor 'threshold'"):
        load(tmp_path / "sae.pt")
    torch.save(weights(), tmp_path / "sae.pt")
    with pytest.raises(NbkitError, match="no description beside it, without which nbkit opens relu, topk"):
        load(tmp_path / "sae.pt", "jumprelu")


def test_tensors_that_do_not_fit_each_other(tmp_path: Path) -> None:
    config = config_6("topk", k=K, rescale_acts_by_decoder_norm=True)
    write_folder(tmp_path, config, weights() | {"W_dec": torch.ones(D_SAE + 1, D_IN)})
    with pytest.raises(NbkitError, match="its tensors don't fit each other"):
        load(tmp_path)
    save_file({name: tensor.to(torch.int8) for name, tensor in weights().items()}, tmp_path / "sae_weights.safetensors")
    (tmp_path / "cfg.json").unlink()
    with pytest.raises(NbkitError, match=r"w_enc holds torch\.int8"):
        load(tmp_path / "sae_weights.safetensors")
