"""Which tokens a neuron's activation depends on (Foote et al. 2023).

Each token of an example's window up to and including the key token is replaced by a mask token, one at a time. Its
importance is the share of the activation at the key token that is lost with it, 1 - masked / original, divided by the
largest of the window and clipped to [0, 1]; all are 0 if no replacement brings the activation nearer to zero.

- The text before the window stays as it is. So the original activation is the atlas's, and is checked to be.
- The *mask token* is the tokenizer's own if it has one, else an underscore, the blank of a cloze test, else the unknown
  token. (Leaving the token out would move all others.) <|endoftext|>, at hand in most tokenizers, won't do, since a
  model takes it for a break in the text wherever it stands: in layers 5 and 8 of SmolLM2 it moves the activation by 13%
  in the median if it replaces a token 8 or more before the key token, a blank, a comma, a newline or <|im_end|> by 2%.
- A token that the tokenizer added around the text (<s>, [CLS]) is never replaced: its importance is 0.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from tqdm.auto import tqdm

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.snippets import TOKENS_BEFORE
from nbkit.errors import NbkitError
from nbkit.features.replacements import PACKED, WHOLE_CONTEXTS, Example, Layout
from nbkit.features.table import features_of
from nbkit.method.checks import checked_whole, shown
from nbkit.models import LanguageModel
from nbkit.models.language_model import ALLOWED_ROUNDING
from nbkit.models.neurons import units_of
from nbkit.models.sign import strength
from nbkit.models.units import ModelUnits
from nbkit.models.values import Values
from nbkit.parallel.cluster import Crew, current_client

IMPORTANCE = "importance.safetensors"
BATCH_TOKENS = {"cpu": 4096, "cuda": 1 << 14}
"""Tokens in a forward pass, unless one example takes more: as a scan, a GPU wants larger ones."""


def token_importance(
    model: LanguageModel | ModelUnits, atlas: Atlas, layer: int, index: int, examples: Sequence[int]
) -> list[Float[np.ndarray, " window"]]:
    """Importance of the tokens of a neuron's examples.

    Args:
        model: the model, or the units of another kind, that the atlas was made with.
        examples: numbers of dataset examples.

    Returns:
        For each of them (key + 1,) values in [0, 1]: the tokens of its window up to and including the key token.

    Raises:
        NbkitError: no such neuron or example, or another model than the atlas's.
    """
    units = _checked(model, atlas)
    return _importance(units, atlas, examples_of(atlas, layer, index, examples), progress=False)


def keep_importance(
    model: LanguageModel | ModelUnits, atlas: Atlas, neurons: Sequence[tuple[int, int]], progress: bool = True
) -> None:
    """Computes the importance for the medoid of every feature of these neurons and keeps it in the atlas's folder.

    What is kept there already is not computed again.

    Args:
        model: the model, or the units of another kind, that the atlas was made with.
        neurons: (layer, index) pairs.

    Raises:
        NbkitError: no such neuron, another model than the atlas's, or the file can't be written.
    """
    units = _checked(model, atlas)
    kept = kept_importance(atlas)
    medoids: dict[tuple[int, int], list[int]] = {}
    for layer, index, medoid in features_of(atlas, progress)[["layer", "index", "medoid"]].to_numpy().tolist():
        medoids.setdefault((layer, index), []).append(medoid)
    missing: list[Example] = []
    try:
        pairs = dict.fromkeys((int(layer), int(index)) for layer, index in neurons)
    except (TypeError, ValueError) as error:
        raise NbkitError(f"neurons are {shown(neurons)}: give pairs of a layer and a number") from error
    for layer, index in pairs:
        numbers = [number for number in medoids.get((layer, index), []) if (layer, index, number) not in kept]
        missing += examples_of(atlas, layer, index, numbers)
    if missing:
        values = _importance(units, atlas, missing, progress)
        kept |= {(each.layer, each.index, each.number): value for each, value in zip(missing, values, strict=True)}
        names = sorted(kept)
        tensors = {
            "example": torch.tensor(names, dtype=torch.int32),
            "length": torch.tensor([len(kept[name]) for name in names], dtype=torch.int32),
            "importance": torch.from_numpy(np.concatenate([kept[name] for name in names])),
        }
        atlas.kept.keep_tensors(IMPORTANCE, tensors)


def kept_importance(atlas: Atlas) -> dict[tuple[int, int, int], Float[np.ndarray, " window"]]:
    """What `keep_importance` left in the atlas's folder, by layer, index and example; empty if it was never called."""
    tensors = atlas.kept.found_tensors(IMPORTANCE)
    if tensors is None:
        return {}
    values = np.split(tensors["importance"].numpy(), np.cumsum(tensors["length"].numpy())[:-1])
    names = tensors["example"].tolist()
    return {(layer, index, number): value for (layer, index, number), value in zip(names, values, strict=True)}


def mask_token(model: LanguageModel) -> int:
    """Id of the token that takes a replaced token's place."""
    tokenizer = model.tokenizer
    if tokenizer.mask_token_id is not None:
        return int(tokenizer.mask_token_id)
    names = tokenizer.get_vocab()
    for name in ("Ġ_", "▁_", "_"):  # with its space, where the vocabulary joins them
        if name in names:
            return int(names[name])
    if tokenizer.unk_token_id is not None:
        return int(tokenizer.unk_token_id)
    raise NbkitError(
        f"token importance of {model.name!r} needs a token that stands for nothing: its vocabulary has neither a mask "
        "token nor an underscore nor an unknown token"
    )


def batches(examples: Sequence[Example], layout: Layout, tokens: int) -> Iterator[list[int]]:
    """Numbers of the examples that go through the model together, in passes of at most some tokens, if they can.

    In the order of layers, since a pass ends at the deepest that is asked for, and within a layer of sizes, since
    sequences of a pass are padded to the longest.
    """
    batch: list[int] = []
    sizes = [layout.size(example) for example in examples]
    for number in sorted(range(len(examples)), key=lambda number: (examples[number].layer, sizes[number])):
        if batch and (len(batch) + 1) * max(sizes[number], *(sizes[each] for each in batch)) > tokens:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def examples_of(atlas: Atlas, layer: int, index: int, numbers: Sequence[int]) -> list[Example]:
    try:
        numbers = [checked_whole("an example's number", number) for number in numbers]
    except TypeError as error:
        raise NbkitError(f"examples are {shown(numbers)}: give the numbers of dataset examples") from error
    neuron = atlas.neuron(layer, index)
    first, end = len(atlas.manifest.added_before), atlas.manifest.length - len(atlas.manifest.added_after)
    examples = []
    for number in numbers:
        if not 0 <= number < len(neuron):
            raise NbkitError(f"{neuron.name} has no example {number}: it has {len(neuron)}, counted from 0")
        context, key = atlas.tokens[neuron.context[number]], int(neuron.position[number])
        window = np.arange(max(0, key - TOKENS_BEFORE), key + 1)
        replaced = window[(window >= first) & (window < end)]
        examples.append(Example(layer, index, number, float(neuron.peak[number]), context, key, replaced))
    return examples


def _importance(
    units: ModelUnits, atlas: Atlas, examples: Sequence[Example], progress: bool
) -> list[Float[np.ndarray, " window"]]:
    if not examples:
        return []
    layout = PACKED if _reads_packed(units, max(examples, key=PACKED.size)) else WHOLE_CONTEXTS
    importance: dict[int, np.ndarray] = {}
    with tqdm(total=len(examples), desc="token importance", unit="example", disable=not progress) as bar:
        for numbers, found in _passes(units, examples, layout):
            for number, activations in zip(numbers, found, strict=True):
                example = examples[number]
                _check_peak(units, atlas, example, activations)
                importance[number] = _share_lost(example, activations[:, 0])
            bar.update(len(numbers))
    return [importance[number] for number in range(len(examples))]


def _passes(
    units: ModelUnits, examples: Sequence[Example], layout: Layout
) -> Iterator[tuple[list[int], list[Float[np.ndarray, "1+variants 2"]]]]:
    """The numbers of the examples of each forward pass, here or on the workers of a cluster, and their
    `activations_of`."""
    tokens = BATCH_TOKENS.get(units.device.type, BATCH_TOKENS["cpu"])
    passes = {f"pass {place}": numbers for place, numbers in enumerate(batches(examples, layout, tokens))}
    if (client := current_client()) is None:
        for numbers in passes.values():
            yield numbers, activations_of(units, [examples[number] for number in numbers], layout)
        return
    tasks = {name: ([examples[number] for number in numbers], layout) for name, numbers in passes.items()}
    with Crew(client, units) as crew:
        for name, found in crew.each(activations_of, tasks):
            yield passes[name], found


def activations_of(
    units: ModelUnits, examples: Sequence[Example], layout: Layout
) -> list[Float[np.ndarray, "1+variants 2"]]:
    """For each example its neuron's activation at the key token, beside the largest of the layer there, without and
    with each replacement: one forward pass, up to the deepest layer."""
    model = units.model
    sequences = layout.lay(examples, mask_token(model), model.dtype)
    found: dict[int, np.ndarray] = {}

    def read(layer: int, _: torch.Tensor, values: Values) -> None:
        some = [number for number, example in enumerate(examples) if example.layer == layer]
        rows = [len(sequences.keys[number][0]) for number in some]
        places = np.concatenate([sequences.keys[number] for number in some], axis=1)
        at_key = values.at(*torch.from_numpy(places).to(model.device))
        index = torch.tensor(np.repeat([examples[number].index for number in some], rows), device=model.device)
        both = torch.stack([at_key.gather(1, index[:, None])[:, 0], at_key.abs().amax(1)], dim=1)
        found.update(zip(some, np.split(both.float().cpu().numpy(), np.cumsum(rows)[:-1]), strict=True))

    inputs = {name: tensor.to(model.device) for name, tensor in sequences.inputs.items()}
    with units.captured(sorted({example.layer for example in examples}), read) as run:
        run(sequences.tokens, **inputs)
    return [found[number] for number in range(len(examples))]


def _share_lost(example: Example, activations: Float[np.ndarray, " 1+variants"]) -> Float[np.ndarray, " window"]:
    start = max(0, example.key - TOKENS_BEFORE)
    importance = np.zeros(example.key + 1 - start, dtype=np.float32)
    lost = 1 - activations[1:] / activations[0]
    if lost.max(initial=0) > 0:
        importance[example.replaced - start] = np.clip(lost / lost.max(), 0, 1)
    return importance


def _reads_packed(units: ModelUnits, example: Example) -> bool:
    """Whether the model takes a 4-dimensional attention mask and position ids at their word.

    Tried on the longest example, since a model whose attention reaches only so far back may do so for short texts. Not
    on a GPU: there one row of a packed sequence came out otherwise than on a CPU, where both layouts agree.
    """
    model = units.model
    if model.device.type != "cpu" or not model.causal:
        return False
    if "position_ids" not in inspect.signature(model.network.forward).parameters:
        return False
    few = replace(example, replaced=example.replaced[:1])
    [packed], [whole] = (activations_of(units, [few], layout) for layout in (PACKED, WHOLE_CONTEXTS))
    return bool((np.abs(packed - whole)[:, 0] <= ALLOWED_ROUNDING[model.dtype] * whole[:, 1]).all())


def _checked(model: LanguageModel | ModelUnits, atlas: Atlas) -> ModelUnits:
    """The units, unless the atlas's numbers do not even fit them."""
    if not isinstance(model, LanguageModel | ModelUnits):
        raise NbkitError(
            f"model is of type {type(model).__name__}: give what nbkit.load_model or nbkit.sae_latents makes"
        )
    units, made = units_of(model, atlas.manifest.weights), atlas.manifest
    shapes = [
        {(site.number, site.unit, site.n_units, site.sha256) for site in sites} for sites in (made.sites, units.sites)
    ]
    fit = shapes[0] <= shapes[1] and len(units.sites) == made.n_sites
    if not fit or atlas.vocabulary["id"].max() >= units.model.d_vocabulary:
        raise NbkitError(
            f"model {units.model.name!r} has other layers, neurons or tokens than {made.model!r}, of which "
            f"{atlas.path} is an atlas: open that one"
        )
    return units


def _check_peak(
    units: ModelUnits, atlas: Atlas, example: Example, activations: Float[np.ndarray, "1+variants 2"]
) -> None:
    original, largest = activations[0].tolist()
    counts = strength(original, atlas.manifest.sign) > 0
    if not (
        counts and abs(original - example.peak) <= ALLOWED_ROUNDING[units.model.dtype] * largest
    ):  # NaN is an error
        name = atlas.manifest.site(example.layer).named(example.index)
        raise NbkitError(
            f"model {units.model.name!r} doesn't give the activations of atlas {atlas.path}: {name} is {original:.3g} "
            f"instead of {example.peak:.3g} at the key token of example {example.number}; open "
            f"{atlas.manifest.model!r} in {atlas.manifest.dtype}, which made it"
        )
