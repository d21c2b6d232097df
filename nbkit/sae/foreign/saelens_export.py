"""A folder that SAELens opens."""

from __future__ import annotations

from pathlib import Path

from nbkit.errors import NbkitError
from nbkit.files import write_json, write_tensors
from nbkit.sae.foreign.saelens import DTYPES, GATED, SAELENS_WEIGHTS
from nbkit.sae.foreign.weights import SAELENS
from nbkit.sae.found import Found

SAELENS_VERSION = "6.54.12"
"""Whose format is written."""
ARCHITECTURES = {
    ("relu", False, False): "standard",
    ("topk", False, False): "topk",
    ("batch_topk", False, False): "jumprelu",  # as SAELens saves its own, with one threshold for all latents
    ("jumprelu", False, False): "jumprelu",
    ("gated", False, False): "gated",
    ("relu", True, False): "transcoder",
    ("relu", True, True): "skip_transcoder",
    ("jumprelu", True, False): "jumprelu_transcoder",
    ("jumprelu", True, True): "jumprelu_skip_transcoder",
}
"""By activation, whether it is a transcoder, and whether it has a skip connection."""


def write_saelens(found: Found, folder: Path) -> None:
    """Writes `cfg.json` and `sae_weights.safetensors`, each whole or not at all.

    Raises:
        NbkitError: SAELens has no such architecture, or the folder can't be written.
    """
    a, tensors, hooks = found
    transcoder = a.d_out is not None
    kind = ARCHITECTURES.get((a.activation, transcoder, a.skip))
    if kind is None:
        what = (
            f"{a.activation} {'transcoder' if transcoder else 'autoencoder'}{' with a skip matrix' if a.skip else ''}"
        )
        raise NbkitError(f"SAELens {SAELENS_VERSION} has no {what}: save it in nbkit's own format.")
    layout = dict(GATED if kind == "gated" else SAELENS)
    if kind.startswith("jumprelu"):
        layout["threshold"] = ("threshold", False)
    if a.skip:
        layout["W_skip"] = ("w_skip", True)
    weights = {}
    for name, (ours, transposed) in layout.items():
        tensor = tensors[ours].expand(a.d_sae) if ours == "threshold" else tensors[ours]
        weights[name] = (tensor.T if transposed else tensor).contiguous()
    metadata: dict[str, object] = {"sae_lens_version": SAELENS_VERSION, "sae_lens_training_version": None}
    metadata |= {name: hook for name, hook in (("hook_name", hooks.read), ("hook_name_out", hooks.predicted)) if hook}
    if hooks.read or hooks.predicted:
        metadata["model_from_pretrained_kwargs"] = {}  # TransformerLens leaves the weights as they are
    config = {
        "architecture": kind,
        "d_in": a.d_in,
        "d_sae": a.d_sae,
        "dtype": next(name for name, dtype in DTYPES.items() if dtype == tensors["w_enc"].dtype),
        "device": "cpu",
        "apply_b_dec_to_input": a.apply_b_dec_to_input,
        "normalize_activations": a.normalize_activations,
        "reshape_activations": a.reshape_activations,
        "metadata": metadata,
    }
    if kind == "topk":
        config |= {"k": a.k, "rescale_acts_by_decoder_norm": False}
    if transcoder:
        config["d_out"] = a.d_out
    write_tensors(weights, folder / SAELENS_WEIGHTS)
    write_json(config, folder / "cfg.json")
