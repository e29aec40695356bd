"""What GitHub and Docker read agrees with the project: targets of make, versions of Python, names, paths."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml
from conftest import ROOT
from test_tracked_files import tracked_files

import dreamkit

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
START = (ROOT / "docs" / "index.md").read_text()
DOCKER_PAGE = (ROOT / "docs" / "docker.md").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")


def read(path):
    return yaml.safe_load(path.read_text())


def jobs():
    """Each job of each workflow, with its name."""
    return {f"{path.name}: {name}": job for path in WORKFLOWS for name, job in read(path)["jobs"].items()}


def steps():
    return [step for job in jobs().values() for step in job["steps"]]


def targets():
    (phony,) = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.M)
    return set(phony.split())


def instructions(word):
    """The arguments of each instruction of this name in the Dockerfile, in order."""
    return re.findall(rf"^{word} +(.+)$", DOCKERFILE, re.M)


# Make


def test_the_workflows_are_there():
    assert [path.name for path in WORKFLOWS] == ["nightly.yml", "release.yml", "test.yml"]


def test_workflows_run_only_targets_of_make():
    commands = [step["run"].strip() for step in steps() if "run" in step]
    assert commands
    called = set()
    for command in commands:
        match = re.fullmatch(r"make ([\w-]+)(?: \w+=[\w\"$]+)*(?: #.*)?", command)
        assert match, command
        called.add(match[1])
    assert called <= targets()
    # What .ci/run calls is called here as well; `test` is `lint` and `test-ordinary`.
    ci = set(
        re.findall(r"\bmake ([\w-]+)(?![\w/-])", (ROOT / ".ci" / "run").read_text().split("set -euo")[1])
    )
    assert ci - {"test", "web"} <= called
    assert {"lint", "test-ordinary", "test-web", "test-all", "test-torch", "dist"} <= called


def test_every_target_is_in_the_help_and_has_a_rule():
    help_text = re.search(r"^help:\n((?:\t.*\n)+)", MAKEFILE, re.M)[1]
    for target in targets():
        assert re.search(rf"^{target}:", MAKEFILE, re.M), target
        assert target in ("help", "lint", "test-ordinary", "clean") or f"make {target} " in help_text, target


def test_hooks_before_a_commit_run_targets_of_make_and_need_no_repository():
    config = read(ROOT / ".pre-commit-config.yaml")
    assert [each["repo"] for each in config["repos"]] == ["local"]
    entries = [hook["entry"] for each in config["repos"] for hook in each["hooks"]]
    assert {entry.removeprefix("make --no-print-directory ") for entry in entries} == {
        target for target in targets() if target.startswith("lint")
    }


# Python


def test_workflows_use_the_oldest_and_the_newest_python():
    oldest, end = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["project"]["requires-python"]).groups()
    supported = [f"3.{minor}" for minor in range(int(oldest), int(end))]
    classifiers = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    assert classifiers == supported
    text = "\n".join(path.read_text() for path in WORKFLOWS)
    assert set(re.findall(r"\b3\.\d\d\b(?=\")", text)) == {supported[0], supported[-1]}
    for name in ("test.yml: linux", "nightly.yml: all"):
        assert jobs()[name]["strategy"]["matrix"]["python"] == [supported[0], supported[-1]]
    assert all(image.split(":")[1].startswith(f"{supported[-1]}-") for image in images("python"))


def test_workflows_use_one_node_that_the_page_can_be_built_with():
    versions = {step["with"]["node-version"] for step in steps() if "setup-node" in step.get("uses", "")}
    assert len(versions) == 1
    (oldest,) = {int(found) for found in re.findall(r"Node\.js (\d+) or newer", MAKEFILE)}
    (version,) = versions
    assert version >= oldest
    assert all(image.split(":")[1].startswith(f"{version}-") for image in images("node"))


def test_workflows_install_extras_that_exist():
    extras = PROJECT["project"]["optional-dependencies"]
    given = [each["extras"] for each in jobs()["test.yml: elsewhere"]["strategy"]["matrix"]["include"]]
    given += [step["env"]["EXTRAS"] for step in jobs()["nightly.yml: all"]["steps"] if "env" in step]
    given += re.findall(r"EXTRAS \?= (.+)", MAKEFILE)
    given += re.findall(r"'\.\[([a-z,]+)\]'", MAKEFILE + DOCKERFILE)
    assert len(given) >= 8
    assert {extra for each in given for extra in each.split(",")} <= set(extras)


# Rights


@pytest.mark.parametrize("name", sorted(jobs()))
def test_a_job_has_no_more_rights_than_it_names(name):
    job = jobs()[name]
    path, _, own = name.partition(": ")
    assert read(ROOT / ".github" / "workflows" / path)["permissions"] == {}
    expected = {"contents": "read"}
    if own == "publish":
        expected = {"attestations": "write", "id-token": "write"}
        assert not [step for step in job["steps"] if "run" in step or "checkout" in step["uses"]]
    assert job["permissions"] == expected
    assert job["timeout-minutes"] <= 360


def test_actions_are_pinned_by_commit_and_say_their_version():
    lines = [line for path in WORKFLOWS for line in path.read_text().splitlines() if "uses:" in line]
    assert len(lines) == len([step for step in steps() if "uses" in step])
    pins = {}
    for line in lines:
        match = re.fullmatch(r" +(?:- )?uses: ([\w./-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+", line)
        assert match, line
        assert pins.setdefault(match[1], line.split("uses:")[1]) == line.split("uses:")[1]


def test_no_secret_is_used():
    assert not [path for path in WORKFLOWS if "secrets." in path.read_text()]


# Names and versions


def test_the_pages_for_contributors_say_how_changes_are_tested_and_released():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for path in WORKFLOWS:
        assert f".github/workflows/{path.name}" in text
    assert "pre-commit install" in text
    release = text[text.index("## Releases") :]
    assert f"`{PROJECT['project']['name']}`" in release
    assert f"environment `{jobs()['release.yml: publish']['environment']}`" in release


def test_a_release_is_of_this_distribution():
    assert PROJECT["project"]["name"] == "deepdreamkit"
    assert "deepdreamkit" in (ROOT / ".github" / "workflows" / "release.yml").read_text()


def test_the_citation_names_this_version():
    citation = read(ROOT / "CITATION.cff")
    assert citation["version"] == dreamkit.__version__
    assert citation["license"] == PROJECT["project"]["license"]
    assert citation["keywords"]
    assert [author["name"].lower() for author in citation["authors"]] == ["the dreamkit authors"]
    assert "Copyright the dreamkit authors" in (ROOT / "NOTICE").read_text()


def test_forms_ask_for_what_a_report_needs():
    for name in ("bug", "network"):
        form = read(ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml")
        needed = {each["id"] for each in form["body"] if each.get("validations", {}).get("required")}
        assert {"version", "command", "message"} <= needed
        text = (ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml").read_text()
        assert "dreamkit --version" in text
        assert "`dreamkit recipes" in text


def test_dependabot_looks_where_the_files_are():
    files = {
        "pip": ["pyproject.toml", "constraints.txt"],
        "npm": ["package.json"],
        "github-actions": [".github/workflows"],
        "docker": ["Dockerfile"],
    }
    updates = read(ROOT / ".github" / "dependabot.yml")["updates"]
    assert {each["package-ecosystem"] for each in updates} == set(files)
    for each in updates:
        assert each["schedule"]["interval"] == "monthly"
        assert list(each["groups"].values()) == [{"patterns": ["*"]}]
        for name in files[each["package-ecosystem"]]:
            assert (ROOT / each["directory"].lstrip("/") / name).exists()


# Files


def test_the_editor_writes_as_ruff_does():
    text = (ROOT / ".editorconfig").read_text()
    assert f"max_line_length = {PROJECT['tool']['ruff']['line-length']}" in text
    assert "indent_style = tab" in text[text.index("Makefile") :]


# Docker. Nothing here builds the image, which needs a daemon. `make lint-github` runs hadolint.


def images(name):
    """The tagged images of this name that the Dockerfile begins with."""
    return [each.split()[0] for each in instructions("FROM") if each.startswith(f"{name}:")]


def copied():
    """What each COPY takes from the repository."""
    for arguments in instructions("COPY"):
        if not arguments.startswith("--from="):
            yield from arguments.split()[:-1]


def test_what_docker_copies_is_tracked():
    names = tracked_files()
    found = list(copied())
    assert "pyproject.toml" in found
    for path in found:
        assert path in names or any(name.startswith(f"{path}/") for name in names), path


def test_docker_sees_what_it_copies_and_no_more():
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == {path.split("/")[0] for path in copied()}
    left_out = [line for line in lines[1:] if not line.startswith(("!", "**"))]
    assert "dreamkit/web/app/node_modules" in left_out
    assert not set(left_out) & set(copied())


def test_docker_builds_the_page_where_it_lies_in_the_repository():
    """The page imports one file from outside its folder, and is written beside that folder."""
    app = ROOT / "dreamkit" / "web" / "app"
    outside = set()
    for file in [*app.glob("src/**/*.ts"), app / "vite.config.ts"]:
        for path in re.findall(r"from \"(\.\.?/[^\"]+)\"", file.read_text()):
            found = (file.parent / path).resolve()
            if app not in found.parents:
                outside.add(found.relative_to(ROOT).as_posix())
    assert outside == {"dreamkit/web/supported.json"}
    assert outside <= set(copied())
    assert instructions("WORKDIR")[0] == "/page/dreamkit/web/app"
    assert 'outDir: "../bundle"' in (app / "vite.config.ts").read_text()
    assert "--from=page /page/dreamkit/web/bundle dreamkit/web/bundle" in instructions("COPY")


def test_the_image_is_this_command_and_not_root():
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM") :]
    assert re.findall(r"^USER (.+)$", last, re.M) == ["1000"]
    assert last.index("USER 1000") < last.index("ENTRYPOINT")
    (command,) = PROJECT["project"]["scripts"]
    assert instructions("ENTRYPOINT") == [f'["{command}"]']


def test_the_docs_build_and_run_the_image_as_the_dockerfile_says():
    (folder,) = re.findall(r"^WORKDIR (.+)$", DOCKERFILE[DOCKERFILE.rindex("\nFROM") :], re.M)
    (cache,) = re.findall(r"^ENV HOME=(\S+)", DOCKERFILE, re.M)
    builds = re.findall(r"docker build .*\.$", DOCKERFILE, re.M)
    assert len(builds) == 2
    for build in builds:
        assert build in DOCKER_PAGE
        given = set(re.findall(r"--build-arg (\w+)", build))
        assert given <= {argument.split("=")[0] for argument in instructions("ARG")}
    assert builds[0] in START
    for page in (START, DOCKER_PAGE):
        runs = re.findall(r"^docker run .*$", page, re.M)
        assert runs
        for run in runs:
            mounted = re.findall(r"-v \S+?:(/[^\s\"]+)", run)
            assert mounted
            assert set(mounted) <= {folder, cache}, run
