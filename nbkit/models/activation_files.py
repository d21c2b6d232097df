"""The vectors at a hook point, captured over a corpus and kept on disk: what an autoencoder is trained on.

activations.json                what was captured, of which texts, and how
activations-00000.safetensors   `activations` (rows, width) of the first contexts, one row a token; and so on
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Literal, Protocol

import torch
from filelock import FileLock
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

from nbkit.errors import NbkitError
from nbkit.files import make_folder, not_writable, read_json, read_tensors, sweep, user_path, write_json, write_tensors
from nbkit.method.checks import LARGEST_SIZE, checked_choice, checked_whole
from nbkit.models.capturing import Tokens
from nbkit.models.language_model import LanguageModel

ABOUT_ACTIVATIONS = "activations.json"
ACTIVATIONS_SCHEMA = 1
CAPTURE_LOCK = ".lock"
CAPTURE_LIBRARIES = ("nbkit", "torch", "transformers")
SHARD_BYTES = 1 << 27
"""Of a shard, about; twice as much is in memory while capturing."""
Precision = Literal["bfloat16", "float16", "float32"]


class NamedTokens(Tokens, Protocol):
    """What capturing to disk needs of contexts."""

    @property
    def name(self) -> str:
        """The corpus."""

    @property
    def sha256(self) -> str:
        """Checksum of the tokens."""


@dataclass(frozen=True)
class Capture:
    """What was captured. Two captures that are equal hold the same bytes."""

    schema: int
    model: str
    model_sha256: str
    hook: str
    width: int
    corpus: str
    contexts_sha256: str
    n_contexts: int
    rows_a_context: int
    """Tokens of a context that are text."""
    contexts_a_shard: int
    batch_size: int
    dtype: str
    """In which the vectors are kept."""
    model_dtype: str
    """In which the model computed them."""
    device: str
    versions: dict[str, str]


@dataclass(frozen=True, eq=False)
class Activations:
    """Vectors of a hook point on disk. Made and opened by `nbkit.capture_activations`."""

    path: Path
    """Folder that holds the vectors."""
    capture: Capture
    """What was captured: of which model and corpus, at which hook point, and in which precision."""

    def __len__(self) -> int:
        return self.capture.n_contexts * self.capture.rows_a_context

    @property
    def width(self) -> int:
        """Width of a vector: how many numbers it has."""
        return self.capture.width

    @property
    def shards(self) -> tuple[Path, ...]:
        """Files of the vectors, in corpus order."""
        n = -(-self.capture.n_contexts // self.capture.contexts_a_shard)
        return tuple(self.path / f"activations-{number:05d}.safetensors" for number in range(n))

    def __iter__(self) -> Iterator[Float[Tensor, "rows width"]]:
        """The vectors shard by shard, mapped into memory and read when they are touched."""
        for path in self.shards:
            yield read_tensors(path)["activations"]

    def tensor(self) -> Float[Tensor, "n width"]:
        """All vectors in memory, (n, width), as `nbkit.train_sae` takes them."""
        whole = torch.empty(len(self), self.width, dtype=getattr(torch, self.capture.dtype))
        start = 0
        for shard in self:
            whole[start : start + len(shard)] = shard
            start += len(shard)
        return whole


def capture_activations(
    model: LanguageModel,
    contexts: NamedTokens,
    hook: str,
    out: str | Path,
    dtype: Precision = "bfloat16",
    batch_size: int = 16,
    progress: bool = True,
) -> Activations:
    """Captures the vectors at a hook point and leaves them in the folder `out`; goes on where an interrupted capture
    stopped. What is there already, of the same arguments, is opened.

    Args:
        contexts: what `load_contexts` gives. The vectors of special positions are left out.
        hook: see `LanguageModel.hook_point`.
        dtype: in which they are kept.
        batch_size: contexts in a forward pass.

    Raises:
        NbkitError: there is no such hook point; a vector is not finite, or too large for `dtype`; `out` holds something
            else, or can't be written.
    """
    if not isinstance(model, LanguageModel):
        raise NbkitError(f"model is of type {type(model).__name__}: give what nbkit.load_model makes")
    model.check_contexts(contexts)
    checked_choice("dtype", dtype, ("bfloat16", "float16", "float32"))
    batch_size, point = checked_whole("batch_size", batch_size, 1, LARGEST_SIZE), model.hook_point(hook)
    rows, precision = int((~contexts.special).sum()), getattr(torch, dtype)
    bytes_a_batch = max(1, batch_size * rows * point.width * precision.itemsize)
    capture = Capture(
        schema=ACTIVATIONS_SCHEMA,
        model=model.name,
        model_sha256=model.fingerprint,
        hook=hook,
        width=point.width,
        corpus=contexts.name,
        contexts_sha256=contexts.sha256,
        n_contexts=len(contexts.tokens),
        rows_a_context=rows,
        contexts_a_shard=batch_size * max(1, SHARD_BYTES // bytes_a_batch),
        batch_size=batch_size,
        dtype=dtype,
        model_dtype=str(model.dtype).removeprefix("torch."),
        device=model.device.type,
        versions={name: version(name) for name in CAPTURE_LIBRARIES},
    )
    folder = user_path(out)
    make_folder(folder)
    kept = Activations(folder, capture)
    try:
        names = {path.name for path in folder.iterdir()}
        if names and not names & {CAPTURE_LOCK, ABOUT_ACTIVATIONS}:  # no lock is left in a folder of something else
            raise NbkitError(f"{folder} is not empty and holds no activations ({min(names)}): choose another folder")
        with FileLock(folder / CAPTURE_LOCK):
            _begin(folder, capture)
            _fill(kept, model, contexts, progress)
    except OSError as error:
        raise not_writable(folder, error) from error
    return kept


def _begin(folder: Path, capture: Capture) -> None:
    """Makes a folder ready for a capture, or for going on with it."""
    sweep(folder)
    path = folder / ABOUT_ACTIVATIONS
    if path.is_file():
        found = read_json(path)
        if differences := [
            each.name for each in fields(Capture) if found.get(each.name) != getattr(capture, each.name)
        ]:
            raise NbkitError(
                f"{folder} holds activations of another {', '.join(differences)}: choose another folder, or delete it"
            )
    else:
        write_json(asdict(capture), path)


def _fill(kept: Activations, model: LanguageModel, contexts: NamedTokens, progress: bool) -> None:
    """Captures the shards that are not there."""
    capture, each = kept.capture, kept.capture.contexts_a_shard
    starts = [number * each for number in range(len(kept.shards))]
    there = sum(
        min(each, capture.n_contexts - at) for at, path in zip(starts, kept.shards, strict=True) if path.is_file()
    )
    with tqdm(total=capture.n_contexts, initial=there, desc="capture", unit="context", disable=not progress) as bar:
        for start, path in zip(starts, kept.shards, strict=True):
            if path.is_file():
                continue
            stop = min(start + each, capture.n_contexts)
            parts = []
            for vectors in model.capture(contexts, capture.hook, capture.batch_size, start, stop):
                part = vectors.to(getattr(torch, capture.dtype)).cpu().flatten(0, 1)
                if not bool(part.isfinite().all()):
                    raise NbkitError(f"{capture.hook} has vectors too large for {capture.dtype}: choose bfloat16")
                parts.append(part)
                bar.update(len(vectors))
            write_tensors({"activations": torch.cat(parts)}, path)
