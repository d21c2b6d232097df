"""SAELens' folders: every architecture and field of every version, against references from the equations."""

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
    Weights,
    check,
    config_2,
    config_3,
    config_6,
    gates,
    inputs,
    random,
    reference,
    thresholds,
    weights,
    write_folder,
)

load = SparseAutoencoder.load
ARCHITECTURES: list[tuple[str, dict[str, Any], Weights]] = [
    ("standard", {}, weights()),
    ("topk", {"k": K, "rescale_acts_by_decoder_norm": False}, weights()),
    ("jumprelu", {}, weights() | {"threshold": thresholds()}),
    ("gated", {}, gates()),
]


def expected(architecture: str, tensors: Weights, h: torch.Tensor, subtract: bool) -> tuple[torch.Tensor, torch.Tensor]:
    activation = {"standard": "relu", "topk": "topk", "jumprelu": "jumprelu", "gated": "gated"}[architecture]
    options = {"threshold": tensors["threshold"].double()} if architecture == "jumprelu" else {}
    return reference(h, tensors, activation, subtract, **options)


@pytest.mark.parametrize("subtract", [True, False])
@pytest.mark.parametrize(("architecture", "fields", "tensors"), ARCHITECTURES)
def test_architectures(
    architecture: str, fields: dict[str, Any], tensors: Weights, subtract: bool, tmp_path: Path
) -> None:
    write_folder(tmp_path, config_6(architecture, apply_b_dec_to_input=subtract, **fields), tensors)
    save_file({"sparsity": torch.zeros(D_SAE)}, tmp_path / "sparsity.safetensors")
    wanted = expected(architecture, tensors, inputs(), subtract)
    check(load(tmp_path), inputs(), wanted)
    check(load(tmp_path / "sae_weights.safetensors"), inputs(), wanted)


@pytest.mark.parametrize("subtract", [True, False])
@pytest.mark.parametrize("kind", ["layer_norm", "constant_norm_rescale"])
@pytest.mark.parametrize(("architecture", "fields", "tensors"), ARCHITECTURES)
def test_normalized_inputs(
    architecture: str, fields: dict[str, Any], tensors: Weights, kind: str, subtract: bool, tmp_path: Path
) -> None:
    config = config_6(architecture, apply_b_dec_to_input=subtract, normalize_activations=kind, **fields)
    h = inputs().double()
    if kind == "layer_norm":
        mean = h.sum(1, keepdim=True) / D_IN
        scale = ((h - mean).square().sum(1, keepdim=True) / (D_IN - 1)).sqrt()
        read = (h - mean) / (scale + 1e-5)
    else:
        mean, scale = torch.zeros(len(h), 1), h.square().sum(1, keepdim=True).sqrt() / D_IN**0.5
        read = h / scale
    z, out = expected(architecture, tensors, read, subtract)
    sae = load(write_folder(tmp_path, config, tensors))
    check(sae, inputs(), (z, out * scale + mean))
    torch.testing.assert_close(sae.received(inputs()).double(), read, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        kept = sae.encode(inputs())
        assert torch.equal(sae.decode(kept), sae(inputs()).reconstruction)
        with pytest.raises(NbkitError, match="normalizes its input: give decode the activations too"):
            sae.decode(kept.clone())
        assert torch.equal(sae.decode(kept.clone(), inputs()), sae(inputs()).reconstruction)


def test_an_input_of_zeros_is_not_normalized(tmp_path: Path) -> None:
    config = config_6("standard", normalize_activations="constant_norm_rescale")
    z, out = load(write_folder(tmp_path, config, weights()))(torch.zeros(2, D_IN))
    assert bool(z.isfinite().all()) and bool(out.isfinite().all())


@pytest.mark.parametrize("architecture", ["topk", "batchtopk", "matryoshka_batchtopk"])
def test_rescaling_by_the_decoders_norms(architecture: str, tmp_path: Path) -> None:
    tensors = weights()
    fields: dict[str, Any] = {"k": K, "rescale_acts_by_decoder_norm": True}
    options: dict[str, Any] = {"activation": "topk"}
    if architecture != "topk":
        tensors["topk_threshold"] = torch.tensor(0.8)
        fields |= {"topk_threshold_lr": 0.01, "aux_loss_coefficient": 1.0, "decoder_init_norm": 0.1}
        options = {"activation": "jumprelu", "threshold": 0.8}
    if architecture.startswith("matryoshka"):
        fields |= {"matryoshka_widths": [5, D_SAE], "use_matryoshka_aux_loss": False}
    norms = tensors["W_dec"].square().sum(1).sqrt()
    scaled = {
        "W_enc": tensors["W_enc"] * norms,
        "b_enc": tensors["b_enc"] * norms,
        "W_dec": tensors["W_dec"] / norms[:, None],
        "b_dec": tensors["b_dec"],
    }
    sae = load(write_folder(tmp_path, config_6(architecture, **fields), tensors))
    check(sae, inputs(), reference(inputs(), scaled, **options))
    assert (sae.activation, sae.k) == ("topk" if architecture == "topk" else "batch_topk", K)


def test_batchtopk_of_a_fraction_of_a_latent_keeps_its_threshold(tmp_path: Path) -> None:
    tensors = weights() | {"topk_threshold": torch.tensor(0.8)}
    sae = load(write_folder(tmp_path, config_6("batchtopk", k=2.5), tensors))
    check(sae, inputs(), reference(inputs(), tensors, "jumprelu", threshold=0.8))


@pytest.mark.parametrize("d_out", [D_IN, D_OUT])
@pytest.mark.parametrize("jumprelu", [True, False])
@pytest.mark.parametrize("skip", [True, False])
def test_transcoders(skip: bool, jumprelu: bool, d_out: int, tmp_path: Path) -> None:
    name = "_".join([*["jumprelu"] * jumprelu, *["skip"] * skip, "transcoder"])
    tensors, options = weights(d_out), {"threshold": thresholds().double()} if jumprelu else {}
    z, out = reference(inputs(), tensors, "jumprelu" if jumprelu else "relu", subtract=False, **options)
    if jumprelu:
        tensors["threshold"] = thresholds()
    if skip:
        tensors["W_skip"] = random(d_out, D_IN, seed=8)
        out = out + torch.stack([tensors["W_skip"].double() @ x for x in inputs().double()])
    sae = load(write_folder(tmp_path, config_6(name, d_out=d_out), tensors))
    check(sae, inputs(), (z, out))
    assert sae.d_out == d_out


def test_a_transcoders_output_keeps_its_scale(tmp_path: Path) -> None:
    config = config_6("transcoder", d_out=D_OUT, normalize_activations="constant_norm_rescale")
    read = inputs() / inputs().square().mean(1, keepdim=True).sqrt()
    wanted = reference(read, weights(D_OUT), subtract=False)
    check(load(write_folder(tmp_path, config, weights(D_OUT))), inputs(), wanted)


@pytest.mark.parametrize("config", [config_2(), config_3(), config_3(activation_fn_str=None, activation_fn="relu")])
def test_earlier_versions(config: dict[str, Any], tmp_path: Path) -> None:
    check(load(write_folder(tmp_path, config, weights())), inputs(), reference(inputs(), weights()))


@pytest.mark.parametrize("name", ["activation_fn", "activation_fn_str"])
def test_earlier_versions_name_topk_apart_from_the_architecture(name: str, tmp_path: Path) -> None:
    fields = {"activation_fn_str": None, name: "topk", "activation_fn_kwargs": {"k": K}}
    sae = load(write_folder(tmp_path, config_3(**fields), weights()))
    check(sae, inputs(), reference(inputs(), weights(), "topk"))


@pytest.mark.parametrize("config", [config_2(), config_3(finetuning_scaling_factor=True)])
def test_scaling_factors_are_of_the_latents_output(config: dict[str, Any], tmp_path: Path) -> None:
    tensors, factor = weights(), random(D_SAE, seed=9)
    name = "finetuning_scaling_factor" if "finetuning_scaling_factor" in config else "scaling_factor"
    z, _ = reference(inputs(), tensors)
    out = torch.stack([(row * factor) @ tensors["W_dec"].double() + tensors["b_dec"] for row in z])
    check(load(write_folder(tmp_path / "a", config, tensors | {name: factor})), inputs(), (z, out))
    ones = tensors | {"scaling_factor": torch.ones(D_SAE)}
    check(load(write_folder(tmp_path / "b", config_3(), ones)), inputs(), reference(inputs(), tensors))


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("value", [True, "expected_average_only_in"])
def test_the_scale_of_an_unfinished_training(value: object, beside: bool, tmp_path: Path) -> None:
    fields = {} if beside else {"norm_scaling_factor": 0.4}
    write_folder(tmp_path, config_3(normalize_activations=value, **fields), weights())
    if beside:
        with pytest.raises(NbkitError, match=r"normalize_activations = .* the factor that its training found isn't in"):
            load(tmp_path)
        (tmp_path / "activation_scaler.json").write_text(json.dumps({"scaling_factor": 0.4}))
    z, out = reference(0.4 * inputs(), weights())
    check(load(tmp_path), inputs(), (z, out / 0.4))


@pytest.mark.parametrize("architecture", ["topk", "batchtopk"])
def test_an_unfinished_training_has_the_latents_of_its_end(architecture: str, tmp_path: Path) -> None:
    """SAELens takes the scale into the weights first, and divides a threshold by it, and the norms after that."""
    tensors, scale = weights(), 0.4
    if architecture == "batchtopk":
        tensors["topk_threshold"] = torch.tensor(0.8)
    fields = {"k": K, "normalize_activations": "expected_average_only_in", "norm_scaling_factor": scale}
    sae = load(write_folder(tmp_path, config_6(architecture, rescale_acts_by_decoder_norm=True, **fields), tensors))
    scaled = tensors | {name: tensors[name] / scale for name in ("W_dec", "b_dec")}
    norms = scaled["W_dec"].square().sum(1).sqrt()
    end = {
        "W_enc": tensors["W_enc"] * scale * norms,
        "b_enc": tensors["b_enc"] * norms,
        "W_dec": scaled["W_dec"] / norms[:, None],
        "b_dec": scaled["b_dec"],
    }
    options = {"activation": "topk"} if architecture == "topk" else {"activation": "jumprelu", "threshold": 0.8 / scale}
    check(sae, inputs(), reference(inputs(), end, **options))


@pytest.mark.parametrize("subtract", [True, False])
@pytest.mark.parametrize(("architecture", "fields", "tensors"), ARCHITECTURES)
def test_whitened_activations(
    architecture: str, fields: dict[str, Any], tensors: Weights, subtract: bool, tmp_path: Path
) -> None:
    kind = "covariance_whitening"
    config = config_6(architecture, apply_b_dec_to_input=subtract, normalize_activations=kind, **fields)
    write_folder(tmp_path, config, tensors)
    with pytest.raises(NbkitError, match=r"covariance_whitening.*there is no activation_whitening\.safetensors"):
        load(tmp_path)
    mean, matrix = random(D_IN, seed=10), torch.eye(D_IN) + 0.2 * random(D_IN, D_IN, seed=11)
    whitening = {"mean": mean, "matrix": matrix, "inverse_matrix": torch.linalg.inv(matrix).contiguous()}
    save_file(whitening, tmp_path / "activation_whitening.safetensors")
    z, out = expected(architecture, tensors, (inputs().double() - mean) @ matrix.double(), subtract)
    check(load(tmp_path), inputs(), (z, out @ torch.linalg.inv(matrix.double()) + mean))


@pytest.mark.parametrize(
    "config",
    [
        config_6("standard", reshape_activations="hook_z"),
        config_3(hook_name="blocks.1.attn.hook_z"),
        config_2(hook_point="blocks.1.attn.hook_z"),
    ],
)
def test_the_heads_of_an_attention_layer_are_read_together(config: dict[str, Any], tmp_path: Path) -> None:
    sae = load(write_folder(tmp_path, config, weights()))
    z, out = reference(inputs(), weights())
    check(sae, inputs(), (z, out))
    check(sae, inputs().view(-1, 3, 2), (z, out.view(-1, 3, 2)))
    with pytest.raises(NbkitError, match=r"shape \(30, 2, 2\)"):
        sae(torch.zeros(30, 2, 2))


def test_version_6_says_itself_whether_it_reshapes(tmp_path: Path) -> None:
    metadata = {"sae_lens_version": "6.1.0", "hook_name": "blocks.1.attn.hook_z"}
    config = config_6("standard", metadata=metadata)
    del config["reshape_activations"]
    with pytest.raises(NbkitError, match="shape"):
        load(write_folder(tmp_path, config, weights()))(inputs().view(-1, 3, 2))


def test_a_runners_description_holds_the_autoencoders(tmp_path: Path) -> None:
    inner = config_6("topk", k=K)
    config = {"model_name": "gpt2", "lr": 1e-4, "logger": {"log_to_wandb": False}, "sae": inner}
    sae = load(write_folder(tmp_path, config, weights()))
    check(sae, inputs(), reference(inputs(), weights(), "topk"))


@pytest.mark.parametrize("dtype", ["bfloat16", "torch.float16", "float64"])
def test_the_precision_is_that_of_the_description(dtype: str, tmp_path: Path) -> None:
    sae = load(write_folder(tmp_path, config_3(dtype=dtype), weights()))
    assert str(sae.w_enc.dtype) == "torch." + dtype.removeprefix("torch.")
    assert sae(inputs()).latents.dtype == sae.w_enc.dtype


BAD: list[tuple[dict[str, Any], str]] = [
    (config_6("abstopk", k=K), 'architecture = "abstopk"'),
    (config_6("temporal"), 'architecture = "temporal"'),
    (config_6("matching_pursuit"), 'architecture = "matching_pursuit"'),
    (config_6("standard", use_error_term=True), "has the field 'use_error_term', which nbkit doesn't know"),
    (config_6("topk"), "k = null"),
    (config_6("topk", k=0), "k = 0"),
    (config_6("topk", k="3"), 'k = "3"'),
    (config_6("topk", k=D_SAE + 1), "k is 21"),
    (config_6("standard", k=K), "k = 3"),
    (config_6("standard", d_in=D_IN + 1), r"d_in = 7, and the weights beside it have 6"),
    (config_6("standard", d_sae=2 * D_SAE), r"d_sae = 40, and the weights beside it have 20"),
    (config_6("standard", apply_b_dec_to_input="no"), 'apply_b_dec_to_input = "no"'),
    (config_6("standard", normalize_activations="per_token_rms"), 'normalize_activations = "per_token_rms"'),
    (config_6("standard", reshape_activations="hook_q"), 'reshape_activations = "hook_q"'),
    *(
        (config_6(name, rescale_acts_by_decoder_norm=True, **fields), "rescale_acts_by_decoder_norm = true")
        for name, fields in {"standard": {}, "transcoder": {"d_out": D_IN}}.items()
    ),
    (config_6("standard", dtype="float8"), 'dtype = "float8"'),
    (config_6("standard", input_shift=0.5), "has the field 'input_shift', which nbkit doesn't know"),
    (config_3(activation_fn_str="tanh-relu"), 'activation_fn_str = "tanh-relu"'),
    (config_3(activation_fn_str="topk", activation_fn_kwargs={"k": K, "signed": True}), "signed = true"),
    (config_3(activation_fn_str="topk", activation_fn_kwargs={"k": K, "postact_fn": "tanh"}), "field 'postact_fn'"),
    (config_3(activation_fn_str="topk", activation_fn_kwargs={"k": K}, k=K + 1), "k = 4"),
    (config_3(activation_fn_str="topk", activation_fn="relu"), "activation_fn"),
    (config_3(architecture="gated", activation_fn_str="topk"), 'activation_fn_str = "topk"'),
    (config_6("transcoder", apply_b_dec_to_input=True, d_out=D_IN), "apply_b_dec_to_input = true"),
    (config_6("transcoder", d_out=D_OUT), "d_out = 4, and the weights beside it have 6"),
    (config_6("transcoder", d_out=D_IN, normalize_activations="expected_average_only_in"), "normalize_activations"),
    (config_6("skip_transcoder", d_out=D_IN), "lacks the tensor 'W_skip'"),
    (config_6("jumprelu"), "lacks the tensor 'threshold'"),
    (config_6("batchtopk", k=K), "lacks the tensor 'threshold'"),
    (config_6("gated"), "the tensor 'b_enc'"),
]


@pytest.mark.parametrize(("config", "match"), BAD)
def test_what_cannot_be_obeyed_is_refused_by_name(config: dict[str, Any], match: str, tmp_path: Path) -> None:
    write_folder(tmp_path, config, weights())
    for place in (tmp_path, tmp_path / "sae_weights.safetensors"):
        with pytest.raises(NbkitError, match=match):
            load(place)


@pytest.mark.parametrize("architecture", ["jumprelu", "jumprelu_transcoder"])
def test_thresholds_are_not_rescaled(architecture: str, tmp_path: Path) -> None:
    """SAELens has no such field there and overlooks it: nothing says which of the two the threshold is for."""
    config = config_6(architecture, rescale_acts_by_decoder_norm=True)
    with pytest.raises(NbkitError, match=rf"rescale_acts_by_decoder_norm = true.*the architecture is {architecture}$"):
        load(write_folder(tmp_path, config, weights() | {"threshold": thresholds()}))


def test_a_factor_that_the_description_denies(tmp_path: Path) -> None:
    tensors = weights() | {"scaling_factor": torch.full((D_SAE,), 2.0)}
    with pytest.raises(NbkitError, match="finetuning_scaling_factor = false"):
        load(write_folder(tmp_path, config_3(), tensors))


@pytest.mark.parametrize(("architecture", "fields", "tensors"), ARCHITECTURES)
def test_written_for_saelens_and_read_again(
    architecture: str, fields: dict[str, Any], tensors: Weights, tmp_path: Path
) -> None:
    config = config_6(architecture, apply_b_dec_to_input=False, normalize_activations="layer_norm", **fields)
    sae = load(write_folder(tmp_path / "theirs", config, tensors))
    sae.save(tmp_path / "ours", format="saelens")
    written = json.loads((tmp_path / "ours" / "cfg.json").read_text())
    assert {name: written[name] for name in config if name != "metadata"} == {
        name: value for name, value in config.items() if name != "metadata"
    }
    again = load(tmp_path / "ours")
    assert again.architecture == sae.architecture
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in sae.state_dict().items())


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("jumprelu", [True, False])
def test_transcoders_written_for_saelens(jumprelu: bool, skip: bool, tmp_path: Path) -> None:
    name = "_".join([*["jumprelu"] * jumprelu, *["skip"] * skip, "transcoder"])
    tensors = weights(D_OUT)
    if jumprelu:
        tensors["threshold"] = thresholds()
    if skip:
        tensors["W_skip"] = random(D_OUT, D_IN, seed=8)
    sae = load(write_folder(tmp_path / "theirs", config_6(name, d_out=D_OUT), tensors))
    sae.save(tmp_path / "ours", format="saelens")
    assert json.loads((tmp_path / "ours" / "cfg.json").read_text())["architecture"] == name
    assert torch.equal(load(tmp_path / "ours")(inputs()).reconstruction, sae(inputs()).reconstruction)


@pytest.mark.parametrize("architecture", ["topk", "batchtopk"])
def test_norms_are_in_the_weights_that_are_written(architecture: str, tmp_path: Path) -> None:
    tensors = weights() | ({"topk_threshold": torch.tensor(0.8)} if architecture == "batchtopk" else {})
    config = config_6(architecture, k=K, rescale_acts_by_decoder_norm=True)
    sae = load(write_folder(tmp_path / "theirs", config, tensors))
    sae.save(tmp_path / "ours", format="saelens")
    written = json.loads((tmp_path / "ours" / "cfg.json").read_text())
    assert not written.get("rescale_acts_by_decoder_norm", False)
    again = load(tmp_path / "ours")
    torch.testing.assert_close(again.w_dec.norm(dim=1), torch.ones(D_SAE))
    assert torch.equal(again(inputs()).latents, sae(inputs()).latents)


def test_all_heads_are_written_only_at_a_hook_that_saelens_opens(tmp_path: Path) -> None:
    sae = load(write_folder(tmp_path / "theirs", config_6("standard", reshape_activations="hook_z"), weights()))
    with pytest.raises(NbkitError, match=r"ends in _z, and hook is 'blocks\.1\.hook_resid_pre': set it to"):
        sae.save(tmp_path / "ours", format="saelens")
    assert not list((tmp_path / "ours").iterdir())
    for hook in ("blocks.1.attn.hook_z", None):
        sae.hook = hook
        sae.save(tmp_path / "ours", format="saelens")
        assert load(tmp_path / "ours").architecture.reshape_activations == "hook_z"


def test_batch_topk_is_written_as_saelens_writes_its_own(tmp_path: Path) -> None:
    sae = SparseAutoencoder(D_IN, D_SAE, "batch_topk", K)
    sae.threshold.fill_(0.3)
    sae.save(tmp_path, format="saelens")
    again = load(tmp_path)
    assert again.activation == "jumprelu" and again.threshold.tolist() == [sae.threshold.item()] * D_SAE
    assert torch.equal(again(inputs()).latents, sae(inputs()).latents)
