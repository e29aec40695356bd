"""The pages of the site: those of docs/, others of the repository, and those that are made from the code."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from documentation import commands, notebooks, recipes

# Pages that lie elsewhere in the repository, and what they are called on the site.
ELSEWHERE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
    "dreamkit/models/pocket.md": "pocket.md",
    "plugins/dreamkit-keras-applications/README.md": "plugin-keras-applications.md",
    "plugins/dreamkit-places365/README.md": "plugin-places365.md",
    "plugins/dreamkit-torch/README.md": "plugin-torch.md",
}
MADE: dict[str, Callable[[], str]] = {"commands.md": commands.page, "recipe-files.md": recipes.page}
ICON = "dreamkit/web/app/public/icon.svg"

_LINK = re.compile(r"(?<=\]\()(?!\w+:|#|//)([^)#\s]+)")


def gather(root: Path, folder: Path) -> None:
    """Writes what the site is built from into the new folder `folder`: Markdown, pictures, notebooks.

    Raises:
        ValueError: a page links to a file that the site does not have.
    """
    shutil.copytree(root / "docs", folder)
    shutil.copy(root / ICON, folder / "icon.svg")
    for name, make in MADE.items():
        (folder / name).write_text(make(), encoding="utf-8")
    for page in sorted(folder.rglob("*.ipynb")):
        page.with_suffix(".md").write_text(notebooks.page(page), encoding="utf-8")
    for page in sorted((root / "docs").rglob("*.md")):
        _link_anew(root, folder, page, page.relative_to(root / "docs").as_posix())
    for name, target in ELSEWHERE.items():
        _link_anew(root, folder, root / name, target)


def _link_anew(root: Path, folder: Path, page: Path, target: str) -> None:
    """Writes a page of the repository as `target` of the site, with links that hold there."""

    def place(match: re.Match[str]) -> str:
        linked = Path(os.path.normpath(page.parent / match[1])).relative_to(root).as_posix()
        there = _place(linked)
        if there is None or (not (folder / there).exists() and there not in ELSEWHERE.values()):
            raise ValueError(f"{page.relative_to(root)} links to {match[1]}, which is not on the site")
        return PurePosixPath(os.path.relpath(there, PurePosixPath(target).parent)).as_posix()

    text = page.read_text(encoding="utf-8")
    (folder / target).write_text(_LINK.sub(place, text), encoding="utf-8")


def _place(name: str) -> str | None:
    """Where the site has a file of the repository; None if it does not."""
    if name in ELSEWHERE:
        return ELSEWHERE[name]
    if name == "README.md":
        return "index.md"
    if not name.startswith("docs/"):
        return None
    return name.removeprefix("docs/").replace(".ipynb", ".md")
