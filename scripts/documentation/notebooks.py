"""Notebooks as pages."""

from __future__ import annotations

import json
import re
from pathlib import Path

_BADGE = re.compile(r"^\[!\[Open in Colab\]\([^)]+\)\]\(([^)]+)\)$", re.M)


def page(file: Path) -> str:
    """The cells of a notebook as Markdown. Its badge, a picture of another server, becomes a link."""
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join(_cell(cell["cell_type"], "".join(cell["source"])) for cell in cells)
    links = rf"This page is a notebook: [download it]({file.name}), or [open it in Colab](\1)."
    return _BADGE.sub(links, text) + "\n"


def _cell(kind: str, source: str) -> str:
    return f"```python\n{source}\n```" if kind == "code" else source
