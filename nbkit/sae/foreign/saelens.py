"""SAELens, from its first version on: `cfg.json` and `sae_weights.safetensors`.

Before version 6 the fields of training, model and autoencoder lie side by side; since then what concerns the model is
in `metadata`, and a runner's in `sae`. What is constant in the equations is taken into the weights: scaling factors,
the decoder's norms (`rescale_acts_by_decoder_norm`), and the scale or whitening of the activations that an unfinished
training left beside its checkpoint.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.files import read_tensors
from nbkit.sae.architecture import AnyActivation, Architecture, Normalization, Reshaping
from nbkit.sae.autoencoder_parts import Found
from nbkit.sae.description import Description
from nbkit.sae.foreign.saelens_fields import SAELENS_IGNORED
from nbkit.sae.foreign.saelens_hooks import read_hooks
from nbkit.sae.foreign.weights import SAELENS, Layout, renamed

SAELENS_WEIGHTS = "sae_weights.safetensors"
ACTIVATION_OF: dict[str, AnyActivation] = {
    "standard": "relu",
    "topk": "topk",
    "batchtopk": "batch_topk",
    "matryoshka_batchtopk": "batch_topk",
    "jumprelu": "jumprelu",
    "gated": "gated",
    "transcoder": "relu",
    "skip_transcoder": "relu",
    "jumprelu_transcoder": "jumprelu",
    "jumprelu_skip_transcoder": "jumprelu",
}
SAELENS_DTYPES = {
    prefix + name: dtype
    for prefix in ("", "torch.")
    for name, dtype in {
        "float32": torch.float32,
        "float64": torch.float64,
        "float16": torch.float16,
        "bfloat16": torch.bfloat16,
    }.items()
}
GATED: Layout = {
    "W_enc": ("w_enc", False),
    "b_gate": ("b_gate", False),
    "b_mag": ("b_enc", False),
    "r_mag": ("r_mag", False),
    "W_dec": ("w_dec", False),
    "b_dec": ("b_dec", False),
}
SCALING_FACTORS = ("scaling_factor", "finetuning_scaling_factor")
THRESHOLD_NAMES = ("threshold", "log_threshold", "topk_threshold")


def read_saelens(description: Description, tensors: dict[str, Tensor], path: Path) -> Found:
    """Raises NbkitError for a field that can't be obeyed, is unknown, or contradicts the weights."""
    d, metadata = _flat(description)
    kind = d.choice("architecture", "standard", tuple(ACTIVATION_OF))
    activation, k = _activation(d, kind)
    transcoder = kind.endswith("transcoder")
    subtract = d.flag("apply_b_dec_to_input", default=not transcoder)
    if transcoder and subtract:
        raise d.refusal("apply_b_dec_to_input", subtract, "a transcoder's b_dec is of its output")
    hook = d.hook("hook_name") or d.hook("hook_point") or ""
    reshape = d.choice(
        "reshape_activations", "hook_z" if "hook_z" in hook else "none", ("none",) if transcoder else ("none", "hook_z")
    )
    hooks = read_hooks(d, metadata)
    dtype = d.choice("dtype", "float32", tuple(SAELENS_DTYPES)) if "dtype" in d.fields else None

    found = _renamed(d, dict(tensors), activation, "skip" in kind, path)
    d_in, d_sae = found["w_enc"].shape
    found = {name: tensor.to(_exact(tensor)) for name, tensor in found.items()}
    rescale = d.flag("rescale_acts_by_decoder_norm", default=False)
    if rescale and activation not in ("topk", "batch_topk"):
        raise d.refusal("rescale_acts_by_decoder_norm", rescale, f"the architecture is {kind}")
    if activation == "batch_topk" and (k is None or found["threshold"].ndim == 1):
        activation, k = "jumprelu", None  # what it computes once its threshold is known, and any k
    if activation == "jumprelu" and found["threshold"].ndim == 0:
        found["threshold"] = found["threshold"].expand(d_sae).contiguous()
    d.must_be("d_in", d_in)
    d.must_be("d_sae", d_sae)
    width = found["w_dec"].shape[1]
    d_out = width if transcoder else None
    if transcoder:
        d.must_be("d_out", width)
    if rescale:
        _fold_norms(found)
    normalize = _normalization(d, found, subtract, rescale, transcoder)
    d.finish(SAELENS_IGNORED)
    if dtype is not None:
        found = {name: tensor.to(SAELENS_DTYPES[dtype]) for name, tensor in found.items()}
    made = Architecture(
        d_in,
        d_sae,
        activation,
        k,
        d_out,
        apply_b_dec_to_input=subtract,
        normalize_activations=normalize,
        reshape_activations=cast(Reshaping, reshape),
        skip="skip" in kind,
    )
    return Found(made, found, hooks)


def _flat(description: Description) -> tuple[Description, Description]:
    """The fields of the autoencoder beside those around them, and the metadata, which don't enter any equation."""
    fields = dict(description.fields)
    metadata = fields.pop("metadata", None)
    inner = fields.pop("sae", None)
    if isinstance(inner, dict):
        inner = dict(inner)
        metadata = inner.pop("metadata", metadata)
        fields |= inner
    known = metadata if isinstance(metadata, dict) else {}
    version = str(fields.get("sae_lens_version") or known.get("sae_lens_version") or "0").split(".")[0]
    if version.isdigit() and int(version) >= 6:  # earlier ones left it to the hook's name
        fields.setdefault("reshape_activations", "none")
    return Description(fields, description.path), Description(known, description.path)


def _activation(d: Description, kind: str) -> tuple[AnyActivation, int | None]:
    """The activation of an architecture and its k; older versions name the function apart from the architecture."""
    known = ("relu", "topk") if kind in ("standard", "topk") else ("relu",)
    default = "topk" if kind == "topk" else "relu"
    names = [name for name in ("activation_fn", "activation_fn_str") if d.take(name) is not None]
    functions = {d.choice(name, default, known) for name in names} or {default}
    if len(functions) > 1:
        raise d.refusal("activation_fn", d.take("activation_fn"), "activation_fn_str says something else")
    arguments = d.inside("activation_fn_kwargs", {})
    if arguments.flag("signed", default=False):
        raise arguments.refusal("signed", True, "its latents are negative too")
    activation = ACTIVATION_OF[kind]
    if activation == "relu" and functions == {"topk"}:
        activation = "topk"
    elif activation == "topk" and names and functions == {"relu"}:
        raise d.refusal(names[0], "relu", "the architecture is topk")
    k = d.take("k")
    if activation == "batch_topk" and isinstance(k, float) and k > 0 and not k.is_integer():
        return activation, None
    found = {value for value in (d.size("k"), arguments.size("k")) if value is not None}
    arguments.finish(("use_sparse_activations",))
    if activation not in ("topk", "batch_topk"):
        if d.take("k") is not None:
            raise d.refusal("k", k, f"the architecture {kind} keeps every latent that passes")
        return activation, None
    if len(found) != 1:
        raise d.refusal("k", k, "activation_fn_kwargs has another" if found else "a number of latents is needed")
    return activation, found.pop()


def _renamed(
    d: Description, tensors: dict[str, Tensor], activation: AnyActivation, skip: bool, path: Path
) -> dict[str, Tensor]:
    """The tensors under our names, with scaling factors taken into the decoder."""
    scaled = d.flag("finetuning_scaling_factor", default=True)  # before version 3 there was none to say so
    factors = [tensors.pop(name) for name in SCALING_FACTORS if name in tensors]
    factors = [factor for factor in factors if not bool((factor == 1).all())]
    if factors and not scaled:
        raise d.refusal("finetuning_scaling_factor", scaled, f"{path.name} has a scaling factor that isn't 1")
    layout = dict(GATED if activation == "gated" else SAELENS)
    if activation in ("jumprelu", "batch_topk"):
        layout[next((name for name in THRESHOLD_NAMES if name in tensors), "threshold")] = ("threshold", False)
    if skip:
        layout["W_skip"] = ("w_skip", True)
    found = renamed(tensors, layout, path)
    if "log_threshold" in layout:
        found["threshold"] = found["threshold"].exp()
    found.setdefault("threshold", torch.zeros((), dtype=found["w_enc"].dtype))
    for factor in factors:
        if factor.shape not in ((), found["b_enc"].shape):
            raise NbkitError(f"{path}: the scaling factor has shape {tuple(factor.shape)}, and must be a vector")
        found["w_dec"] = found["w_dec"] * factor.reshape(-1, 1)
    return found


def _fold_norms(found: dict[str, Tensor]) -> None:
    """Latents times the norm of their decoder's row, whose direction is left: the same reconstruction."""
    norms = found["w_dec"].norm(dim=1)
    found["w_enc"] = found["w_enc"] * norms
    found["b_enc"] = found["b_enc"] * norms
    found["w_dec"] = found["w_dec"] / norms.where(norms > 0, 1)[:, None]


def _normalization(
    d: Description, found: dict[str, Tensor], subtract: bool, rescale: bool, transcoder: bool
) -> Normalization:
    """What is left to do for each input, after a scale or a whitening of all inputs is taken into the weights."""
    name = "normalize_activations"
    value = d.take(name, "none")
    if isinstance(value, bool):
        value = "expected_average_only_in" if value else "none"
    if value in ("none", "constant_norm_rescale", "layer_norm"):
        return cast(Normalization, value)
    if value not in ("expected_average_only_in", "covariance_whitening"):
        raise d.refusal(name, value, "nbkit doesn't know it")
    if transcoder:
        raise d.refusal(name, value, "a transcoder's output may have another scale")
    folder = d.path.parent
    if value == "covariance_whitening":
        _fold_whitening(d, found, subtract, folder / "activation_whitening.safetensors")
        return "none"
    scale = d.take("norm_scaling_factor")
    scaler = folder / "activation_scaler.json"
    if scale is None and scaler.is_file():
        scale = Description.read(scaler).take("scaling_factor")
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < float("inf"):
        raise d.refusal(name, value, "the factor that its training found isn't in the file")
    found["b_dec"] = found["b_dec"] / scale
    if rescale:  # the decoder's rows keep length 1, as in what SAELens saves at the end of the training
        found["b_enc"], found["threshold"] = found["b_enc"] / scale, found["threshold"] / scale
    else:
        found["w_enc"], found["w_dec"] = found["w_enc"] * scale, found["w_dec"] / scale
    return "none"


def _fold_whitening(d: Description, found: dict[str, Tensor], subtract: bool, path: Path) -> None:
    """z = (h - mean) @ matrix is read, and the output is brought back by the inverse matrix and the mean."""
    if not path.is_file():
        raise d.refusal("normalize_activations", "covariance_whitening", f"there is no {path.name} beside it")
    whitening = {name: tensor.to(_exact(tensor)) for name, tensor in read_tensors(path).items()}
    d_in = len(found["w_enc"])
    shapes = {name: tuple(tensor.shape) for name, tensor in whitening.items()}
    if shapes != {"mean": (d_in,), "matrix": (d_in, d_in), "inverse_matrix": (d_in, d_in)}:
        raise NbkitError(f"{path} needs a mean, a matrix and an inverse_matrix of {d_in} inputs")
    mean, matrix, inverse = (whitening[name] for name in ("mean", "matrix", "inverse_matrix"))
    found["w_enc"] = matrix.to(found["w_enc"]) @ found["w_enc"]
    if not subtract:  # else the new b_dec subtracts the mean
        shift = mean.to(found["w_enc"]) @ found["w_enc"]
        if "b_gate" in found:
            found["b_gate"] = found["b_gate"] - shift
            shift = shift * found["r_mag"].exp()
        found["b_enc"] = found["b_enc"] - shift
    found["w_dec"] = found["w_dec"] @ inverse.to(found["w_dec"])
    found["b_dec"] = found["b_dec"] @ inverse.to(found["b_dec"]) + mean.to(found["b_dec"])


def _exact(tensor: Tensor) -> torch.dtype:
    """The precision to compute in: float32, or the tensor's own if that is finer."""
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32
