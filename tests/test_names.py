"""Names that are those of files on every system."""

from __future__ import annotations

import pytest

from dreamkit.media import paths
from dreamkit.names import is_name


@pytest.mark.parametrize(
    "name", ["a", "vgg16", "0", "mixed4a-b_c.v2", "console", "nul-b", "com10", "auxiliary.x"]
)
def test_a_name(name):
    assert is_name(name)
    assert paths.safe_name(name) == name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("", "_"),
        (".", "_"),
        ("a/b", "a_b"),
        ("-a", "a"),
        ("x.", "x"),
        (f"{'x' * 99}.y", "x" * 99),
        ("nul", "nul_"),
        ("Aux", "Aux_"),
        ("con.tar.gz", "con_.tar.gz"),
        ("COM1", "COM1_"),
        ("nul\n", "nul_"),
    ],
)
def test_what_is_no_name_becomes_one_of_a_file(name, safe):
    assert paths.safe_name(name) == safe
    assert not is_name(name) or len(name) > 100
