"""The command line: `nbkit fetch`, `nbkit atlas`, `nbkit book`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import nbkit
from nbkit.corpora import CONTEXT_LIMIT
from nbkit.errors import NbkitError

if TYPE_CHECKING:
    import numpy as np

INTERRUPTED = 130
"""Typer's exit status for Ctrl-C."""

app = typer.Typer(
    help="Neuron embeddings: feature clusters of a language model's neurons, and the book about them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nbkit {nbkit.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Which version this is.")
    ] = False,
) -> None:
    pass


@app.command()
def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Assets; without a name all are listed.")] = None,
) -> None:
    """Download named assets into the cache (NBKIT_CACHE), each checked and fetched once."""
    from nbkit import assets

    if not names:
        typer.echo("\n".join(assets.describe()))
    for name in names or []:
        typer.echo(assets.fetch(name))


@app.command()
def atlas(
    out: Annotated[Path, typer.Option(help="Folder of the atlas; an interrupted build goes on there.")],
    model: Annotated[
        str,
        typer.Option(
            help="smollm2-135m (SmolLM2-135M-Instruct, de-quantized from Q4_1), a hub id, or a Hugging Face folder."
        ),
    ] = "smollm2-135m",
    corpus: Annotated[
        str,
        typer.Option(
            help="brown, nlp-corpus, openwebtext, hf:<data set>[:<config>[:<split>]], or a file, folder or pattern of "
            ".txt, .md, .py, .jsonl, .json, .csv, .tsv or .parquet, each also .gz, .zst, .xz or .bz2."
        ),
    ] = "brown",
    field: Annotated[str, typer.Option(help="Column or field of the texts, where there are such.")] = "text",
    unique: Annotated[bool, typer.Option("--unique", help="Leave out contexts that repeat an earlier one.")] = False,
    layers: Annotated[str, typer.Option(help="all, or numbers and ranges: 0,3,8-11.")] = "all",
    length: Annotated[int, typer.Option(help="Tokens in a context.")] = 128,
    limit: Annotated[int, typer.Option(help="Contexts at most.")] = CONTEXT_LIMIT,
    threshold: Annotated[float, typer.Option(help="Share of the maximum activation that an example reaches.")] = 0.75,
    max_examples: Annotated[int, typer.Option(help="Examples of a neuron at most.")] = 100,
    maxima: Annotated[
        Path | None, typer.Option(help="Maximum activations from a larger corpus, .npy (layers, neurons).")
    ] = None,
    weights: Annotated[str, typer.Option(help="native, or folded with the layer norm.")] = "native",
    embedding: Annotated[str, typer.Option(help="auto, input, gate, up or gradient.")] = "auto",
    batch_size: Annotated[int, typer.Option(help="Contexts in a forward pass.")] = 16,
    seed: Annotated[int, typer.Option(help="Seed of the shuffled-weights control.")] = 0,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, …")] = "auto",
) -> None:
    """Scan a corpus for the dataset examples of every MLP neuron and cluster them."""
    from nbkit.atlas.build import build_atlas
    from nbkit.atlas.config import AtlasConfig
    from nbkit.corpora import load_contexts
    from nbkit.models import load_model

    config = AtlasConfig(
        layers=parse_layers(layers),
        threshold=threshold,
        max_examples=max_examples,
        weights=weights,  # type: ignore[arg-type]  # AtlasConfig checks it
        embedding=embedding,  # type: ignore[arg-type]
        batch_size=batch_size,
        seed=seed,
    )
    table = None if maxima is None else read_maxima(maxima)
    language_model = load_model(model, dtype=dtype, device=device)  # type: ignore[arg-type]
    config.resolved(language_model)  # a wrong layer shows before the corpus is read
    built = build_atlas(
        language_model, load_contexts(corpus, language_model, length, limit, field, unique), out, config, table
    )
    typer.echo(f"{built.path}: {int((built.neurons['n_examples'] > 0).sum())} neurons with examples")


@app.command()
def book(
    profile: Annotated[str, typer.Option(help="quick, default or paper: a file in book/profiles.")] = "default",
) -> None:
    """Execute the notebooks and build the pages into _build/html."""
    from nbkit.book.build import build

    typer.echo(f"Open {build(profile) / 'index.html'}")


def parse_layers(text: str) -> Literal["all"] | tuple[int, ...]:
    """`all`, or the numbers of a list such as 0,3,8-11.

    Raises:
        NbkitError: if it is neither.
    """
    if text == "all":
        return "all"
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", part.strip())
        if match is None:
            raise NbkitError(f"layers is {text!r}: give 'all', or numbers and ranges such as 0,3,8-11")
        numbers += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(numbers)


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
        reason = str(error).splitlines()[0]
        raise NbkitError(
            f"can't read the maxima in {path} ({reason}): give a .npy file of (layers, neurons) numbers"
        ) from error


def main() -> None:
    """Runs the command line; a user's mistake gives one sentence and exit status 2."""
    try:
        app()
    except NbkitError as error:
        typer.echo(f"nbkit: {error}", err=True)
        sys.exit(2)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            typer.echo("nbkit: interrupted; run the same command again to go on", err=True)
        raise
