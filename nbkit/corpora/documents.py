"""Where the documents of a corpus come from: the cache, files, a hub, or memory; always streamed."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from nbkit import assets
from nbkit.corpora.brown import brown_texts, packed_files
from nbkit.corpora.corpus_files import CorpusFiles, find_files, reader_of
from nbkit.corpora.document_text import Found, text_of
from nbkit.corpora.hub import read_hub
from nbkit.corpora.in_memory import read_memory
from nbkit.errors import NbkitError

CORPORA = ("brown", "nlp-corpus", "openwebtext")
_OPENWEBTEXT = "Skylion007/openwebtext"
_IN_MEMORY = "in memory"


class Piece(NamedTuple):
    """A document, or a part of a long one; the parts of a document follow one another."""

    document: int
    """Index of the document in the corpus; those without text count too, so that it tells the row of a table."""
    text: str
    """Its text, cut so that tokenizing the parts and the whole gives the same tokens; empty where there is none."""


class Corpus(NamedTuple):
    """A corpus that is about to be read."""

    name: str
    """What it is called."""
    pieces: Iterator[Piece]
    """Its text, in order."""
    left_out: tuple[str, ...] = ()
    """Names of the files in its folder that are not read, since their suffix is not known."""


def open_corpus(corpus: object, field: str = "text", name: str | None = None) -> Corpus:
    """Return a corpus by its name, its path, or itself.

    Args:
        field: the column of the texts, where there are columns.
        name: what to call it; None takes the name by which it was asked for.

    Raises:
        NbkitError: at once if the corpus is unknown or can't be found; while reading if it can't be read.
    """
    if not isinstance(corpus, str | os.PathLike):
        called = name or _IN_MEMORY
        return Corpus(called, _pieces(read_memory(corpus, field, called)))
    given = os.fspath(corpus)
    if not given:
        raise NbkitError("The corpus has no name: give that of a corpus, a file or a folder.")
    if isinstance(given, str) and (found := _known(given, field)) is not None:
        return Corpus(name or given, _pieces(found))
    files = find_files(corpus) if isinstance(given, str) else None
    if files is not None:
        return Corpus(name or files.name, _pieces(_read_files(files, field)), files.left_out)
    near = get_close_matches(str(given), CORPORA, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(CORPORA)}, hf:<data set>, and files."
    raise NbkitError(f"No corpus is called {str(given)[:80]!r}: {hint}")


def corpus_files(corpus: str | Path) -> tuple[Path, ...]:
    """Return the files that a name or path of a corpus means, in the order in which they are read; of the cache and of
    a hub none.

    Raises:
        NbkitError: a name that can be of files only, and there are none that can be read.
    """
    given = str(corpus)
    files = None if given in CORPORA or given.startswith("hf:") else find_files(corpus)
    return files.paths if files else ()


def files_sha256(corpus: str | Path) -> str:
    """Return a checksum that changes when one of the `corpus_files` does: of their names, sizes and times of change."""
    states = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in corpus_files(corpus)]
    return hashlib.sha256(json.dumps(states).encode()).hexdigest()


def _known(name: str, field: str) -> Iterator[Found] | None:
    if name == "brown":
        return _texts(brown_texts(assets.fetch(name)))
    if name == "nlp-corpus":
        return _texts(_nlp_corpus(assets.fetch(name)))
    if name == "openwebtext":
        return read_hub(name, _OPENWEBTEXT, None, "train", field)
    if name.startswith("hf:"):
        dataset, config, split, *rest = [*name.removeprefix("hf:").split(":"), "", ""][:4]
        if not dataset or name.count(":") > 3 or any(rest):
            raise NbkitError(f"{name[:80]!r} is no data set: write hf:<data set>, or hf:<data set>:<config>:<split>.")
        return read_hub(name, dataset, config or None, split or "train", field)
    return None


def _texts(texts: Iterable[str]) -> Iterator[Found]:
    for number, text in enumerate(texts, start=1):
        yield Found(f"document {number}", text)


def _read_files(files: CorpusFiles, field: str) -> Iterator[Found]:
    for path in files.paths:
        if (read := reader_of(path)) is not None:
            yield from read(path, field)


def _pieces(everything: Iterable[Found]) -> Iterator[Piece]:
    document = -1
    for found in everything:
        document += not found.goes_on
        yield Piece(document, text_of(found))


def _nlp_corpus(tarball: Path) -> Iterator[str]:
    """Yield the 100 documents of 1,000 sentences, one sentence a line, in the order of their numbers."""
    members = packed_files(tarball)
    for number in range(100):
        yield "\n".join(json.loads(members[f"doc-{number}.json"]))
