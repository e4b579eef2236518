"""The reference of the command line: every command's own help text."""

import argparse
import re
from collections.abc import Iterator

from vestibular.commands.cli import parser

WIDTH = 88
"""Characters of a line in a help text."""


class _Formatter(argparse.HelpFormatter):
    """The same on every terminal."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=WIDTH)


def as_markdown() -> str:
    """Return a section for each command, with its help text."""
    top = parser()
    sections = [f"```text\n{_help(top)}```\n"]
    for name, command in _subcommands(top):
        sections.append(f"## vestibular {name}\n\n```text\n{_help(command)}```\n")
    return "\n".join(sections)


def _subcommands(
    above: argparse.ArgumentParser, name: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in above._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, command in action.choices.items():
                if command.prefix_chars == "\0":
                    # a program of its own
                    from neptune_server.command import parser as server

                    command = server()
                full = f"{name} {word}".strip()
                yield full, command
                yield from _subcommands(command, full)


def _help(command: argparse.ArgumentParser) -> str:
    command.formatter_class = _Formatter
    return re.sub(r"\n{3,}", "\n\n", command.format_help())
