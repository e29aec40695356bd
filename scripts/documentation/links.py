"""Whether the built site is whole.

Every link, anchor and picture is there, nothing comes from another server, and no table is left as text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself, by tag and attribute. A link that somebody follows may lead anywhere.
_FETCHED = {
    *(("img", "src"), ("script", "src"), ("source", "src"), ("video", "src"), ("audio", "src")),
    *(("iframe", "src"), ("embed", "src"), ("object", "data"), ("link", "href"), ("video", "poster")),
}
_FOLLOWED = {("a", "href")}
_IN_STYLES = re.compile(r"url\(\s*[\"']?([^\"')\s]+)|@import\s+[\"']([^\"']+)")


class _Page(HTMLParser):
    """The anchors of a page and what it links to, each with whether a browser fetches it by itself."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.anchors = {"", "top"}
        self.links: list[tuple[str, bool]] = []
        self.broken_tables: list[str] = []
        self._tag = ""
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        given = {name: value for name, value in attrs if value is not None}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        for name, value in given.items():
            if (tag, name) in _FETCHED | _FOLLOWED:
                self.links.append((value, (tag, name) in _FETCHED))

    def handle_data(self, data: str) -> None:
        if self._tag == "p" and data.startswith("|"):
            self.broken_tables.append(data.splitlines()[0])


def faults(site: Path) -> list[str]:
    """What is wrong with the site in this folder, one line each."""
    pages = {file: _Page(file) for file in sorted(site.rglob("*.html"))}
    found = [
        f"{file.relative_to(site)}: {fault}"
        for file, page in pages.items()
        for link, fetched in page.links
        if (fault := _fault(site, pages, file, link, fetched))
    ]
    found += [
        f"{file.relative_to(site)}: has a table that is none (the line before it must be empty): {text}"
        for file, page in pages.items()
        for text in page.broken_tables
    ]
    for style in sorted(site.rglob("*.css")):
        for link in _of_a_style(style):
            if fault := _fault(site, pages, style, link, fetched=True):
                found.append(f"{style.relative_to(site)}: {fault}")
    return found


def _of_a_style(file: Path) -> Iterator[str]:
    for match in _IN_STYLES.finditer(file.read_text(encoding="utf-8")):
        yield match[1] or match[2]


def _fault(site: Path, pages: dict[Path, _Page], file: Path, link: str, fetched: bool) -> str | None:
    parts = urlsplit(link)
    if parts.scheme == "data":
        return None
    if parts.scheme or parts.netloc:
        return f"is fetched from another server: {link}" if fetched else None
    start = site if parts.path.startswith("/") else file.parent
    target = Path(os.path.normpath(start / unquote(parts.path).lstrip("/"))) if parts.path else file
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return f"links to what is not there: {link}"
    if target in pages and unquote(parts.fragment) not in pages[target].anchors:
        return f"links to an anchor that is not there: {link}"
    return None
