"""Builds the documentation's site from docs/ and the code, without any connection: `make docs`.

    python scripts/build_docs.py        # writes build/docs; open build/docs/index.html

Ends with 1 if the generator warns, a link, an anchor or a picture is missing, a page is in no menu, or a page
fetches something from another server.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from documentation import links, pages

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "zensical.toml"


def in_menu(entry: Any) -> Iterator[str]:
    """The pages that the menu names."""
    if isinstance(entry, str):
        yield entry
        return
    for each in entry.values() if isinstance(entry, dict) else entry:
        yield from in_menu(each)


def main() -> int:
    project = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["project"]
    source, site = ROOT / project["docs_dir"], ROOT / project["site_dir"]
    for folder in (source, site):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        pages.gather(ROOT, source)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1

    menu = list(in_menu(project["nav"]))
    written = {page.relative_to(source).as_posix() for page in source.rglob("*.md")}
    faults = [f"{page}: is in no menu of {CONFIG.name}" for page in sorted(written - set(menu))]
    faults += [f"{CONFIG.name}: {page} does not exist" for page in sorted(set(menu) - written)]
    if not faults:
        command = [
            sys.executable,
            "-m",
            "zensical",
            "build",
            "--clean",
            "--strict",
            "--config-file",
            str(CONFIG),
        ]
        built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        output = built.stdout + built.stderr
        if built.returncode != 0 or "warning" in output.lower():
            faults.append(f"zensical ended with {built.returncode}:\n{output}")
        else:
            faults += links.faults(site)
    for fault in faults:
        print(fault, file=sys.stderr)
    if not faults:
        print(f"{len(written)} pages; open {(site / 'index.html').relative_to(ROOT)}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
