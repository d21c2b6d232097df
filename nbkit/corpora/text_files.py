"""Texts in files of their own: a file is a document."""

from collections.abc import Iterator
from pathlib import Path

from nbkit.corpora.document_text import Found
from nbkit.corpora.opened_file import lines

_PIECE_CHARACTERS = 1 << 20


def read_text(path: Path, field: str) -> Iterator[Found]:
    """Yield a text file as one document, in pieces of about a million characters; CR LF becomes LF.

    A piece ends only between two lines where the tokens do not depend on it: after a line that ends with text and its
    line break, before a line that begins with text. A tokenizer can split the white space between them otherwise.
    """
    held: list[str] = []
    size, goes_on = 0, False
    for _, raw in lines(path):
        line = raw.replace("\r\n", "\n")
        if size >= _PIECE_CHARACTERS and held[-1][-2:-1].strip() and not line[0].isspace():
            yield Found(str(path), "".join(held), goes_on)
            held, size, goes_on = [], 0, True
        held.append(line)
        size += len(line)
    yield Found(str(path), "".join(held), goes_on)
