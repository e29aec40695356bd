"""The docs: what they tell people to type is understood, and the site has a page of everything."""

from __future__ import annotations

import ast
import re
import tomllib
from itertools import pairwise

import pytest
import typer
from conftest import ROOT

import build_docs
import dreamkit
from documentation import commands, links, pages
from documentation.blocks import BLOCK, blocks, lines, words
from dreamkit import vis
from dreamkit.cli import app
from dreamkit.errors import UsageError
from dreamkit.plugins import hookspecs
from dreamkit.recipes import library
from dreamkit.terms import DEPTHS

PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")), *pages.ELSEWHERE]
CLI = typer.main.get_command(app)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def typed(text):
    """The arguments of each command in blocks of code, as a shell would split them."""
    return map(words, lines(text))


def mentioned(text):
    """The same of commands in a sentence, which may lack what must be given."""
    prose = BLOCK.sub("", text)
    yield from (words(code) for code in re.findall(r"`dreamkit ([^`\n]+)`", prose) if "..." not in code)


def parse(arguments, command=CLI, parent=None):
    """Parses a command line by the real commands, and runs nothing.

    Raises:
        LookupError: there is no such command.
    """
    if not hasattr(command, "list_commands"):
        return command.make_context(command.name, arguments, parent=parent)
    if not arguments or arguments[0].startswith("-"):
        return None  # a group alone, or with --version or --help
    context = command.make_context(command.name, [], parent=parent, resilient_parsing=True)
    below = command.get_command(context, arguments[0])
    if below is None:
        raise LookupError(f"there is no command {arguments[0]}")
    return parse(arguments[1:], below, context)


def fault(arguments, whole=True):
    """What is wrong with a command line, or None."""
    try:
        context = parse([each for each in arguments if each not in ("-h", "--help")])
    except LookupError as error:
        return str(error)
    except UsageError as error:  # a converter of a plugin that is not installed here
        return None if "comes with a plugin" in str(error) else str(error)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        message = error.format_message()
        return message if whole or not re.search("Missing|requires an argument", message) else None
    recipes = (context.params.get("recipe") if context else None) or []
    for recipe in [recipes] if isinstance(recipes, str) else recipes:
        if context.info_name != "recipes" and "." not in recipe and recipe not in library.built_in():
            return f"there is no recipe {recipe}"
    return None


# Of the plugins on this page, which `test_parts.py` installs: no command here has their options.
OF_PLUGINS = {"docs/parts.md": r"--standouts-threshold|--momentum-share|recipe poster"}


@pytest.mark.parametrize("page", PAGES)
def test_commands_on_a_page_are_understood(page):
    text = read(page)
    found = [(each, fault(each)) for each in typed(text)]
    found += [(each, fault(each, whole=False)) for each in mentioned(text)]
    allowed = OF_PLUGINS.get(page, "$^")
    assert [each for each in found if each[1] and not re.search(allowed, each[1])] == []


@pytest.fixture(scope="module")
def layers_of_pocket():
    return set(dreamkit.load("pocket").layers)


def unknown_layers(arguments, known):
    """Layers that a command line names, and the default network, which it dreams with, lacks."""
    if {"-m", "--model", "-r", "--recipe", "convert"} & {*arguments}:
        return []
    given = [text for flag, text in pairwise(arguments) if flag in ("-l", "--layers")]
    names = [re.split("[:@=]", term)[0] for text in given for term in text.split(",")]
    return [name for name in names if name not in {*known, *DEPTHS} and not name.endswith("%")]


@pytest.mark.parametrize("page", PAGES)
def test_the_default_network_has_the_layers_on_a_page(page, layers_of_pocket):
    assert [each for each in typed(read(page)) if unknown_layers(each, layers_of_pocket)] == []


def test_examples_in_helps_are_understood_and_the_default_network_has_their_layers(layers_of_pocket):
    helps = [context.command.help or "" for context in commands.leaves()]
    found = [words(line) for text in helps for line in re.findall(r"^\s*dreamkit (.+)$", text, re.M)]
    assert len(found) > 15
    assert [(each, fault(each)) for each in found if fault(each)] == []
    assert [each for each in found if unknown_layers(each, layers_of_pocket)] == []


def test_commands_are_found_on_the_pages():
    assert len([each for page in PAGES for each in typed(read(page))]) > 150
    assert len([each for page in PAGES for each in mentioned(read(page))]) > 100


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("dreamkit dream a.jpg  # as it is", ["dream", "a.jpg"]),
        ("$ dreamkit dream a.jpg > out.txt", ["dream", "a.jpg"]),
        (".venv/bin/dreamkit dream 'a b.jpg' \\\n    -o b.png | cat", ["dream", "a b.jpg", "-o", "b.png"]),
        ('docker run -v "$PWD:/pictures" dreamkit dream a.jpg', ["dream", "a.jpg"]),
    ],
)
def test_a_command_is_split_as_by_a_shell(text, arguments):
    assert list(typed(f"```\n{text}\n```\n")) == [arguments]


@pytest.mark.parametrize(
    "line",
    [
        "dreem a.jpg",
        "dream a.jpg --colur keep",
        "zoom a.jpg",
        "dream --recipe shels",
        "concept lern x",
        "zoom -o",
    ],
)
def test_a_wrong_command_is_found(line):
    assert fault(line.split())


@pytest.mark.parametrize("page", PAGES)
def test_python_and_toml_on_a_page_can_be_read(page):
    for block in blocks(read(page), "python"):
        tree = ast.parse(block)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if node.value.id == "dreamkit":
                    assert hasattr(dreamkit, node.attr), node.attr
                if node.value.id == "vis":
                    assert hasattr(vis, node.attr), node.attr
    for block in blocks(read(page), "toml"):
        tomllib.loads(block)


# The site


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """What the site is built from."""
    folder = tmp_path_factory.mktemp("site") / "source"
    pages.gather(ROOT, folder)
    return folder


def test_every_page_is_in_the_menu_once(source):
    menu = list(build_docs.in_menu(tomllib.loads(read("zensical.toml"))["project"]["nav"]))
    assert len(menu) == len(set(menu))
    assert set(menu) == {page.relative_to(source).as_posix() for page in source.rglob("*.md")}


def test_links_to_pages_elsewhere_in_the_repository_lead_to_their_page_on_the_site(source):
    assert "](docs/parts.md)" in read("CHANGELOG.md")
    assert "](parts.md)" in (source / "changelog.md").read_text()
    assert "](plugin-torch.md)" in (source / "convert.md").read_text()
    assert "](reporting.md)" in (source / "security.md").read_text()
    assert "](notebooks/film.md)" in (source / "films.md").read_text()


def test_a_link_to_what_is_not_on_the_site_is_named(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("[the code](../dreamkit/api.py)")
    (tmp_path / pages.ICON).parent.mkdir(parents=True)
    (tmp_path / pages.ICON).write_text("<svg/>")
    with pytest.raises(ValueError, match=r"docs/a\.md links to \.\./dreamkit/api\.py"):
        pages.gather(tmp_path, tmp_path / "source")


def test_a_notebook_is_a_page_that_fetches_nothing(source):
    text = (source / "notebooks" / "first-dream.md").read_text()
    assert "[download it](first-dream.ipynb)" in text
    assert "![" not in text
    assert "```python\nimport numpy" in text
    assert (source / "notebooks" / "first-dream.ipynb").is_file()


def test_the_page_of_commands_has_every_option(source):
    text = (source / "commands.md").read_text()
    found = list(commands.leaves())
    assert {"dreamkit dream", "dreamkit concept learn", "dreamkit convert onnx", "dreamkit export web"} <= {
        context.command_path for context in found
    }
    options = (source / "options.md").read_text()
    for context in found:
        assert f"\n## {context.command_path}\n" in text
        for parameter in context.command.params:
            if not parameter.hidden and parameter.param_type_name == "option":
                assert any(f"`{flag}" in text + options for flag in parameter.opts), parameter.name


def test_the_page_of_recipes_has_all_of_them_as_they_are_read(source):
    text = (source / "recipe-files.md").read_text()
    assert re.findall(r"^## (.+)$", text, re.M) == library.built_in()


@pytest.mark.parametrize(("page", "module"), [("api", dreamkit), ("vis", vis)])
def test_the_reference_has_every_public_name_once(page, module):
    found = re.findall(rf"^::: {module.__name__}\.(\w+)$", read(f"docs/{page}.md"), re.M)
    assert sorted(found) == sorted(set(module.__all__) - {"__version__"})


def test_the_reference_has_every_hook():
    hooks = [name for name in vars(hookspecs) if name.startswith("dreamkit_")]
    assert re.findall(r"^ +- (dreamkit_\w+)$", read("docs/hooks.md"), re.M) == hooks


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('<a href="b.html">', "links to what is not there: b.html"),
        ('<a href="#b">', "links to an anchor that is not there: #b"),
        ('<a href="a.html#b">', "links to an anchor that is not there: a.html#b"),
        ('<img src="b.jpg">', "links to what is not there: b.jpg"),
        (
            '<img src="https://example.org/b.jpg">',
            "is fetched from another server: https://example.org/b.jpg",
        ),
        ('<script src="//example.org/b.js"></script>', "is fetched from another server: //example.org/b.js"),
        ("<p>| a | b |</p>", "has a table that is none (the line before it must be empty): | a | b |"),
    ],
)
def test_a_fault_of_the_site_is_named(tmp_path, body, message):
    (tmp_path / "a.html").write_text(body)
    assert links.faults(tmp_path) == [f"a.html: {message}"]


def test_a_style_fetches_nothing_from_another_server(tmp_path):
    (tmp_path / "a.css").write_text("@import 'https://example.org/a.css'; p { background: url(b.svg) }")
    assert links.faults(tmp_path) == [
        "a.css: is fetched from another server: https://example.org/a.css",
        "a.css: links to what is not there: b.svg",
    ]


def test_a_site_that_is_whole_has_no_faults(tmp_path):
    (tmp_path / "index.html").write_text(
        '<p id="x"><a href="https://example.org">, <a href="#x">, <a href=".">'
    )
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.html").write_text(
        '<a href="../index.html#x"><img src="data:image/png;base64,"><a href="/">'
    )
    assert links.faults(tmp_path) == []


def test_examples_in_docstrings_become_python():
    docstrings = pytest.importorskip("documentation.docstrings", exc_type=ImportError)
    text = "Loads.\n\nExample::\n\n    a = 1\n\n    b = 2\n\nRaises:\n    Error: no.\n"
    assert docstrings.fenced(text) == (
        "Loads.\n\nExample:\n\n```python\na = 1\n\nb = 2\n```\n\nRaises:\n    Error: no.\n"
    )
