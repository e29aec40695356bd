"""The distribution's name, and the command that adds an extra, for each place that dreamkit can come from."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import PackageNotFoundError

import pytest
from conftest import ROOT
from test_tracked_files import tracked_files

from dreamkit import installation

PROJECTS = [ROOT / "pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml"))]


def project(file):
    return tomllib.loads(file.read_text())["project"]


@pytest.fixture
def recorded(monkeypatch):
    """Sets what pip recorded about the source of the installed distribution."""

    class Installed:
        text = None

        def read_text(self, name):
            assert name == "direct_url.json"
            return self.text

    installed = Installed()
    monkeypatch.setattr(installation, "distribution", lambda name: installed)
    return installed


@pytest.fixture
def checkout(tmp_path):
    """A copy of the repository, as far as its name matters."""
    folder = tmp_path / "a copy"
    (folder / "dreamkit").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nname = "deepdreamkit"\n')
    return folder


@pytest.fixture
def site(tmp_path):
    """A folder of installed packages."""
    folder = tmp_path / "site"
    (folder / "dreamkit").mkdir(parents=True)
    return folder


# Where dreamkit came from


def test_this_copy_of_the_repository_is_found():
    assert installation.source_folder() == ROOT
    assert installation.extra_command("video") == f'pip install -e ".[video]" (in {ROOT})'
    clip = installation.plugin_command("dreamkit-torch", "clip")
    assert clip == f'pip install "./plugins/dreamkit-torch[clip]" (in {ROOT})'


def test_an_installed_package_gets_its_extras_by_the_distributions_name(site, monkeypatch, recorded):
    assert installation.source_folder(site / "dreamkit") is None
    monkeypatch.setattr(installation, "source_folder", lambda: None)
    assert installation.extra_command("video") == 'pip install "deepdreamkit[video]"'
    assert installation.plugin_command("dreamkit-torch") == "pip install deepdreamkit-torch"
    assert installation.plugin_command("dreamkit-torch", "clip") == 'pip install "deepdreamkit-torch[clip]"'


def test_a_package_installed_from_a_folder_gets_its_extras_there(site, checkout, recorded):
    recorded.text = json.dumps({"url": checkout.as_uri(), "dir_info": {}})
    assert installation.source_folder(site / "dreamkit") == checkout


def test_a_folder_that_is_gone_is_not_named(site, checkout, recorded):
    recorded.text = json.dumps({"url": checkout.as_uri(), "dir_info": {}})
    (checkout / "pyproject.toml").unlink()
    assert installation.source_folder(site / "dreamkit") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"url": "https://example.org/deepdreamkit-0.1.0.tar.gz"}']
)
def test_a_record_that_names_no_folder_is_passed_over(text, site, recorded):
    recorded.text = text
    assert installation.source_folder(site / "dreamkit") is None


def test_a_package_without_metadata_is_no_error(site, monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(installation, "distribution", missing)
    assert installation.source_folder(site / "dreamkit") is None


def test_a_program_that_carries_dreamkit_is_not_its_repository(site, recorded):
    (site / "pyproject.toml").write_text('[project]\nname = "a-program"\n')
    assert installation.source_folder(site / "dreamkit") is None


def test_every_extra_that_a_message_names_exists():
    extras = project(ROOT / "pyproject.toml")["optional-dependencies"]
    calls = [
        found
        for file in (ROOT / "dreamkit").rglob("*.py")
        for found in re.findall(r"extra_command\(['\"](\w+)['\"]\)", file.read_text())
    ]
    assert calls
    assert set(calls) <= set(extras)


# What files tell people to install

OTHERS = {
    "moto",
    "opencv-python-headless",
    "rapidocr-onnxruntime",
    "s3fs",
    "tensorflow",
    "xplique",
}  # named on our pages
OPTIONS_WITH_A_VALUE = {"--constraint", "--python"}
EXCEPT = {"dreamkit/installation.py", "tests/test_installation.py"}  # they hold templates and examples
COMMAND = re.compile(r"(?:\bpip (?:install|download)|\$\(INSTALL\)) +([^`#&|;\n]+)")
ARGUMENT = re.compile(r"'[^'\s]*'|\"[^\"\s]*\"|[^\s'\"]+")
REQUIREMENT = re.compile(r"([\w./-]+?)(?:\[([\w,-]+)\])?(?:[<=>!~].*)?")


def texts():
    """Each tracked file that is text, with its name."""
    for name in tracked_files():
        try:
            yield name, (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def arguments(text):
    """What the commands of pip in `text` install, one by one."""
    for command in COMMAND.findall(text):
        found = iter(ARGUMENT.findall(command.partition(" (in ")[0]))
        for argument in found:
            if argument in OPTIONS_WITH_A_VALUE:
                next(found, None)
            elif not argument.startswith("-"):
                yield argument.strip("'\"").rstrip(".,:;)") or "."


def is_known(argument):
    """Whether `argument` is a distribution of ours or a folder, with extras that it has, or on the list."""
    match = REQUIREMENT.fullmatch(argument)
    if match is None:
        return argument == ".[$(EXTRAS)]"  # in the Makefile; test_github.py checks what it stands for
    name, extras = match[1], set((match[2] or "").split(",")) - {""}
    if name == "." or name.startswith("./"):
        file = ROOT / name / "pyproject.toml"
        return file.is_file() and extras <= set(project(file)["optional-dependencies"])
    ours = {found["name"]: set(found["optional-dependencies"]) for found in map(project, PROJECTS)}
    return extras <= ours[name] if name in ours else name in OTHERS


def test_no_file_tells_anyone_to_install_a_distribution_that_is_not_ours():
    checked = {name: text for name, text in texts() if name not in EXCEPT}
    assert {"README.md", "Makefile", "docs/batch.md", "dreamkit/models/registry.py"} <= set(checked)
    found = {name: [each for each in arguments(text) if not is_known(each)] for name, text in checked.items()}
    assert {name: each for name, each in found.items() if each} == {}


def test_no_package_needs_a_distribution_that_is_not_ours():
    page = (ROOT / "docs" / "plugins.md").read_text()
    files = [text for name, text in texts() if name.endswith("pyproject.toml")]
    files += re.findall(r"<!-- file: pyproject.toml -->\n```toml\n(.*?)```", page, re.S)
    assert len(files) >= 6
    for text in files:
        found = tomllib.loads(text)["project"]
        extras = found.get("optional-dependencies", {})
        for needed in [*found["dependencies"], *(each for extra in extras.values() for each in extra)]:
            assert is_known(needed) or not needed.startswith("dreamkit"), needed


@pytest.mark.parametrize(
    "text",
    [
        "pip install dreamkit",
        "run `pip install 'dreamkit[video]'` first",
        'pip install "dreamkit>=0.1"',
        "pip install 'deepdreamkit[films]'",
        "pip install -e '.[films]'",
        "uv pip install --python x dreamkit-places365",
        "pip install ./plugins/none",
    ],
)
def test_a_wrong_distribution_is_found(text):
    assert not all(map(is_known, arguments(text)))


@pytest.mark.parametrize(
    ("text", "installed"),
    [
        ("`pip install 'deepdreamkit[scale]'`, with", ["deepdreamkit[scale]"]),
        (".venv/bin/pip install -e '.[video]'     # PyAV", [".[video]"]),
        ("pip install ./plugins/dreamkit-places365", ["./plugins/dreamkit-places365"]),
        ("run: pip install -e '.[video]' (in FOLDER)", [".[video]"]),
        ("pip install 'opencv-python-headless<5'", ["opencv-python-headless<5"]),
        ("Run pip install -e .", ["."]),
        ("`pip install` gives it all", []),
    ],
)
def test_what_may_be_installed_is_known(text, installed):
    assert list(arguments(text)) == installed
    assert all(map(is_known, installed))
