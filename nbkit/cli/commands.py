"""The commands: `nbkit fetch`, `atlas`, `scan`, `merge`, `site`, `neuronpedia`, `check`, `book`."""

from __future__ import annotations

import io
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import nbkit
from nbkit.cli.options import AtlasOptions, parse_blocks, parse_layers, parse_numbers, with_atlas_options
from nbkit.errors import NbkitError, printable

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
@with_atlas_options
def atlas(
    options: AtlasOptions,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Work on the Dask cluster at this address, or with local:4 on four processes of this machine."
        ),
    ] = None,
    devices: Annotated[
        str | None, typer.Option(help="Work on these GPUs of this machine, a process for each: 0,1 or 0-7.")
    ] = None,
    shared: Annotated[
        str | None,
        typer.Option(help="Where a cluster's workers leave their parts if they don't see --out: s3://bucket/folder."),
    ] = None,
) -> None:
    """Scan a corpus for the dataset examples of every MLP neuron, or latent, and cluster them."""
    from nbkit.atlas.build import build_atlas
    from nbkit.parallel.opened_client import opened_client

    with opened_client(scheduler, None if devices is None else parse_numbers("devices", devices)) as client:
        units, contexts, out, config, maxima = options.opened()
        if devices is not None and units.device.type != "cuda":
            raise NbkitError(f"devices is {devices}, and device {options.device} is no GPU: leave one of them out")
        built = build_atlas(units, contexts, out, config, maxima, client=client, shared=shared)
    typer.echo(printable(_told(built)))


@app.command()
@with_atlas_options
def scan(
    options: AtlasOptions,
    blocks: Annotated[
        str, typer.Option(help="Which blocks of 128 contexts: 0:40 for the first forty, or 40: from there on.")
    ],
) -> None:
    """Scan some blocks of an atlas, as one of the jobs of an array that have its folder in common; then merge them."""
    from nbkit.atlas.build import scan_blocks

    wanted = parse_blocks(blocks)
    model, contexts, out, config, maxima = options.opened()
    done, of = scan_blocks(model, contexts, out, wanted, config, maxima)
    typer.echo(printable(f"{out}: {done} of {of} blocks are scanned"))


@app.command()
@with_atlas_options
def merge(options: AtlasOptions) -> None:
    """Make the atlas of blocks that `nbkit scan` scanned with the same options."""
    from nbkit.atlas.build import build_atlas, check_scanned

    arguments = options.opened()
    check_scanned(*arguments)
    built = build_atlas(*arguments)
    typer.echo(printable(_told(built)))


@app.command()
def site(
    folders: Annotated[
        list[Path], typer.Argument(help="One atlas or two, and a new folder for the site.", metavar="ATLAS [ATLAS] OUT")
    ],
    archive: Annotated[bool, typer.Option("--zip", help="Also write the folder as a ZIP file beside it.")] = False,
    embedding: Annotated[
        str | None, typer.Option(help="Another embedding than the atlas's own, such as auto (centered) or paper.")
    ] = None,
) -> None:
    """Write the explorer of an atlas, or of two side by side, as static files that open anywhere."""
    from nbkit.atlas.atlas import open_atlas
    from nbkit.explorers.site.site import write_site

    *atlases, out = folders
    opened = [open_atlas(folder) for folder in atlases]
    shown = opened if embedding is None else [atlas.with_embedding(embedding) for atlas in opened]
    page = write_site(shown, out, archive)
    typer.echo(printable(f"Open {page}" + (f", or hand over {page.parent}.zip" if archive else "")))


@app.command()
def neuronpedia(
    atlas: Annotated[Path, typer.Argument(help="Folder of an atlas.")],
    out: Annotated[Path, typer.Argument(help="A new folder for the files.")],
    model_id: Annotated[
        str | None, typer.Option(help="Neuronpedia's name of the model; the atlas's own if left out.")
    ] = None,
    source_set: Annotated[
        str | None, typer.Option(help="Name of your source set on Neuronpedia; what the clusters are of if left out.")
    ] = None,
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
    profile: Annotated[str, typer.Option(help="quick, default, full or paper: a file in book/profiles.")] = "default",
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


def _told(built: nbkit.Atlas) -> str:
    """What was built; of an atlas that was there with another embedding, how the one that was asked for is shown."""
    own, asked = built.as_built.manifest.embedding, built.manifest.embedding
    other = (
        "" if own == asked else f"; it was built with {own}: nbkit site --embedding {asked} shows what was asked for"
    )
    return f"{built.path}: {built.as_built.summary}{other}"


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
