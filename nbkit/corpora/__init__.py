"""Text from a name, a file or a data set hub, cut into token contexts of one length."""

from nbkit.corpora.contexts import Contexts, TextModel, load_contexts

__all__ = ["Contexts", "TextModel", "load_contexts"]
