"""The one error class of nbkit: a mistake that its user can repair."""


class NbkitError(ValueError):
    """Something the user asked for cannot be done.

    The message says in one or two sentences what is wrong, where, and what to do about it. The command line
    prints the message alone and exits with status 2; a notebook or a script sees an ordinary `ValueError`.
    """
