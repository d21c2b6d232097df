"""The command line: `nbkit fetch`, `nbkit atlas`, `nbkit site`, `nbkit neuronpedia`, `nbkit check`, `nbkit book`."""

from __future__ import annotations

import io
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import nbkit
from nbkit.corpora import CONTEXT_LIMIT
from nbkit.errors import NbkitError, printable

if TYPE_CHECKING:
    import numpy as np

DAMAGED = 1
"""Exit status of `nbkit check` if a file is not what it was."""
MISTAKE = 2
"""Exit status for what the user can repair."""
INTERRUPTED = 130
"""Typer's exit status for Ctrl-C."""
UsageError: Any = typer.BadParameter.__bases__[0]
"""What Typer raises for options and commands that there are not, and exports under no name."""

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
        typer.echo(printable(str(assets.fetch(name))))


@app.command()
def atlas(
    out: Annotated[Path, typer.Option(help="Folder of the atlas; an interrupted build goes on there.")],
    model: Annotated[
        str,
        typer.Option(
            help="smollm2-135m (SmolLM2-135M-Instruct, de-quantized from Q4_1), minilm (all-MiniLM-L6-v2), a hub id, "
            "or a Hugging Face folder."
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
    sae: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[HOOK=]SAE",
            help="Latents of this sparse autoencoder instead of neurons: a folder, a file or a hub id; with the hook "
            "point that it reads where its config doesn't tell. May be given several times, for a site each.",
        ),
    ] = None,
    layers: Annotated[str, typer.Option(help="all, or numbers and ranges: 0,3,8-11.")] = "all",
    length: Annotated[int, typer.Option(help="Tokens in a context.")] = 128,
    limit: Annotated[int, typer.Option(help="Contexts at most.")] = CONTEXT_LIMIT,
    threshold: Annotated[float, typer.Option(help="Share of the maximum activation that an example reaches.")] = 0.75,
    max_examples: Annotated[int, typer.Option(help="Examples of a neuron at most.")] = 100,
    sign: Annotated[
        str, typer.Option(help="Which activations are looked for: positive (above zero), negative, or both.")
    ] = "positive",
    maxima: Annotated[
        Path | None, typer.Option(help="Maximum activations from a larger corpus, .npy (layers, neurons).")
    ] = None,
    weights: Annotated[str, typer.Option(help="native, or folded with the layer norm.")] = "native",
    embedding: Annotated[str, typer.Option(help="auto, input, gate, up or gradient.")] = "auto",
    batch_size: Annotated[int, typer.Option(help="Contexts in a forward pass.")] = 16,
    seed: Annotated[int, typer.Option(help="Seed of the shuffled-weights control.")] = 0,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, or another of PyTorch's.")] = "auto",
) -> None:
    """Scan a corpus for the dataset examples of every MLP neuron, or latent, and cluster them."""
    from nbkit.atlas.build import build_atlas
    from nbkit.atlas.config import AtlasConfig
    from nbkit.corpora import load_contexts
    from nbkit.models import load_model
    from nbkit.models.neurons import units_of
    from nbkit.units.latents import sae_latents

    config = AtlasConfig(
        layers=parse_layers(layers),
        threshold=threshold,
        max_examples=max_examples,
        weights=weights,  # type: ignore[arg-type]  # AtlasConfig checks it
        embedding=embedding,  # type: ignore[arg-type]
        batch_size=batch_size,
        seed=seed,
        sign=sign,  # type: ignore[arg-type]
    )
    table = None if maxima is None else read_maxima(maxima)
    saes = parse_saes(sae or [])
    language_model = load_model(model, dtype=dtype, device=device)  # type: ignore[arg-type]
    units = units_of(sae_latents(language_model, saes) if saes else language_model, config.weights)
    config.resolved(units)  # a wrong layer shows before the corpus is read
    loaded = load_contexts(corpus, language_model, length, limit, field, unique)
    built = build_atlas(units, loaded, out, config, table)
    typer.echo(printable(f"{built.path}: {built.summary}"))


@app.command()
def site(
    folders: Annotated[
        list[Path], typer.Argument(help="One atlas or two, and a new folder for the site.", metavar="ATLAS [ATLAS] OUT")
    ],
    archive: Annotated[bool, typer.Option("--zip", help="Also write the folder as a ZIP file beside it.")] = False,
) -> None:
    """Write the explorer of an atlas, or of two side by side, as static files that open anywhere."""
    from nbkit.atlas.atlas import open_atlas
    from nbkit.explorers.site.site import write_site

    *atlases, out = folders
    page = write_site([open_atlas(folder) for folder in atlases], out, archive)
    typer.echo(printable(f"Open {page}" + (f", or hand over {page.parent}.zip" if archive else "")))


@app.command()
def neuronpedia(
    atlas: Annotated[Path, typer.Argument(help="Folder of an atlas.")],
    out: Annotated[Path, typer.Argument(help="A new folder for the files.")],
    model_id: Annotated[
        str | None, typer.Option(help="Neuronpedia's name of the model; the atlas's own if left out.")
    ] = None,
    source_set: Annotated[str, typer.Option(help="Name of your source set on Neuronpedia.")] = "neuron-embeddings",
    layers: Annotated[str, typer.Option(help="all, or numbers and ranges: 0,3,8-11.")] = "all",
) -> None:
    """Write an atlas as the files that Neuronpedia takes for upload; nothing is sent."""
    from nbkit.atlas.atlas import open_atlas
    from nbkit.features.neuronpedia import export_neuronpedia

    export = export_neuronpedia(open_atlas(atlas), out, model_id, source_set, parse_layers(layers))
    typer.echo(
        printable(
            f"{out}: {export.n_features:,} neurons of {export.model_id} in {export.n_files:,} files; "
            f"{export.n_left_out:,} without examples or finite activations are left out"
        )
    )


@app.command()
def book(
    profile: Annotated[str, typer.Option(help="quick, default or paper: a file in book/profiles.")] = "default",
) -> None:
    """Execute the notebooks and build the pages into _build/html."""
    from nbkit.book.build import build

    typer.echo(printable(f"Open {build(profile) / 'index.html'}"))


@app.command()
def check(
    folder: Annotated[
        Path | None, typer.Argument(help="An atlas or a cache; the cache (NBKIT_CACHE) if left out.")
    ] = None,
) -> None:
    """Compare all files in a folder with the checksums that were written with them; exit status 1 if any is damaged."""
    from nbkit import assets, files

    place = assets.cache_folder() if folder is None else folder
    found = files.check(place)
    for path, what in found.damaged.items():
        typer.echo(printable(f"{path}: {what}"))
    typer.echo(printable(f"{place}: {found.intact} files intact, {len(found.damaged)} damaged"))
    if found.damaged:
        raise typer.Exit(DAMAGED)


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
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise NbkitError(
            f"can't read the maxima in {path} ({reason}): give a .npy file of (layers, neurons) numbers"
        ) from error


def main() -> None:
    """Runs the command line; a user's mistake gives one sentence and exit status 2.

    Ended by SIGTERM or SIGHUP it tidies up as for Ctrl-C; the exit status is 128 and the signal's number.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a terminal can't show is no reason to fail
    signals = _end_like_ctrl_c()
    status = _run()
    if status == INTERRUPTED:
        typer.echo("nbkit: interrupted; run the same command again to go on", err=True)
        status = 128 + signals[0] if signals else INTERRUPTED
    sys.exit(status)


def _run() -> int:
    """Runs the command line and says what is wrong; gives the exit status."""
    try:
        status = app(standalone_mode=False)
    except KeyboardInterrupt:  # Typer turns those into this status that come while a command runs
        return INTERRUPTED
    except NbkitError as error:
        typer.echo(f"nbkit: {error}", err=True)
        return MISTAKE
    except UsageError as error:
        if said := error.format_message():  # else the help was printed
            typer.echo(f"nbkit: Error: {NbkitError(said)}", err=True)
        return MISTAKE
    except OSError as error:
        if error.filename is None:
            raise
        typer.echo(f"nbkit: {NbkitError(f'{error.filename}: {error.strerror}')}", err=True)
        return MISTAKE
    return status or 0


def _end_like_ctrl_c() -> list[int]:
    """Lets the signals that ask a process to end interrupt it; gives the list that those which came are put in."""
    came: list[int] = []

    def interrupt(number: int, _: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores one of them
            signal.signal(number, interrupt)
    return came
