"""The files of the repository: none names a folder of the machine that made it, binary files included."""

from __future__ import annotations

import lzma
import re
import shutil
import subprocess
import zipfile

import pytest
from conftest import ROOT
from PIL import Image

# Folders of users, of Python packages and for temporary files. Each must be the start of an absolute path,
# with a name after it, so that `~/Users/x` and a folder named `home` in a URL do not count.
FOLDERS = re.compile(
    rb"(?<![\w.~$}])/(?:home|Users)/[A-Za-z_][\w.-]*/"
    rb"|(?<![\w.~$}])/(?:root|tmp)/[\w.-]+"
    rb"|\b(?:site|dist)-packages[/\\]"
    rb"|\b[A-Z]:\\{1,2}Users\\"
)
# Files that name such a folder on purpose, each with what it may name.
ALLOWED = {
    "scripts/two_nodes.sh": {"/tmp/dk.XXXX"},  # mktemp's pattern
}
ALLOWED["tests/test_tracked_files.py"] = set().union(*ALLOWED.values())


def folders(data):
    """The folders of a build machine that `data` names."""
    return {match.decode("latin-1") for match in FOLDERS.findall(data)}


def contents(path):
    """The bytes of a file, and those that are compressed inside an archive or the texts of a picture."""
    yield path.read_bytes()
    if path.suffix in (".npz", ".zip"):
        with zipfile.ZipFile(path) as archive:
            yield from map(archive.read, archive.namelist())
    if path.suffix == ".step":
        yield lzma.decompress(path.read_bytes())
    if path.suffix == ".png":
        with Image.open(path) as image:
            image.load()
            yield from (text.encode() for text in image.text.values())


def listed(*options):
    """What git says of each file that it tracks."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is not a git checkout")
    listing = subprocess.run(["git", "ls-files", "-z", *options], cwd=ROOT, capture_output=True, check=True)
    return listing.stdout.decode().rstrip("\0").split("\0")


def tracked_files():
    """The names of all files that git tracks."""
    return [name for name in listed() if (ROOT / name).is_file()]


def test_lines_end_alike_on_every_system():
    """Else Git for Windows would change the shells' scripts, and files whose digests are known."""
    about = [line.partition("\t")[0].split(maxsplit=2) for line in listed("--eol")]
    assert {attributes.rstrip() for _, _, attributes in about} == {"attr/text=auto eol=lf"}
    assert {index for index, _, _ in about} <= {"i/lf", "i/none", "i/-text"}


def test_no_tracked_file_names_a_folder_of_a_build_machine():
    names = tracked_files()
    assert "tests/data/torch/convnet.onnx" in names
    found = {
        name: set().union(*map(folders, contents(ROOT / name))) - ALLOWED.get(name, set()) for name in names
    }
    assert {name: each for name, each in found.items() if each} == {}


@pytest.mark.parametrize(
    "parts",
    [
        ("", "home", "someone", "model.py"),
        ("", "Users", "Someone", "model.py"),
        ("", "root", "model.py"),
        ("", "tmp", "build", "model.py"),
        ("venv", "lib", "site-packages", "torch"),
    ],
)
def test_a_folder_of_a_build_machine_is_found_in_binary_data(parts):
    assert folders(b"\x00\x1a" + "/".join(parts).encode() + b"\xff")


def test_a_folder_of_windows_is_found():
    assert folders(b"C:" + rb"\Users" + rb"\Someone")


@pytest.mark.parametrize(
    "text", ["https://example.org/home/page", "~/Users/x/", "/home/", "/tmp", "/rooted/x"]
)
def test_other_paths_are_not_folders_of_a_build_machine(text):
    assert folders(text.encode()) == set()
