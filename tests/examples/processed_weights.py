"""What TransformerLens has at its hook points in a model whose weights it has processed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedModel

from nbkit.corpora import Contexts
from tests.examples.tiny_models import make_tokenizer


def processed_vectors(
    network: PreTrainedModel, folder: Path, contexts: Contexts, **told: bool
) -> Callable[[str], Tensor]:
    """Gives, by a hook point's name, the vectors (n, t, width) of the text of some contexts.

    Args:
        folder: where the network is left for TransformerLens to open.
        told: what it shall not do to the weights.
    """
    network.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    bridge = TransformerBridge.boot_transformers(str(folder), device="cpu")
    bridge.enable_compatibility_mode(**told)
    with torch.inference_mode():
        _, cache = bridge.run_with_cache(torch.from_numpy(contexts.tokens).long())
    text = torch.from_numpy(~contexts.special)
    return lambda name: cache[name].flatten(2)[:, text]
