"""Markdown that a run writes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """Markdown that a notebook renders."""

    markdown: str

    def _repr_markdown_(self) -> str:
        return self.markdown
