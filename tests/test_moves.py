"""Renames that Windows refuses while a virus scanner holds the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from dreamkit.errors import ImageError
from dreamkit.media import atomic, downloads, folders, moves


def held(winerror):
    error = PermissionError(13, "The process cannot access the file because another process uses it")
    error.winerror = winerror
    return error


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that would have been made."""
    made = []
    monkeypatch.setattr(moves, "_wait", made.append)
    return made


@pytest.fixture
def refuse(monkeypatch, pauses):
    """Lets every rename of one path to another fail a number of times."""
    real = {name: getattr(type(Path()), name) for name in ("rename", "replace")}

    def refuse(times, error):
        failed = {}

        def patched(name):
            def move(path, target):
                if failed.setdefault((path, target), 0) < times:
                    failed[path, target] += 1
                    raise error
                return real[name](path, target)

            return move

        for name in real:
            monkeypatch.setattr(type(Path()), name, patched(name))

    return refuse


def write(folder):
    atomic.write(folder / "a.txt", b"new", overwrite=True)


def write_without_links(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(folder), "hardlink_to", no_links)
        atomic.write(folder / "a.txt", b"new", overwrite=False)


def no_links(path, target):
    raise OSError(1, "this file system has no links")


def write_folder(folder):
    (folder / "x").mkdir()
    with folders.written(folder / "x") as new:
        (new / "a.txt").write_bytes(b"new")


def complete_folder(folder):
    (folder / ".dreamkit-former-x").mkdir()
    (folder / ".dreamkit-former-x" / "a.txt").write_bytes(b"new")
    folders.complete(folder)


@pytest.mark.parametrize("winerror", [5, 32])
@pytest.mark.parametrize("make", [write, write_without_links, write_folder, complete_folder])
def test_a_file_that_is_held_for_a_moment_gets_its_name(make, winerror, tmp_path, refuse, pauses):
    refuse(2, held(winerror))
    make(tmp_path)
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert (file.name, file.read_bytes()) == ("a.txt", b"new")
    assert pauses[:2] == [0.05, 0.1]


def test_a_download_that_is_held_for_a_moment_gets_its_name(tmp_path, server, refuse, pauses):
    refuse(2, held(32))
    downloads.download(server.url, tmp_path / "a.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert pauses == [0.05, 0.1]


def test_a_file_that_stays_held_is_one_error_after_a_while(tmp_path, refuse, pauses):
    refuse(100, held(5))
    with pytest.raises(ImageError, match="another process uses it"):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert sum(pauses) < 2


@pytest.mark.parametrize("error", [PermissionError(13, "no"), held(183), OSError(28, "full")])
def test_any_other_error_is_one_at_once(tmp_path, refuse, pauses, error):
    refuse(1, error)
    with pytest.raises(ImageError):
        write(tmp_path)
    assert pauses == []
