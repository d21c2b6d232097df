"""Every architecture against its own modules: vectors, sums, functions, examples, promoted tokens; or one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.errors import NbkitError
from nbkit.models import LanguageModel, activation_function, load_model
from nbkit.models.logits import direct_unembedding
from tests.examples.architectures import ARCHITECTURES, FUNCTIONS, REFUSED, Architecture, make_network
from tests.examples.tiny_models import make_tokenizer, random_contexts
from tests.models.test_logits import effects_of

CONTEXTS = random_contexts(5, 12, seed=3)
DTYPES = {"float32": (torch.float32, 1e-4), "bfloat16": (torch.bfloat16, 3e-2)}


def hooked(architecture: Architecture, network: Any) -> list[dict[str, Tensor]]:
    """For each block what its modules read and gave, in a plain forward pass."""
    blocks = network.get_submodule(architecture.blocks)
    found: list[dict[str, Tensor]] = [{} for _ in blocks]
    handles = []
    shape = CONTEXTS.tokens.shape
    for block, seen in zip(blocks, found, strict=True):
        for name in {architecture.reader, architecture.out, architecture.gate} - {None}:

            def note(_: Any, args: Any, output: Tensor, name: str = name, seen: dict[str, Tensor] = seen) -> None:  # type: ignore[assignment]
                seen[f"{name} in"], seen[f"{name} out"] = (
                    each.reshape(*shape, -1).clone() for each in (args[0], output)
                )

            handles.append(block.get_submodule(name).register_forward_hook(note))
    with torch.inference_mode():
        network(input_ids=torch.from_numpy(CONTEXTS.tokens).long())
    for handle in handles:
        handle.remove()
    return found


def half(values: Tensor, architecture: Architecture, part: int) -> Tensor:
    return values.chunk(2, -1)[part] if architecture.halves else values


def close(values: Tensor, expected: Tensor, tolerance: float) -> None:
    error = (values.float() - expected.float()).abs().max() / expected.float().abs().max()
    assert error <= tolerance, float(error)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda each: each.kind)
def test_what_is_found_is_what_the_model_computes(architecture: Architecture, dtype: str, tmp_path: Path) -> None:
    precision, tolerance = DTYPES[dtype]
    network = architecture.make().to(precision)
    model = load_model(network, tokenizer=make_tokenizer())
    network.set_attn_implementation(model.attention)
    expected = hooked(architecture, network)
    captured: list[tuple[Tensor, Tensor]] = []
    with model.captured([0, 1], lambda _, *both: captured.append((both[0].clone(), both[1].clone()))) as run:
        run(torch.from_numpy(CONTEXTS.tokens))
    assert (model.causal, model.gated) == (architecture.causal, architecture.gate is not None)
    for layer, (seen, (pre_mlp, activations)) in enumerate(zip(expected, captured, strict=True)):
        torch.testing.assert_close(pre_mlp, seen[f"{architecture.reader} in"])
        torch.testing.assert_close(activations, seen[f"{architecture.out} in"])
        weights, h = model.neuron_weights(layer), pre_mlp.float()
        embeddings = h[:, :, None] * weights.w_in
        close(embeddings.sum(-1) + weights.b_in, half(seen[f"{architecture.reader} out"], architecture, 1), tolerance)
        if weights.w_gate is not None and weights.b_gate is not None:
            gates = half(seen[f"{architecture.gate} out"], architecture, 0)
            close(h @ weights.w_gate.T + weights.b_gate, gates, tolerance)
    x = torch.linspace(-12, 12, 4001)
    close(activation_function(model.activation)(x), FUNCTIONS[architecture.function](x), 1e-6)
    check_examples(model, expected[1][f"{architecture.out} in"].float(), tmp_path)
    check_promoted(architecture, network, model)


def check_examples(model: LanguageModel, activations: Tensor, folder: Path) -> None:
    atlas = build_atlas(model, CONTEXTS, folder, AtlasConfig(layers=[1]), progress=False)
    peaks, positions = activations[:, 1:].max(1)
    for neuron in atlas.iterate(1):
        peak = peaks[:, neuron.index]
        examples = ((peak > 0) & (peak >= 0.75 * peak.max())).nonzero().flatten()
        assert neuron.context.tolist() == examples.tolist()
        np.testing.assert_array_equal(neuron.peak, peak[examples].numpy())
        np.testing.assert_array_equal(activations[examples, neuron.position, neuron.index].numpy(), neuron.peak)
        assert (neuron.position <= 1 + positions[examples, neuron.index].numpy()).all()  # the first that attains it


@torch.no_grad()
def check_promoted(architecture: Architecture, network: Any, model: LanguageModel) -> None:
    unembedding = direct_unembedding(model)
    if architecture.final is None:
        assert unembedding is None
        return
    assert unembedding is not None
    scale = getattr(network.get_submodule(architecture.final), "weight", None)
    scale = 1.0 if scale is None else scale.double() + architecture.offset
    head = network.get_output_embeddings().weight.double() * scale
    if architecture.norm == "layer":
        head -= head.mean(1, keepdim=True)
    for layer, block in enumerate(network.get_submodule(architecture.blocks)):
        out = block.get_submodule(architecture.out)
        written = out.weight.double() if isinstance(out, torch.nn.Linear) else out.weight.double().T
        if architecture.behind is not None:
            written = (block.get_submodule(architecture.behind).weight.double() + architecture.offset)[
                :, None
            ] * written
        effects = architecture.share * (head @ written).T  # (d_mlp, vocabulary)
        effects -= effects.mean(1, keepdim=True)
        found = effects_of(model, layer, unembedding)
        for name, largest in (("promoted", True), ("suppressed", False)):
            values, ids = effects.topk(10, largest=largest)
            torch.testing.assert_close(found[name].double(), values, rtol=1e-4, atol=1e-4)
            near = effects.gather(1, found[f"{name}_ids"].long())  # two tokens may be equal up to rounding
            torch.testing.assert_close(near, values, rtol=1e-4, atol=1e-4)
            assert (found[f"{name}_ids"] == ids).float().mean() > 0.99


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("kind", "config", "reason"), REFUSED, ids=[kind for kind, _, _ in REFUSED])
def test_the_rest_gets_one_sentence(kind: str, config: dict[str, Any], reason: str, dtype: str) -> None:
    with pytest.raises(NbkitError, match=reason) as error:
        load_model(make_network(kind, config).to(DTYPES[dtype][0]), tokenizer=make_tokenizer())
    assert len(str(error.value)) <= 300 and "\n" not in str(error.value)
