"""Docstrings as Markdown."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^Example::\n\n((?: {4}.*\n?|\n)+)", re.M)


class ExampleBlocks(griffe.Extension):
    """Reads an `Example::` with indented lines, as editors show it, as Python in a fence."""

    def on_instance(self, *, obj: Any, **_given: Any) -> None:
        """Rewrites the docstring of anything that has one."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(docstring: str) -> str:
    """The docstring with a fence in place of indentation."""
    return _EXAMPLE.sub(
        lambda match: f"Example:\n\n```python\n{textwrap.dedent(match[1]).rstrip()}\n```\n\n", docstring
    )
