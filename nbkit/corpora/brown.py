"""The Brown corpus as ordinary text: `word/tag` tokens put back into sentences and paragraphs.

Brown marks a paragraph with blank lines, a sentence with a line, and a heading with tags that end in `-hl`. It sets
quotes as `` and '', doubles `?`, `!`, `;` and a colon that ends a clause, and writes closing quotes before the
punctuation that follows them. `detokenise` undoes this; commas, stops, question and exclamation marks go inside the
closing quotes, as American printers set them. "Af" stands for a formula that the corpus left out, and stays.
"""

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_OPENING = {"``", "(", "["}
_CLOSING = {"''", ")", "]", ",", ".", ";", ":", "?", "!"}
_JOINING = {"-", "/"}  # as words of their own: 1960 - 1962, counts / minute
_DOUBLED = {";", ":", "?", "!"}
_GREEK = dict(zip("abcefgjlmprt", "αβχεφγξλμπρθ", strict=True)) | {"zg": "Γ", "zq": "Ω"}  # noqa: RUF001


class _Token(NamedTuple):
    word: str
    tag: str


def brown_texts(tarball: Path) -> Iterator[str]:
    """Yield the 500 texts of the packed corpus, from `ca01` to `cr09`, each one string.

    Raises `tarfile.TarError` or `OSError` if the file is no readable tarball.
    """
    with tarfile.open(tarball) as archive:
        members = {Path(member.name).name: member for member in archive if member.isfile()}
        for name in sorted(name for name in members if re.fullmatch(r"c[a-r]\d\d", name)):
            file = archive.extractfile(members[name])
            if file is not None:
                yield detokenise(file.read().decode("ascii"))


def detokenise(tagged: str) -> str:
    """Return one tagged Brown text as plain text, its paragraphs and headings separated by a blank line."""
    return "\n\n".join(_join(paragraph) for paragraph in _paragraphs(tagged))


def _paragraphs(tagged: str) -> list[list[_Token]]:
    """Group the tokens into paragraphs; a quote or bracket that a line break tore off its text goes back to it."""
    paragraphs: list[list[_Token]] = []
    for block in re.split(r"\n[ \t]*(?:\n\s*)+", tagged.strip("\n")):
        lines = [line for line in block.split("\n") if line.strip()]
        new = True
        for line, following in zip(lines, [*lines[1:], ""], strict=True):
            tokens = [_token(item) for item in line.split()]
            torn = bool(paragraphs) and (paragraphs[-1][-1].word in _OPENING or tokens[0].word in _CLOSING)
            if paragraphs and (torn or not new):
                paragraphs[-1].extend(tokens)
            else:
                paragraphs.append(tokens)
            new = _is_heading(line, tokens, following)
    return paragraphs


def _token(item: str) -> _Token:
    word, _, tag = item.rpartition("/")
    return _Token(word, tag)


def _is_heading(line: str, tokens: list[_Token], following: str) -> bool:
    """Whether a line stands alone: tagged as a heading, or an unfinished line before one that begins a sentence."""
    if len(tokens[0].word) < 3 and len(tokens) <= 2:  # the number or letter of a list's item
        return False
    if all(token.tag.endswith("-hl") for token in tokens if token.word.isalnum()):
        return not following.startswith("--")
    unfinished = line.endswith(" ") and tokens[-1].word[-1].isalpha()
    return unfinished and tokens[0].word[0].isupper() and following.strip()[:1].isupper()


def _join(tokens: list[_Token]) -> str:
    """Set one paragraph's tokens as a printer would."""
    words = [token.word for token in tokens]
    pieces: list[str] = []  # each with the space before it, if it has one
    quotes = 0  # how many closing quotes end `pieces`
    glue = True  # no space before the next word
    in_single = False
    i = 0
    while i < len(words):
        word, following = words[i], words[i + 1] if i + 1 < len(words) else ""
        i += 1
        if word in _DOUBLED and following == word:
            i += 1
        if word == "''" and i > 1 and len(words[i - 2]) > 2 and words[i - 2].endswith("''"):
            continue  # an inch mark, written twice: 1/8'' ''
        if word == "'":
            in_single = not in_single and following not in _CLOSING
            word = "`" if in_single else "'"
        if word in ("''", "'"):
            pieces.append('"' if word == "''" else "'")
            quotes += 1
            glue = False
        elif word in _CLOSING:
            if word in ",.?!" and quotes and pieces[-quotes - 1 :][0] not in _CLOSING:
                if not (word == "." and pieces[-quotes - 1].endswith(".")):
                    pieces.insert(len(pieces) - quotes, word)
            elif not (word == "." and pieces and pieces[-1].endswith(".")):  # Jr. ends its sentence alone
                pieces.append(word)
            quotes, glue = 0, False
        else:
            joins = word in _JOINING
            pieces.append(("" if glue or joins else " ") + _spell(word))
            quotes, glue = 0, joins or word in _OPENING or word == "`"
    return "".join(pieces)


def _spell(word: str) -> str:
    """Replace the corpus's codes: quotes, inches, degrees, Greek letters."""
    if word in ("``", "`"):
        return '"' if word == "``" else "'"
    word = word.removesuffix("''") + ('"' if word.endswith("''") else "")
    word = re.sub(r"\*&?0|-degrees-?", "°", word)
    return re.sub(r"\*\*(?:y([a-z])|(z[gq]))", lambda code: _GREEK.get(code[1] or code[2], code[0]), word)
