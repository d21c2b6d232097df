"""The Brown corpus as ordinary text: `word/tag` tokens put back into sentences and paragraphs.

Brown marks a paragraph with blank lines, a sentence with a line, and a heading with tags that end in `-hl`. It sets
quotes as `` and '', doubles `?`, `!`, `;` and a colon that ends a clause, and writes closing quotes before the
punctuation that follows them. `detokenize` undoes this; commas, stops, question and exclamation marks go inside the
closing quotes, as American printers set them. "Af" stands for a formula that the corpus left out, and stays.
"""

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from nbkit.errors import NbkitError

N_TEXTS = 500
_OPENING = {"``", "(", "["}
_CLOSING = {"''", ")", "]", ",", ".", ";", ":", "?", "!"}
_TAG = re.compile(r"/[^/\s]+(?=\s|$)")
_PARAGRAPH_BREAK = re.compile(r"\n[ \t]*(?:\n\s*)+")
_ITEM = re.compile(r"\(? ?(?:\d{1,2}|[A-Z]) ?[.)]*")  # the number or letter of a list's item
_GREEK = dict(zip("abcefgjlmprt", "αβχεφγξλμπρθ", strict=True))
_CAPITAL_GREEK = {"g": "Γ", "q": "Ω"}
# Applied in order to a paragraph's words, each with a space on both sides; curly quotes stand for the directions of
# straight ones until `_set` has placed them.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<= )([;:?!]) \1(?= )"), r"\1"),  # doubled punctuation
    (re.compile(r"(?<=\w)''(?: '')?(?= )"), '"'),  # inches, mostly marked twice: 1/8'' ''
    (re.compile(r"\*&?0|-degrees-?"), "°"),
    (re.compile(r"(?<= )``(?= )"), "“"),
    (re.compile(r"(?<= )''(?= )"), "”"),
    (re.compile(r"(?<! [,.;:?!])((?: [’”])+) ([,.?!])(?= )"), r" \2\1"),  # punctuation goes inside the closing quotes
    (re.compile(r"(?<=\S\.) \.(?= )"), ""),  # an abbreviation's stop ends the sentence too: Jr. .
    (re.compile(r" ([,.;:?!’”)\]])(?= )"), r"\1"),
    (re.compile(r"(?<= )([‘“(\[]) "), r"\1"),
    (re.compile(r" ([-/]) (?=\S)"), r"\1"),  # 1960 - 1962, counts / minute
    (re.compile(r"(?<=\d): (?=\d)"), ":"),  # Matthew 18 : 21
)
_STRAIGHT = str.maketrans("‘’“”", "''\"\"")


def brown_texts(tarball: Path) -> Iterator[str]:
    """Yield the 500 texts of the packed corpus, from `ca01` to `cr09`, each one string.

    Raises `NbkitError` before the first if the file is no tarball of these texts, or not whole.
    """
    for tagged in brown_files(tarball).values():
        yield detokenize(tagged)


def brown_files(tarball: Path) -> dict[str, str]:
    """The 500 texts as they are packed, with their tags, from `ca01` to `cr09`.

    Raises `NbkitError` if the file is no tarball of these texts, or not whole.
    """
    members = packed_files(tarball)
    names = sorted(name for name in members if re.fullmatch(r"c[a-r]\d\d", name))
    if len(names) != N_TEXTS:
        raise NbkitError(f"{tarball} holds {len(names)} texts of Brown instead of {N_TEXTS}: delete it, fetch it again")
    return {name: members[name].decode("ascii") for name in names}


def packed_files(tarball: Path) -> dict[str, bytes]:
    """The files in a .tgz archive of a few megabytes, by their names without folders.

    Raises `NbkitError` if it is damaged: it is read to its end, where the sum of all that it holds stands.
    """
    try:
        with gzip.open(tarball) as file:
            contents = file.read()
        with tarfile.open(fileobj=io.BytesIO(contents)) as archive:
            members = [member for member in archive if member.isfile()]
            return {Path(member.name).name: archive.extractfile(member).read() for member in members}  # type: ignore[union-attr]
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise NbkitError(f"{tarball} is damaged ({error}): delete it, and fetch it again") from error


def detokenize(tagged: str) -> str:
    """Return one tagged Brown text as plain text, each paragraph and heading on a line."""
    return "\n".join(_set(paragraph) for paragraph in _paragraphs(tagged))


def _paragraphs(tagged: str) -> list[str]:
    """Group the words into paragraphs; what a line break tore off its text goes back to it."""
    paragraphs: list[str] = []
    is_open = False  # whether the next line continues the last paragraph
    for block in _PARAGRAPH_BREAK.split(tagged.strip("\n")):
        lines = [line for line in block.split("\n") if line.strip()]
        for line, following in zip(lines, [*lines[1:], ""], strict=True):
            words = " ".join(_TAG.sub("", line).split())
            lone_item = not following and bool(_ITEM.fullmatch(words))
            if paragraphs and (words.split(" ", 1)[0] in _CLOSING or (is_open and not lone_item)):
                paragraphs[-1] += " " + words
            else:
                paragraphs.append(words)
            is_open = (
                lone_item
                or words.rsplit(" ", 1)[-1] in _OPENING
                or bool(following and not _is_heading(line, words, following))
            )
    return paragraphs


def _is_heading(line: str, words: str, following: str) -> bool:
    """Whether a line stands alone: tagged as a heading, or an unfinished line before one that begins a sentence."""
    if _ITEM.fullmatch(words):
        return False
    if 2 * line.count("-hl") >= len(words.split()):
        return " --/-- " not in line and not following.startswith("--")  # "Austin, Texas -- A teacher"
    unfinished = line.endswith(" ") and words[-1].isalpha()
    return unfinished and words[0].isupper() and following.strip()[:1].isupper()


def _set(paragraph: str) -> str:
    """Set a paragraph's words as a printer would."""
    text = f" {paragraph} "
    if " ' " in text:
        text = _direct_single_quotes(text)
    if "**" in text:
        text = re.sub(r"\*\*y([a-z])", lambda code: _GREEK.get(code[1], code[0]), text)
        text = re.sub(r"\*\*z([a-z])", lambda code: _CAPITAL_GREEK.get(code[1], code[0]), text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text.strip().translate(_STRAIGHT)


def _direct_single_quotes(text: str) -> str:
    """Make each ' that stands alone an opening or a closing one, by turns; before punctuation it is a closing one."""
    words = text.split(" ")
    is_open = False
    for i, word in enumerate(words):
        if word == "'":
            is_open = not is_open and words[i + 1] not in _CLOSING
            words[i] = "‘" if is_open else "’"
    return " ".join(words)
