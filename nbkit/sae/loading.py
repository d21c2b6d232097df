"""Opening a sparse autoencoder and learning where in a language model its activations come from."""

from __future__ import annotations

from pathlib import Path

from nbkit.sae.architecture import AnyActivation
from nbkit.sae.autoencoder import SparseAutoencoder


def load_sae(
    path: str | Path, hook: str | None = None, activation: AnyActivation | None = None, k: int | None = None
) -> SparseAutoencoder:
    """Opens a sparse autoencoder or transcoder that nbkit saved or another code did; in its precision, on the CPU.

    - SAELens, any version: `cfg.json` and `sae_weights.safetensors`; standard, topk, batchtopk (matryoshka too),
      jumprelu and gated autoencoders, transcoders with and without a skip connection.
    - EleutherAI's sparsify: `cfg.json` and `sae.safetensors`; autoencoders and transcoders.
    - dictionary_learning: `config.json` and `ae.pt`; all its classes.
    - Neel Nanda's, and those that began as his: `25.pt` and `25_cfg.json`; only the file can be given.
    - Gemma Scope: `params.npz`, or `config.json` and `params.safetensors`. The first is a transcoder's if a folder
      above it is named so.
    - A file of weights alone (`.safetensors`, or a torch state dict): `encoder.weight`, `encoder.bias`,
      `decoder.weight`, `decoder.bias`, or `W_enc`, `b_enc`, `W_dec`, `b_dec`, or `0.weight`, `0.bias`, `1.weight`,
      `1.bias`, whose encoder subtracts `b_dec` from its input, as the paper's; or `0.weight`, `0.bias`, `2.weight`,
      `2.bias`, an `nn.Sequential` with an activation in the middle, whose encoder doesn't.

    A description that lies beside weights is obeyed, also when the file of the weights is given; what can't be obeyed
    is refused by the field's name. Code in a file never runs.

    `hook` of the result is where its activations come from, and `hook_out`, of a transcoder, where what it predicts is:
    from the description, or from the names of the folders, as sparsify and Gemma Scope choose them. Where
    TransformerLens rewrote the model's weights, as it always did for Neel Nanda's and for SAELens before 3.19.2, the
    name ends in `:processed`, and `LanguageModel.hook_point` gives the vectors of that model: in one with LayerNorms
    the residual stream, and what is added to it, minus its mean over coordinates. It is None if nothing says so, and
    if the vectors may be others still: if one head's slice was read, or `attn.hook_z` after rewriting.

    Args:
        path: the folder or the file of weights; or `owner/name`, `owner/name/sub/folder` on the Hugging Face hub,
            where `hf:owner/name` is never taken for a path. `NBKIT_OFFLINE` leaves the hub client's cache.
        hook: where the activations come from, if nothing says so: a name that `LanguageModel.hook_point` knows. Else it
            must agree with what is said.
        activation: of weights without a description, `relu` if none is given; else it must agree with that.
        k: likewise, for `topk` and `batch_topk`.

    Raises:
        NbkitError: there is nothing to read, it holds code, a description says what can't be obeyed or contradicts the
            weights or the arguments, or a tensor is missing, too many, of a wrong shape or not finite.
    """
    return SparseAutoencoder.load(path, activation, k, hook)
