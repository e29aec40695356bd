"""Where this dreamkit was installed from, and the command that adds an extra to it."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

DISTRIBUTION = "deepdreamkit"  # the name to install; `dreamkit` is the name to import, and the command


def install_command() -> str:
    """The command that installs dreamkit again, with what it needs, for a message; see `extra_command`."""
    folder = source_folder()
    return f"pip install {DISTRIBUTION}" if folder is None else f"pip install -e . (in {folder})"


def gpu_command() -> str:
    """The command that installs what TensorFlow needs for a GPU of NVIDIA."""
    return 'pip install "tensorflow[and-cuda]"'


def extra_command(extra: str) -> str:
    """The command that installs what `extra` needs, for a message.

    `extra` is a key of `project.optional-dependencies` in pyproject.toml. A dreamkit that came from a copy of
    the repository gets it from there, and the command names the folder in which it must be run. Every shell
    takes these quotes, also Windows' command prompt.
    """
    folder = source_folder()
    if folder is None:
        return f'pip install "{DISTRIBUTION}[{extra}]"'
    return f'pip install -e ".[{extra}]" (in {folder})'


def plugin_command(folder: str, extra: str = "") -> str:
    """The command that installs the plugin in `folder` of `plugins`, for a message; see `extra_command`.

    `extra` is one of the plugin's own.
    """
    source = source_folder()
    if source is None or not (source / "plugins" / folder / "pyproject.toml").is_file():
        return _install(f"{DISTRIBUTION}-{folder.removeprefix('dreamkit-')}", extra)
    return f"{_install(f'./plugins/{folder}', extra)} (in {source})"


def _install(what: str, extra: str) -> str:
    return f'pip install "{what}[{extra}]"' if extra else f"pip install {what}"


def source_folder(package: Path = Path(__file__).parent) -> Path | None:
    """The copy of the repository that `package` is in or was installed from; None if there is none here."""
    recorded = _recorded_folder()
    for folder in (package.parent, *([] if recorded is None else [recorded])):
        if _is_ours(folder / "pyproject.toml"):
            return folder
    return None


def _recorded_folder() -> Path | None:
    """The local folder that pip or uv recorded as the source of this distribution (PEP 610)."""
    from urllib.parse import urlsplit  # only for a message
    from urllib.request import url2pathname

    try:
        record = json.loads(distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
        url = urlsplit(record["url"])
    except (PackageNotFoundError, OSError, ValueError, KeyError, TypeError):
        return None
    return Path(url2pathname(url.path)) if url.scheme == "file" else None


def _is_ours(file: Path) -> bool:
    """Whether `file` is the pyproject.toml of this distribution, and not of a program that holds a copy."""
    try:
        return f'name = "{DISTRIBUTION}"' in file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return False
