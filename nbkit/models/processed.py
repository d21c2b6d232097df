"""What TransformerLens has at the hook points of a block in a model whose weights it has processed.

Processing leaves the logits as they are and changes vectors. Where LayerNorms read the residual stream, the mean over
coordinates is taken from all that embeddings and layers write to it; where RMSNorms do, nothing is. The layer norms'
scales and shifts are folded into the weights that read what they give.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import nn

from nbkit.errors import NbkitError
from nbkit.models.hook_points import Place
from nbkit.models.mlp import Mlp
from nbkit.models.norm import Norm, read_norm
from nbkit.models.trace import Trace

PROCESSED_END = ":processed"
"""End of the names of hook points in a model with processed weights."""
STREAM = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post")
"""Hook points whose vectors are the residual stream."""
ADDED_TO_STREAM = ("hook_attn_out", "hook_mlp_out")
"""Hook points whose vectors are added to it."""
_SAME = ("mlp.hook_post", "ln2.hook_normalized")
"""Hook points whose vectors processing doesn't change."""


def in_processed(
    where: str, traced: Trace, layer: int, mlp: Mlp, places: Mapping[str, Place], name: str
) -> tuple[str, bool]:
    """The hook point of the block whose vectors are those at another after processing, and whether the mean over
    coordinates is to be taken from them.

    Args:
        where: what messages call the hook point.
        traced: a forward pass of the model.
        places: what `find_places` found in the block.
        name: of a hook point among them.

    Raises:
        NbkitError: what is there after processing is not known.
    """
    if name in _SAME:
        return name, False
    if name == "mlp.hook_in" and "ln2.hook_normalized" in places:
        return "ln2.hook_normalized", False
    if name not in (*STREAM, *ADDED_TO_STREAM):
        raise NbkitError(f"{where}: {unknown()}")
    block, width = traced.blocks[layer].module, places[name].width
    readers = block.modules() if mlp.norm is None else [block.get_submodule(mlp.norm)]
    norms = _norms(readers, width)
    if norms and not any(norm.centered for norm in norms):
        return name, False
    writers = [
        block.get_submodule(places[each].module)
        for each in ADDED_TO_STREAM
        if each in places and name in (*STREAM, each)
    ]
    if name in STREAM:
        first = traced.blocks[0].order
        writers += [call.module for call in traced.around if call.order < first]
    if mlp.norm is None or not norms or "hook_mlp_out" not in places or _norms(writers, width):
        raise NbkitError(
            f"{where}: its residual stream is not one that only layer norms read and none writes to, so nbkit can't "
            "tell what TransformerLens has there after processing; use an autoencoder of unprocessed weights"
        )
    return name, True


def unknown() -> str:
    """Why a hook point is refused whatever the model."""
    known = ", ".join((*STREAM, *ADDED_TO_STREAM, "mlp.hook_in", *_SAME))
    return f"nbkit can't tell what TransformerLens has there after processing; it can for {known} of a block"


def _norms(modules: Iterable[nn.Module], width: int) -> list[Norm]:
    """The layer norms among some modules."""
    single = [module for module in modules if not any(True for _ in module.children())]
    return [norm for module in single if (norm := read_norm(module, width)) is not None]
