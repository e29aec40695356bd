"""What is kept between runs: whole or not at all, each owner's own, and never too much."""

from __future__ import annotations

import hashlib
import os
import stat

import pytest
from conftest import files_no_larger_than
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.engine.tf.compiled_cache import CompiledCache
from dreamkit.errors import DreamkitWarning
from dreamkit.media import signing_key


@pytest.fixture
def shelf(tmp_path):
    return CompiledCache(tmp_path / "kept", "me")


def kept(folder):
    return sorted(folder.glob("*.kept"))


def test_what_is_put_is_found_by_its_owner_alone(shelf, tmp_path):
    assert shelf.get("a") is None
    shelf.put("a", b"content")
    shelf.put("b", b"")
    again = CompiledCache(tmp_path / "kept", "me")
    assert (again.get("a"), again.get("b"), again.get("c")) == (b"content", b"", None)
    assert CompiledCache(tmp_path / "kept", "you").get("a") is None


@given(place=st.integers(0, 38), bit=st.integers(0, 7), cut=st.integers(0, 38))
def test_what_is_damaged_is_not_there(tmp_path_factory, place, bit, cut):
    folder = tmp_path_factory.mktemp("kept")
    shelf = CompiledCache(folder, "me")
    shelf.put("a", b"content")
    (path,) = kept(folder)
    whole = bytearray(path.read_bytes())
    path.write_bytes(whole[:cut])
    assert shelf.get("a") is None
    whole[place] ^= 1 << bit
    path.write_bytes(whole)
    assert shelf.get("a") is None
    shelf.put("a", b"content")
    assert shelf.get("a") == b"content"


def test_what_was_not_used_for_longest_makes_room(tmp_path):
    shelf = CompiledCache(tmp_path, "me", most_bytes=4 * (200 + 32) + 100)
    for age, key in enumerate("dcba"):
        shelf.put(key, key.encode() * 200)
        (newest,) = [path for path in kept(tmp_path) if path.stat().st_mtime > 100]
        os.utime(newest, (10 + age, 10 + age))
    assert shelf.get("d") == b"d" * 200  # and is used by that
    shelf.put("e", b"e" * 200)
    assert [shelf.get(key) is not None for key in "abcde"] == [True, True, False, True, True]


def test_one_that_would_drive_out_most_others_is_not_kept(tmp_path):
    shelf = CompiledCache(tmp_path, "me", most_bytes=100)
    shelf.put("a", b"1" * 26)
    assert kept(tmp_path) == []


def test_what_another_signed_is_not_there(shelf, tmp_path):
    shelf.put("a", b"content")
    shelf.put("b", b"more")
    (first, second) = kept(tmp_path / "kept")
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())  # under another name
    second.write_bytes(hashlib.sha256(data[32:]).digest() + data[32:])  # with a checksum
    assert (shelf.get("a"), shelf.get("b")) == (None, None)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="a system without owners of files")
def test_a_folder_or_a_key_of_others_is_refused(tmp_path, monkeypatch):
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o777)
    shared.chmod(0o777)
    CompiledCache(shared, "me").put("a", b"content")
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755
    assert stat.S_IMODE((shared / "key").stat().st_mode) == 0o600
    for number, name in enumerate(("open", "short", "linked")):
        folder = tmp_path / name
        CompiledCache(folder, "me").put("a", b"content")
        key = folder / "key"
        if number == 0:
            key.chmod(0o644)
        elif number == 1:
            key.write_bytes(b"short")
        else:
            key.rename(tmp_path / "elsewhere")
            key.symlink_to(tmp_path / "elsewhere")
        signing_key.of_folder.cache_clear()
        again = CompiledCache(folder, "me")
        with pytest.warns(DreamkitWarning, match=rf"neither read nor kept: {key} may be known to others"):
            assert again.get("a") is None
        again.put("b", b"content")
        assert len(kept(folder)) == 1
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    signing_key.of_folder.cache_clear()
    with pytest.warns(DreamkitWarning, match=rf"{shared} belongs to another user; set DREAMKIT_HOME to a"):
        assert CompiledCache(shared, "me").get("a") is None


def test_plain_data_that_is_wrong_is_not_there(shelf):
    shelf.put_plain("a", [1])
    assert shelf.get_plain("a", lambda found: found[0]) == 1
    assert shelf.get_plain("a", int) is None
    shelf.put("b", b"{")
    assert shelf.get_plain("b", int) is None


def test_a_full_disk_leaves_nothing_and_stops_nothing(tmp_path):
    shelf = CompiledCache(tmp_path, "me")
    with files_no_larger_than(1000):
        shelf.put("a", b"1" * 5000)
    assert kept(tmp_path) == []
    assert shelf.get("a") is None


def test_a_folder_that_is_in_the_way_stops_nothing(tmp_path):
    (tmp_path / "kept").write_bytes(b"a file")
    shelf = CompiledCache(tmp_path / "kept", "me")
    shelf.put("a", b"content")
    assert shelf.get("a") is None
