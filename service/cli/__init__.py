"""The command line: one file for each group of commands, imported when one of its commands is run."""

from service.cli.command_line import main

__all__ = ["main"]
