"""Tables of experiments, kept in the cache folder under a name made of what was asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import torch
from filelock import FileLock

from nbkit.assets import cache_folder
from nbkit.errors import NbkitError
from nbkit.files import SCHEMA, read_table, write_table
from nbkit.mnist import RECIPE


def kept_table(name: str, request: Mapping[str, Any], make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """The table of an experiment: read if it was made before, else made and kept, once for all processes.

    Args:
        name: of the experiment.
        request: all that the numbers depend on besides the MLP's recipe, as JSON can write it; the code's own recipe
            number among it.
        make: runs the experiment.

    Raises:
        NbkitError: the cache folder can't be written.
    """
    made_with = {"schema": SCHEMA, "torch": torch.__version__, "mlp": RECIPE}
    identity = json.dumps({**made_with, **request}, sort_keys=True, default=str)
    folder = cache_folder() / "results"
    path = folder / f"{name}-{hashlib.sha256(identity.encode()).hexdigest()[:10]}.parquet"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = FileLock(path.with_suffix(".lock")).acquire()  # whoever asks for it meanwhile waits
    except OSError as error:
        raise NbkitError(f"can't write to {folder} ({error.strerror}): set NBKIT_CACHE to another folder") from error
    with held:
        if not path.is_file():
            write_table(make(), path)
    return read_table(path)
