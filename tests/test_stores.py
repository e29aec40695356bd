"""Places that fsspec knows: whatever it raises is one line, and nothing is written into nothing."""

from __future__ import annotations

import os
import pickle
from pathlib import PurePosixPath, PureWindowsPath

import pytest

from dreamkit.errors import ImageError, StoreError
from dreamkit.jobs.batch import inputs, source
from dreamkit.media import remote, storage

pytest.importorskip("fsspec", reason="fsspec is not installed")


def test_a_store_writes_whole(tmp_path):
    place = storage.open_store(f"file://{tmp_path}/store")
    place.check()
    place.write("a/b.png", b"one")
    place.write("a/b.png", memoryview(b"another"))
    assert place.sizes() == {"a/b.png": 7}
    assert pickle.loads(pickle.dumps(place)).read("a/b.png") == b"another"
    place.remove("a/b.png")
    place.remove("a/b.png")
    assert place.sizes() == {}
    with pytest.raises(FileNotFoundError):
        place.read("a/b.png")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nowhere://x", "fsspec knows no protocol 'nowhere'"),
        ("://x", "fsspec knows no protocol ''"),
        ("a::b://x", "fsspec knows no protocol 'a'"),
        ("no\x1b[31m://x", r"fsspec knows no protocol 'no\\x1b\[31m'"),
        ("zip://x", "cannot be"),
        ("tar://x", "cannot be"),
        ("dir://x", "cannot be"),
        ("generic://x", "cannot be"),
        ("reference://x", "cannot be"),
        ("simplecache://x", "cannot be"),
        ("asyncwrapper://x", "cannot be"),
        ("github://x", "cannot be"),
        ("memory://x", "is gone when this process ends"),
        ("dir::memory://x", "is gone when this process ends"),
        ("simplecache::memory://x", "is gone when this process ends"),
    ],
)
def test_what_cannot_be_opened_is_one_line(url, why):
    for run in (storage.open_store, remote.read, lambda url: inputs.expand([url])):
        with pytest.raises(StoreError, match=why) as raised:
            run(url)
        assert len(str(raised.value).splitlines()) == 1
    with pytest.raises(ImageError, match=why):
        source.read(url)


@pytest.mark.parametrize(
    ("do", "what"),
    [
        (lambda place: place.write("a", b""), "cannot write"),
        (lambda place: place.remove("a"), "cannot remove"),
        (lambda place: place.read("a"), "cannot be read"),
        (lambda place: place.sizes(), "cannot be read"),
    ],
)
@pytest.mark.parametrize("error", [NotImplementedError(), RuntimeError("one\ntwo"), KeyError("x")])
def test_what_a_file_system_raises_is_one_line(monkeypatch, tmp_path, do, what, error):
    from fsspec.implementations.local import LocalFileSystem

    def fail(*_, **__):
        raise error

    for name in ("pipe_file", "rm_file", "open", "find"):
        monkeypatch.setattr(LocalFileSystem, name, fail)
    monkeypatch.setattr(remote.files, "read", fail)
    with pytest.raises(StoreError, match=what) as raised:
        do(storage.open_store(f"file://{tmp_path}"))
    assert len(str(raised.value).splitlines()) == 1


def test_a_url_of_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "it.png")
    with pytest.raises(ImageError, match="not a file but a pipe"):
        source.read(f"file://{tmp_path}/it.png")
    with pytest.raises(ImageError, match="does not exist"):
        source.read(f"file://{tmp_path}/none.png")


@pytest.mark.parametrize("url", ["zip://it.png::file://{0}/it.zip", "file://{0}/it.png"])
def test_a_file_at_a_url_is_bounded(monkeypatch, tmp_path, url):
    import zipfile

    with zipfile.ZipFile(tmp_path / "it.zip", "w") as archive:
        archive.writestr("it.png", b"1234")
    (tmp_path / "it.png").write_bytes(b"1234")
    url = url.format(tmp_path)
    assert source.read(url) == b"1234"
    monkeypatch.setattr(remote, "_MOST_BYTES", 3)
    with pytest.raises(ImageError, match="than 3 bytes"):
        source.read(url)


@pytest.mark.parametrize(
    ("where", "flavour", "name"),
    [
        ("s3://bucket/photos/a b.png", PureWindowsPath, "a b.png"),
        (r"C:\photos\a.png", PureWindowsPath, "a.png"),
        ("photos/a.png", PureWindowsPath, "a.png"),
        (r"photos\a.png", PureWindowsPath, "a.png"),
        (r"photos/a\b.png", PurePosixPath, r"a\b.png"),
    ],
)
def test_the_name_of_a_picture_is_without_its_folders_on_every_system(where, flavour, name):
    assert remote.name_of(where, flavour) == name
