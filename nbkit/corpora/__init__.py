"""Text from a name, a file or a data set hub, cut into token contexts of one length."""

from nbkit.corpora.contexts import CONTEXT_LIMIT, Contexts, TextModel, load_contexts

__all__ = ["CONTEXT_LIMIT", "Contexts", "TextModel", "load_contexts"]
