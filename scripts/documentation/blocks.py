"""The blocks of code on a page, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
# A command at the start of a line, perhaps after a prompt, in a container, or by its path.
_COMMAND = re.compile(r"^(?:\$ )?(?:docker run .* |\S+/bin/)?dreamkit (.+)$", re.M)
_SHELL = re.compile(r"[|&;<>]+|\d?>.*")


def blocks(text: str, *languages: str) -> list[str]:
    return [block for language, block in BLOCK.findall(text) if language in languages]


def lines(text: str) -> Iterator[str]:
    """What is typed after `dreamkit`, of each command in blocks of code."""
    for block in blocks(text, "", "bash", "sh"):
        yield from _COMMAND.findall(re.sub(r"\\\n\s*", "", block))


def words(line: str) -> list[str]:
    """The arguments of a command, up to a pipe or a redirection."""
    found = []
    for word in shlex.split(line, comments=True):
        if _SHELL.fullmatch(word):
            break
        found.append(word)
    return found
