"""Where the documents of a corpus come from: the cache, a file, or a data set hub; always streamed."""

import json
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from nbkit import assets
from nbkit.corpora.brown import brown_texts, packed_files
from nbkit.errors import NbkitError
from nbkit.files import user_path

CORPORA = ("brown", "nlp-corpus", "openwebtext")
_OPENWEBTEXT = "Skylion007/openwebtext"
_SUFFIXES = (".txt", ".jsonl", ".parquet")
_PIECE_CHARACTERS = 1 << 20


class Piece(NamedTuple):
    """A document, or a part of a long one; the parts of a document follow one another."""

    document: int
    """Index of the document in the corpus."""
    text: str
    """Its text, cut so that tokenizing the parts and the whole gives the same tokens."""


def open_corpus(corpus: str | Path) -> tuple[str, Iterator[Piece]]:
    """Return the name of a corpus and its text, in order.

    Raises:
        NbkitError: at once if the corpus is unknown or can't be found; while reading if it can't be read.
    """
    name = str(corpus)
    if name == "brown":
        return name, _pieces(brown_texts(assets.fetch(name)))
    if name == "nlp-corpus":
        return name, _pieces(_nlp_corpus(assets.fetch(name)))
    if name == "openwebtext":
        return name, _pieces(_hub_texts(name, _OPENWEBTEXT, None))
    if name.startswith("hf:"):
        dataset, _, config = name.removeprefix("hf:").partition(":")
        return name, _pieces(_hub_texts(name, dataset, config or None))
    path = user_path(corpus)
    if path.suffix.lower() in _SUFFIXES or path.exists():
        return path.name, _open_file(path)
    near = get_close_matches(name, CORPORA, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(CORPORA)}, hf:<data set>, and files."
    raise NbkitError(f"No corpus is called {name!r}: {hint}")


def _pieces(texts: Iterable[str]) -> Iterator[Piece]:
    for document, text in enumerate(texts):
        yield Piece(document, text)


def _nlp_corpus(tarball: Path) -> Iterator[str]:
    """Yield the 100 documents of 1,000 sentences, one sentence a line, in the order of their numbers."""
    members = packed_files(tarball)
    for number in range(100):
        yield "\n".join(json.loads(members[f"doc-{number}.json"]))


def _hub_texts(name: str, dataset: str, config: str | None) -> Iterator[str]:
    """Stream the column "text" of a hub data set's training split."""
    if assets.is_offline():
        raise NbkitError(f"Corpus {name} is streamed from a hub, and NBKIT_OFFLINE forbids that: use brown or a file.")
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    try:
        HfApi().dataset_info(dataset)  # says in one request what the streaming would find out after many
        rows = _stream(dataset, config)
        columns = rows.column_names
        if columns is not None and "text" not in columns:
            raise NbkitError(f'Corpus {name} has no column "text", only {", ".join(columns)}.')
        for row in rows:
            yield row["text"] or ""
    except NbkitError:
        raise
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise NbkitError(f"The hub has no data set {dataset!r} that you may read: check its name.") from error
    except Exception as error:  # the hub's and the data sets' clients each have several hierarchies of errors
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise NbkitError(
            f"Corpus {name} can't be streamed ({reason}): a hub must be in reach and the data set must have the split "
            f"train; without a hub use brown or a file."
        ) from error


def _stream(dataset: str, config: str | None) -> Any:
    from datasets import load_dataset

    try:
        return load_dataset(dataset, config, split="train", streaming=True)
    except RuntimeError as error:  # a data set defined by a script: the hub keeps a copy of it in Parquet
        if "script" not in str(error):
            raise
        return load_dataset(dataset, config, split="train", streaming=True, revision="refs/convert/parquet")


def _open_file(path: Path) -> Iterator[Piece]:
    readers = {".txt": _text_file, ".jsonl": _jsonl_file, ".parquet": _parquet_file}
    reader = readers.get(path.suffix.lower())
    if not path.is_file():
        raise NbkitError(f"There is no file {path}.")
    if reader is None:
        raise NbkitError(f"{path} has the suffix {path.suffix!r}; a corpus is a file {', '.join(_SUFFIXES)}.")
    return reader(path)


def _text_file(path: Path) -> Iterator[Piece]:
    """Yield a text file as one document, in pieces of about a million characters.

    A piece ends only between two lines where the tokens do not depend on it: after a line with text and its line
    break, before a line that begins with text.
    """
    lines: list[str] = []
    size = 0
    for _, line in _lines(path):
        if size >= _PIECE_CHARACTERS and lines[-1].strip() and not line[0].isspace():
            yield Piece(0, "".join(lines))
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    yield Piece(0, "".join(lines))


def _jsonl_file(path: Path) -> Iterator[Piece]:
    document = 0
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise NbkitError(f"{path}, line {number}: this is not JSON ({error}).") from error
        text = record.get("text") if isinstance(record, dict) else None
        if not isinstance(text, str):
            raise NbkitError(f'{path}, line {number}: there is no string "text" in it.')
        yield Piece(document, text)
        document += 1


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number, line) of a UTF-8 file; a leading byte order mark is dropped, CR LF becomes LF."""
    offset = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise NbkitError(
                    f"{path} is not UTF-8 text: byte {offset + error.start} is not. Convert it first."
                ) from error
            offset += len(raw)
            yield number, line.replace("\r\n", "\n")


def _parquet_file(path: Path) -> Iterator[Piece]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if "text" not in names:
                raise NbkitError(f'{path} has no column "text", only {", ".join(names)}.')
            if not pa.types.is_string(kind := file.schema_arrow.field("text").type) and not pa.types.is_large_string(
                kind
            ):
                raise NbkitError(f'{path}: column "text" holds {kind}, not strings.')
            document = 0
            for batch in file.iter_batches(batch_size=256, columns=["text"]):
                for text in batch.column(0).to_pylist():
                    yield Piece(document, text or "")
                    document += 1
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise NbkitError(f"{path} can't be read as Parquet ({str(error).splitlines()[0]}).") from error
