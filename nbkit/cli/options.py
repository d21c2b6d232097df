"""The options of the commands that make an atlas, and how the others are read."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from nbkit.corpora import CONTEXT_LIMIT
from nbkit.errors import NbkitError

if TYPE_CHECKING:
    import numpy as np

    from nbkit.atlas.config import AtlasConfig
    from nbkit.corpora import Contexts
    from nbkit.models.units import Units


@dataclass
class AtlasOptions:
    """What an atlas is made from, as the command line has it."""

    out: Annotated[Path, typer.Option(help="Folder of the atlas; an interrupted build goes on there.")]
    model: Annotated[
        str,
        typer.Option(
            help="smollm2-135m (SmolLM2-135M-Instruct, de-quantized from Q4_1), minilm (all-MiniLM-L6-v2), a hub id, "
            "or a Hugging Face folder."
        ),
    ] = "smollm2-135m"
    corpus: Annotated[
        str,
        typer.Option(
            help="brown, nlp-corpus, openwebtext, hf:<data set>[:<config>[:<split>]], or a file, folder or pattern of "
            ".txt, .md, .py, .jsonl, .json, .csv, .tsv or .parquet, each also .gz, .zst, .xz or .bz2."
        ),
    ] = "brown"
    field: Annotated[str, typer.Option(help="Column or field of the texts, where there are such.")] = "text"
    unique: Annotated[bool, typer.Option("--unique", help="Leave out contexts that repeat an earlier one.")] = False
    sae: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[HOOK=]SAE",
            help="Latents of this sparse autoencoder instead of neurons: a folder, a file or a hub id; with the hook "
            "point that it reads where its config doesn't tell. May be given several times, for a site each.",
        ),
    ] = None
    layers: Annotated[str, typer.Option(help="all, or numbers and ranges: 0,3,8-11.")] = "all"
    length: Annotated[int, typer.Option(help="Tokens in a context.")] = 128
    limit: Annotated[int, typer.Option(help="Contexts at most.")] = CONTEXT_LIMIT
    threshold: Annotated[float, typer.Option(help="Share of the maximum activation that an example reaches.")] = 0.75
    max_examples: Annotated[int, typer.Option(help="Examples of a neuron at most.")] = 100
    sign: Annotated[
        str, typer.Option(help="Which activations are looked for: positive (above zero), negative, or both.")
    ] = "positive"
    maxima: Annotated[
        Path | None, typer.Option(help="Maximum activations from a larger corpus, .npy (layers, neurons).")
    ] = None
    weights: Annotated[str, typer.Option(help="native, or folded with the layer norm.")] = "native"
    embedding: Annotated[
        str, typer.Option(help="auto (centered), paper (input, or gradient of gated neurons), gate or up.")
    ] = "auto"
    batch_size: Annotated[int, typer.Option(help="Contexts in a forward pass.")] = 16
    seed: Annotated[int, typer.Option(help="Seed of the shuffled-weights control.")] = 0
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto"
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, or another of PyTorch's.")] = "auto"
    device_map: Annotated[
        str | None,
        typer.Option(
            help="Spread a model that is larger than a device over GPUs, memory and disk: auto, balanced, "
            "balanced_low_0 or sequential, as in transformers."
        ),
    ] = None
    max_memory: Annotated[
        str | None, typer.Option(help="What a device map may fill: 0=20GiB,1=20GiB,cpu=100GiB, by GPU.")
    ] = None
    offload_folder: Annotated[
        Path | None, typer.Option(help="Where a device map keeps what it must write to disk.")
    ] = None

    def opened(self) -> tuple[Units, Contexts, Path, AtlasConfig, np.ndarray | None]:
        """The arguments of `build_atlas`.

        Raises:
            NbkitError: an option doesn't fit, or a model, a corpus or a file can't be opened.
        """
        from nbkit.atlas.build import checked_maxima
        from nbkit.atlas.build_folder import contexts_folder
        from nbkit.atlas.config import AtlasConfig
        from nbkit.corpora import load_contexts
        from nbkit.models import load_model
        from nbkit.models.neurons import units_of
        from nbkit.units.latents import sae_latents

        config = AtlasConfig(
            layers=parse_layers(self.layers),
            threshold=self.threshold,
            max_examples=self.max_examples,
            weights=self.weights,  # type: ignore[arg-type]  # AtlasConfig checks it
            embedding=self.embedding,  # type: ignore[arg-type]
            batch_size=self.batch_size,
            seed=self.seed,
            sign=self.sign,  # type: ignore[arg-type]
        )
        maxima = None if self.maxima is None else read_maxima(self.maxima)
        saes = parse_saes(self.sae or [])
        model = load_model(
            self.model,
            dtype=self.dtype,  # type: ignore[arg-type]
            device=self.device,
            device_map=self.device_map,
            max_memory=None if self.max_memory is None else parse_memory(self.max_memory),
            offload_folder=self.offload_folder,
        )
        units = units_of(sae_latents(model, saes) if saes else model, config.weights)
        config.resolved(units)  # what doesn't fit shows before the corpus is read
        checked_maxima(maxima, units)
        kept = contexts_folder(self.out)
        contexts = load_contexts(self.corpus, model, self.length, self.limit, self.field, self.unique, out=kept)
        return units, contexts, self.out, config, maxima


def with_atlas_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose first argument is `AtlasOptions`, as one that Typer gives all of these options."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    hints = get_type_hints(AtlasOptions, include_extras=True)
    shared = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
            annotation=hints[each.name],
        )
        for each in fields(AtlasOptions)
    ]

    def with_options(**given: Any) -> None:
        options = AtlasOptions(**{each.name: given.pop(each.name) for each in shared})
        command(options, **given)

    parameters = [*shared, *(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own)]
    with_options.__name__, with_options.__doc__ = command.__name__, command.__doc__
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_options


def parse_saes(given: Sequence[str]) -> list[str] | dict[str, str]:
    """Autoencoders as `sae_latents` takes them: with the hook point that stands before each, or without.

    Raises:
        NbkitError: some have one and some don't, or two have the same.
    """
    parts = [each.partition("=") for each in given]
    # No name of a hook point has a slash, and a path may hold an equals sign: ./a=b.
    placed = {hook: path for hook, equals, path in parts if equals and "/" not in hook}
    if not placed:
        return list(given)
    if len(placed) < len(given):
        raise NbkitError("--sae: give HOOK=SAE for each autoencoder, with other hook points, or for none of them")
    return placed


def parse_layers(text: str) -> Literal["all"] | tuple[int, ...]:
    """`all`, or the numbers of a list such as 0,3,8-11.

    Raises:
        NbkitError: if it is neither.
    """
    return "all" if text == "all" else parse_numbers("layers", text, "'all', or ")


def parse_numbers(name: str, text: str, others: str = "") -> tuple[int, ...]:
    """The numbers of a list such as 0,3,8-11.

    Args:
        name: of the option.
        others: what else can be given.

    Raises:
        NbkitError: if it is none.
    """
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", part.strip())
        if match is None:
            raise NbkitError(f"{name} is {text!r}: give {others}numbers and ranges such as 0,3,8-11")
        numbers += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(numbers)


def parse_memory(text: str) -> dict[int | str, int | str]:
    """The sizes of a list such as 0=20GiB,cpu=100GiB, by number of a GPU and `cpu`.

    Raises:
        NbkitError: if it is none.
    """
    found: dict[int | str, int | str] = {}
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,4}|cpu)=([0-9.]{1,9}[KMG]i?B)", part.strip())
        if match is None:
            raise NbkitError(f"max_memory is {text!r}: give sizes such as 0=20GiB,1=20GiB,cpu=100GiB")
        found["cpu" if match[1] == "cpu" else int(match[1])] = match[2]
    return found


def parse_blocks(text: str) -> slice:
    """The blocks of a range such as 0:40, which ends before 40, or 40: without an end.

    Raises:
        NbkitError: if it is none.
    """
    match = re.fullmatch(r"(\d{1,9})?:(\d{1,9})?", text.strip())
    first, end = (int(match[1] or 0), int(match[2]) if match[2] else None) if match else (0, 0)
    if end is not None and end <= first:
        raise NbkitError(f"blocks is {text!r}: give a range such as 0:40 for the first forty, or 40: from there on")
    return slice(first, end)


def read_maxima(path: Path) -> np.ndarray:
    """The array of a .npy file.

    Raises:
        NbkitError: if it can't be read; pickled objects are refused.
    """
    import numpy

    try:
        with path.open("rb") as file:
            table: np.ndarray = numpy.lib.format.read_array(file, allow_pickle=False)
        return table
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise NbkitError(
            f"can't read the maxima in {path} ({reason}): give a .npy file of (layers, neurons) numbers"
        ) from error
