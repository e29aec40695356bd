"""Runs the code of a notebook without Jupyter: `python notebook.py NOTEBOOK FOLDER`.

The working folder is FOLDER, and what a cell shows is written there, as `CELL.png` or `CELL.txt`. The first
code cell, which installs packages, is left out. Warnings of dreamkit are errors.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import types
import warnings
from pathlib import Path


class Shown:
    """In place of `IPython.display.Image`."""

    def __init__(self, filename):
        self.data = Path(filename).read_bytes()

    def _repr_png_(self):
        return self.data


def run(notebook, folder):
    cells = [cell for cell in json.loads(Path(notebook).read_text())["cells"] if cell["cell_type"] == "code"]
    os.chdir(folder)
    display = types.ModuleType("IPython.display")
    display.Image = Shown
    ipython = types.ModuleType("IPython")
    ipython.display, ipython.get_ipython = display, lambda: types.SimpleNamespace(kernel=None)
    sys.modules |= {"IPython": ipython, "IPython.display": display}
    names = {"__name__": "__main__"}
    for number, cell in enumerate(cells[1:], 1):
        tree = ast.parse("".join(cell["source"]), f"{Path(notebook).name}, code cell {number}")
        last = ast.Expression(tree.body.pop().value) if isinstance(tree.body[-1], ast.Expr) else None
        for part in (tree, last):
            if part is not None:
                kind = "exec" if part is tree else "eval"
                value = eval(compile(part, f"code cell {number}", kind), names)
        if last is None or value is None:
            continue
        if hasattr(value, "_repr_png_"):
            Path(f"cell-{number}.png").write_bytes(value._repr_png_())
        else:
            Path(f"cell-{number}.txt").write_text(repr(value))


if __name__ == "__main__":
    from dreamkit import DreamkitWarning

    warnings.simplefilter("error", DreamkitWarning)
    run(*sys.argv[1:])
