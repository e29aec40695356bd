"""What is kept between runs: whole or not at all, each owner's own, and never too much."""

from __future__ import annotations

import os

import pytest
from conftest import files_no_larger_than
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.engine.tf.compiled_cache import CompiledCache


@pytest.fixture
def shelf(tmp_path):
    return CompiledCache(tmp_path / "kept", "me")


def kept(folder):
    return sorted(folder.iterdir())


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
