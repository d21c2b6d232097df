"""How a model that is too large for one device shall be spread, in the words of transformers' `from_pretrained`."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nbkit.errors import NbkitError
from nbkit.files import make_folder, not_writable, user_path
from nbkit.method.checks import shown

BY_ACCELERATE = ("auto", "balanced", "balanced_low_0", "sequential")
OFF_DEVICE = ("cpu", "disk")
Device = int | str | torch.device


@dataclass(frozen=True)
class Placement:
    """Where the modules of a model are kept, and so where they compute. Checked when made."""

    device_map: str | Mapping[str, Device]
    """How accelerate shall find places for them, or by module name a GPU, `cpu` or `disk`."""
    max_memory: Mapping[int | str, int | str] | None = None
    """What it may fill: bytes, or such as 20GiB, by number of a GPU and `cpu`."""
    offload_folder: str | Path | None = None
    """Where weights are written that are kept on disk and don't lie there in their final form; each process has a
    folder of its own in it, which it deletes when it ends."""

    def __post_init__(self) -> None:
        if isinstance(self.device_map, Mapping):
            kinds = {(isinstance(name, str), isinstance(place, Device)) for name, place in self.device_map.items()}
            if kinds != {(True, True)}:
                raise NbkitError(
                    f"device_map is {shown(self.device_map)}: give for each module's name a GPU's number, cpu or disk"
                )
            if self.max_memory is not None:
                raise NbkitError("max_memory is for a device_map that accelerate finds, such as auto: leave it out")
        elif not isinstance(self.device_map, str) or self.device_map not in BY_ACCELERATE:
            raise NbkitError(
                f"device_map is {shown(self.device_map)}: give {', '.join(BY_ACCELERATE)}, or a dict from module names "
                "to devices; for one device there is device"
            )
        if self.max_memory is not None and not (
            isinstance(self.max_memory, Mapping)
            and all(isinstance(each, int | str) for pair in self.max_memory.items() for each in pair)
        ):
            raise NbkitError(
                f"max_memory is {shown(self.max_memory)}: give a dict from the numbers of GPUs and cpu to bytes, or to "
                "text such as 20GiB"
            )
        if self.offload_folder is not None:
            if not isinstance(self.offload_folder, str | Path):
                raise NbkitError(f"offload_folder is {shown(self.offload_folder)}: give the path of a folder")
            object.__setattr__(self, "offload_folder", str(user_path(self.offload_folder).absolute()))

    def main_device(self) -> Device | None:
        """The first that computes; None if accelerate shall find it."""
        if isinstance(self.device_map, str):
            return None
        return next((place for place in self.device_map.values() if place not in OFF_DEVICE), "cpu")

    def options(self) -> dict[str, Any]:
        """For `from_pretrained`, which changes what it is given.

        Raises:
            NbkitError: the folder can't be written.
        """
        given: dict[str, Any] = {"device_map": self.device_map}
        if isinstance(self.device_map, Mapping):
            given["device_map"] = dict(self.device_map)
        if self.max_memory is not None:
            given["max_memory"] = dict(self.max_memory)
        if self.offload_folder is not None:
            make_folder(Path(self.offload_folder))
            try:
                own = tempfile.mkdtemp(prefix="nbkit-", dir=self.offload_folder)
            except OSError as error:
                raise not_writable(Path(self.offload_folder), error) from error
            atexit.register(shutil.rmtree, own, ignore_errors=True)
            given["offload_folder"] = own
        return given
