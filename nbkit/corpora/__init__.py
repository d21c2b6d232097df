"""Text from a name, files, a data set hub or memory, cut into token contexts of one length."""

from nbkit.corpora.context_files import CONTEXT_FILES, open_contexts, write_contexts
from nbkit.corpora.contexts import Contexts
from nbkit.corpora.documents import corpus_files
from nbkit.corpora.loading import CONTEXT_LIMIT, TextModel, load_contexts

__all__ = [
    "CONTEXT_FILES",
    "CONTEXT_LIMIT",
    "Contexts",
    "TextModel",
    "corpus_files",
    "load_contexts",
    "open_contexts",
    "write_contexts",
]
