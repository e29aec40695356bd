"""Archives of arrays are read as NumPy reads them, and refused before they take memory."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from dreamkit.media import arrays

MOST = 1 << 20
found = st.dictionaries(
    st.text("abc/:_0123", min_size=1, max_size=8),
    npst.arrays(npst.scalar_dtypes(), npst.array_shapes(min_dims=0, min_side=0, max_side=5)),
    max_size=4,
)


@given(found, st.booleans(), st.booleans())
def test_what_numpy_wrote_is_read(found, packed, by_columns):
    file = io.BytesIO()
    found = {name: np.asarray(each, order="F" if by_columns else "C") for name, each in found.items()}
    (np.savez_compressed if packed else np.savez)(file, **found)
    read = arrays.read_from(file, MOST)
    assert read.keys() == found.keys()
    for name, each in found.items():
        assert (read[name].dtype, read[name].shape) == (each.dtype, each.shape)
        assert read[name].tobytes() == each.tobytes()
        assert read[name].flags.writeable


def archive(header=b"", data=b"", *, name="a.npy"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr(name, header + data)
    return file.getvalue()


def header(shape, dtype="<f4"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


WRONG = {
    "empty": b"",
    "no archive": b"no archive",
    "no array": archive(b"no array"),
    "fewer bytes than its shape": archive(header((1 << 40,)), bytes(8)),
    "more bytes than its shape": archive(header((1,)), bytes(8)),
    "a negative shape": archive(header((-1,)), bytes(4)),
    "objects": archive(header((2,), "|O"), bytes(16)),
    "more than MOST": archive(header((2 << 18,)), bytes(2 << 20)),
    "another edition": archive(b"\x93NUMPY\x03\x00" + header((1,))[8:], bytes(4)),
    "cut off": archive(header((2,)), bytes(8))[:-30],
}


# Names, because an archive holds the time, and two workers have to collect the same tests.
@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_error(data, tmp_path):
    with pytest.raises(ValueError, match=r"."):
        arrays.read_from(io.BytesIO(data), MOST)
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(ValueError, match=r"."):
        arrays.read(tmp_path / "a.npz", MOST)


def test_a_file_that_is_too_large_is_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(bytes(100))
    with pytest.raises(OSError, match="more than 99 bytes"):
        arrays.read(tmp_path / "a.npz", 99)


def test_only_the_arrays_that_are_wanted_count():
    file = io.BytesIO()
    np.savez(file, small=np.zeros(4), large=np.zeros(1 << 20))
    assert arrays.read_from(file, MOST, ("small",)).keys() == {"small"}
