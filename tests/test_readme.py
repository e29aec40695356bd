"""The facts of README and docs are the code's."""

from __future__ import annotations

import inspect
import re

import pytest
import typer
from conftest import ROOT

from dreamkit import config
from dreamkit.option_table import default_text, describe

START = (ROOT / "docs" / "index.md").read_text()
OPTIONS = ROOT / "docs" / "options.md"


def options_table() -> str:
    """The docs' table of options, made from `DreamConfig`. `python tests/test_readme.py` puts it there."""
    rows = ["| option | default | what it does |", "|---|---|---|"]
    for name in config.option_names():
        flag = f"--{name.replace('_', '-')}"
        shown = default_text(name)
        if isinstance(config.default(name), bool):
            flag, shown = f"{flag}`, `--no-{name}", "on" if config.default(name) else "off"
        if name == "schedule":  # a recipe's alone
            continue
        rows.append(f"| `{flag}` | {shown} | {describe(name)} |")
    return "\n".join(rows)


def test_the_options_are_those_of_the_config():
    table = re.search(r"<!-- options -->\n\n(.*)\n\n<!-- end of options -->", OPTIONS.read_text(), re.S)
    assert table
    assert table[1] == options_table()


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
)
def test_what_a_page_shows_exists(page):
    paths = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / page).read_text())
    for path in paths:
        assert (ROOT / page).parent.joinpath(path).is_file(), path


def test_the_way_through_the_code_names_modules_that_exist():
    rows = re.findall(r"^\| [^|]+ \| `([^`]+)` \| (.+) \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.M)
    assert len(rows) > 20
    for place, modules in rows:
        assert (ROOT / place).exists(), place
        for name in re.findall(r"`([a-z_0-9]+)`", modules):
            found = [ROOT / place / f"{name}{suffix}" for suffix in (".py", "")]
            assert any(path.exists() for path in found), f"{place}{name}"


def test_the_start_names_every_command():
    from dreamkit.cli import app

    known = set(typer.main.get_command(app).commands)
    assert set(re.findall(rf"`?dreamkit ({'|'.join(known)})\b", START)) == known


def test_every_option_of_convert_is_on_its_page():
    from dreamkit.cli import convert

    page = (ROOT / "docs" / "convert.md").read_text()
    options = {
        parameter
        for command in (convert.caffe, convert.onnx, convert.keras)
        for parameter in inspect.signature(command).parameters
    }
    for option in options - {"prototxt", "caffemodel", "file", "quiet"}:
        assert f"`--{option.replace('_', '-')}`" in page, option


def test_every_option_of_the_page_is_on_its_page():
    from dreamkit.cli import web

    page = (ROOT / "docs" / "browser.md").read_text()
    options = {name for command in (web.web, web.serve) for name in inspect.signature(command).parameters}
    for option in options - {"folder", "quiet", "verbose"}:
        assert f"--{'no-browser' if option == 'browser' else option}`" in page, option


def test_every_option_of_films_is_on_its_page():
    from dreamkit.cli import dream_options, film, zoom

    page = (ROOT / "docs" / "films.md").read_text()
    options = {name for command in (zoom.zoom, film.film) for name in inspect.signature(command).parameters}
    # Those of a dream are on the page of options.
    shared = {each.name for each in dream_options.parameters()} - {"zoom", "rotate", "blend"}
    for option in options - shared - {"image", "source", "quiet", "verbose"}:
        assert f"--{option.rstrip('_').replace('_', '-')}`" in page, option


def test_every_option_of_a_batch_is_on_its_page():
    from dreamkit.cli import batch, dream_options

    page = (ROOT / "docs" / "batch.md").read_text()
    shared = {each.name for each in dream_options.parameters()}
    own = set(inspect.signature(batch.batch).parameters) - shared
    for option in own - {"inputs", "output", "ending", "as_json", "quiet", "verbose"} | {"format", "json"}:
        assert f"--{option.replace('_', '-')}`" in page, option


def test_what_others_options_are_called_here_exists():
    from dreamkit import vis
    from dreamkit.cli import app
    from dreamkit.recipes import library

    page = (ROOT / "docs" / "comparison.md").read_text()
    ours = "\n".join(re.findall(r"\| ([^|]+) \|$", page[page.index("## Changing over") :], re.M))
    commands = typer.main.get_command(app).commands
    known = {option for name in ("dream", "zoom") for each in commands[name].params for option in each.opts}
    found = set(re.findall(r"--[a-z][a-z0-9-]+", ours))
    assert len(found) > 25
    assert found <= known
    assert set(re.findall(r"--recipe ([a-z-]+)", page)) <= set(library.built_in())
    assert set(re.findall(r"\bvis\.(\w+)", ours)) <= set(vis.__all__)
    for name in re.findall(r"`(\w+)=", ours):
        assert name in (*config.option_names(), "size"), name


if __name__ == "__main__":
    text = re.sub(
        r"(<!-- options -->\n\n).*(\n\n<!-- end of options -->)",
        lambda match: f"{match[1]}{options_table()}{match[2]}",
        OPTIONS.read_text(),
        flags=re.S,
    )
    OPTIONS.write_text(text)
