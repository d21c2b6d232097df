"""What Hugging Face's libraries may do of their own accord while nbkit calls them: nothing that was not asked for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hub_as_asked(offline: bool) -> Iterator[None]:
    """Inside, the hub's client sends no request if `offline`, and asks no service to convert a model's files.

    The client reads its own setting (HF_HUB_OFFLINE) when it is first imported, which may be long ago: it is told here.
    """
    from huggingface_hub import constants

    name = "DISABLE_SAFETENSORS_CONVERSION"  # transformers would ask a bot for a pull request in the model's repository
    before, setting = constants.HF_HUB_OFFLINE, os.environ.get(name)
    constants.HF_HUB_OFFLINE, os.environ[name] = before or offline, "1"
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
        if setting is None:
            del os.environ[name]
        else:
            os.environ[name] = setting
