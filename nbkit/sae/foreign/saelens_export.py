"""A folder that SAELens opens."""

from __future__ import annotations

from pathlib import Path

from nbkit.errors import NbkitError
from nbkit.files import write_json, write_tensors
from nbkit.method.checks import shown
from nbkit.sae.autoencoder_parts import Found
from nbkit.sae.foreign.saelens import GATED, SAELENS_DTYPES, SAELENS_WEIGHTS
from nbkit.sae.foreign.weights import SAELENS
from nbkit.sae.hooks import PROCESSED_HOOK, Hooks, after_rewriting

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
PROCESSING = ("fold_ln", "center_writing_weights", "center_unembed", "fold_value_biases")
"""What TransformerLens does to weights unless it is told otherwise, as SAELens tells it."""


def write_saelens(found: Found, folder: Path) -> None:
    """Writes `cfg.json` and `sae_weights.safetensors`, each whole or not at all.

    Raises:
        NbkitError: SAELens has no such architecture or hook points, or the folder can't be written.
    """
    a, tensors, hooks = found
    transcoder = a.d_out is not None
    kind = ARCHITECTURES.get((a.activation, transcoder, a.skip))
    if kind is None:
        what = (
            f"{a.activation} {'transcoder' if transcoder else 'autoencoder'}{' with a skip matrix' if a.skip else ''}"
        )
        raise NbkitError(f"SAELens {SAELENS_VERSION} has no {what}: save it in nbkit's own format.")
    if a.reshape_activations == "hook_z" and not (hooks.read or "_z").endswith("_z"):
        raise NbkitError(
            f"SAELens {SAELENS_VERSION} reads all heads of attention only at a hook point whose name ends in _z, and "
            f"hook is {shown(hooks.read)}: set it to that of hook_z, or save in nbkit's own format."
        )
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
    metadata |= _places(hooks)
    config = {
        "architecture": kind,
        "d_in": a.d_in,
        "d_sae": a.d_sae,
        "dtype": next(name for name, dtype in SAELENS_DTYPES.items() if dtype == tensors["w_enc"].dtype),
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


def _places(hooks: Hooks) -> dict[str, object]:
    """The hook points, and what TransformerLens is told to do to the weights.

    Raises:
        NbkitError: SAELens can't tell them, as of two that are not in one model.
    """
    said = {name: hook for name, hook in (("hook_name", hooks.read), ("hook_name_out", hooks.predicted)) if hook}
    if not said:
        return {}
    plain = {name: hook.removesuffix(PROCESSED_HOOK) for name, hook in said.items()}
    if plain == said:
        return {**said, "model_from_pretrained_kwargs": {}}
    for name, hook in said.items():
        if after_rewriting(plain[name], centered=True) != hook:
            raise NbkitError(
                f"SAELens {SAELENS_VERSION} can't tell that {shown(hook)} is a hook point in a model some of whose "
                "vectors are processed: save it in nbkit's own format."
            )
    return {**plain, "model_from_pretrained_kwargs": dict.fromkeys(PROCESSING, True)}
