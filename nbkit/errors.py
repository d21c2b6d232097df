"""The one error class of nbkit: a mistake that its user can repair."""

from __future__ import annotations

import unicodedata

LONGEST_MESSAGE = 600
"""Characters of a message; beyond them its beginning and its end are shown."""
END = 150


class NbkitError(ValueError):
    """Something the user asked for cannot be done.

    The message says in one or two sentences what is wrong, where, and what to do about it. The command line
    prints the message alone and exits with status 2; a notebook or a script sees an ordinary `ValueError`.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(shortened(printable(str(message))))


def shortened(text: str) -> str:
    """`text` without its middle where it is longer than anybody reads: a library's reason, or a name of a thousand
    characters."""
    if len(text) <= LONGEST_MESSAGE:
        return text
    return f"{text[: LONGEST_MESSAGE - END]} … {text[-END:]}"


def printable(text: str) -> str:
    """`text` with its invisible characters escaped (`\\x1b`, `\\u202e`): what a file or a stranger named can hold such
    as move a terminal's cursor, break a line or turn the direction of what follows."""
    return "".join(char.encode("unicode_escape").decode() if _is_hidden(char) else char for char in text)


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
