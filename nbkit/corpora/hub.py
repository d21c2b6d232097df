"""Texts of a data set on the Hugging Face hub, streamed."""

from collections.abc import Iterator
from typing import Any

from nbkit import assets
from nbkit.corpora.document_text import Found, check_column, found_in
from nbkit.errors import NbkitError


def read_hub(name: str, dataset: str, config: str | None, split: str, field: str) -> Iterator[Found]:
    """Stream a column of a split of a hub data set.

    Raises:
        NbkitError: no network is allowed or in reach, or there is no such data set, split or column.
    """
    if assets.is_offline():
        raise NbkitError(f"Corpus {name} is streamed from a hub, and NBKIT_OFFLINE forbids that: use brown or a file.")
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    place = f"Corpus {name}"
    try:
        HfApi().dataset_info(dataset)  # says in one request what the streaming would find out after many
        rows = _stream(dataset, config, split)
        if rows.column_names is not None:
            check_column(rows.column_names, field, place)
        for number, row in enumerate(rows, start=1):
            yield found_in(row, f"{place}, row {number}", field)
    except NbkitError:
        raise
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise NbkitError(f"The hub has no data set {dataset!r} that you may read: check its name.") from error
    except Exception as error:  # the hub's and the data sets' clients each have several hierarchies of errors
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:100]
        raise NbkitError(
            f"{place} can't be streamed ({reason}): a hub must be in reach and the data set must have the split "
            f"{split}; without a hub use brown or a file."
        ) from error


def _stream(dataset: str, config: str | None, split: str) -> Any:
    from datasets import load_dataset

    try:
        return load_dataset(dataset, config, split=split, streaming=True)
    except RuntimeError as error:  # a data set defined by a script: the hub keeps a copy of it in Parquet
        if "script" not in str(error):
            raise
        return load_dataset(dataset, config, split=split, streaming=True, revision="refs/convert/parquet")
