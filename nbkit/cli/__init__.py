"""The command line."""

from nbkit.cli.commands import app, main

__all__ = ["app", "main"]
