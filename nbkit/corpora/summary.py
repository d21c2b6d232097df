"""What reading a corpus gave and what it left out, in numbers and in one line."""

from dataclasses import dataclass

_SHOWN_FILES = 3


@dataclass(frozen=True)
class CorpusSummary:
    """What was read until the corpus or the number of contexts that was asked for was at its end."""

    corpus: str
    """Its name."""
    documents: int
    """With text."""
    skipped: int
    """Without any: empty, or null."""
    characters: int
    contexts: int
    length: int
    """Of a context, in tokens."""
    dropped_tokens: int
    """At the ends of documents, too few for another context."""
    repeated: int
    """Contexts with the tokens of an earlier one."""
    unique: bool
    """Whether those were left out."""
    left_out: tuple[str, ...] = ()
    """Names of the files in the corpus's folder that were not read, since their suffix is not known."""

    def __str__(self) -> str:
        skipped = f" ({self.skipped:,} without text skipped)" if self.skipped else ""
        repeated = f"{self.repeated:,} repeat an earlier one" if self.repeated else "none repeated"
        if self.repeated and self.unique:
            repeated = f"{self.repeated:,} more left out that repeat one"
        return (
            f"Corpus {self.corpus}: {_counted(self.documents, 'document')}{skipped}, "
            f"{_counted(self.characters, 'character')}; {_counted(self.contexts, 'context')} of {self.length} tokens, "
            f"{repeated}; {_counted(self.dropped_tokens, 'token')} at ends of documents dropped{self._files()}."
        )

    def _files(self) -> str:
        if not self.left_out:
            return ""
        more = ", …" if len(self.left_out) > _SHOWN_FILES else ""
        names = ", ".join(self.left_out[:_SHOWN_FILES]) + more
        return f"; {_counted(len(self.left_out), 'file')} of other kinds left out: {names}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
