"""`dreamkit doctor`: what is there, what is missing, and what brings it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from dreamkit import config
from dreamkit.cli import terminal

if TYPE_CHECKING:
    from dreamkit.jobs.doctor.finding import Finding


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Do not start TensorFlow: its devices and the memory of a dream stay unknown."
        ),
    ] = False,
) -> None:
    """Say what works here, what is missing, and the command that brings it. Nothing is changed.

    Exits with 0 if a dream with dreamkit's defaults would work, else with 1.
    """
    from dreamkit.jobs.doctor.examination import examine
    from dreamkit.jobs.doctor.finding import hindrances

    found = examine(quick=quick)
    hindering = hindrances(found)
    if as_json:
        report = {"works": not hindering, "findings": [asdict(each) for each in found]}
        terminal.say(json.dumps(report, indent=2))
    else:
        terminal.table([(each.what, each.state, _said(each)) for each in found], ("WHAT", "STATE", ""))
        terminal.say(_verdict([each.what for each in hindering], quick=quick))
    raise typer.Exit(1 if hindering else 0)


def _said(finding: Finding) -> str:
    return f"{finding.about}; run: {finding.command}" if finding.command else finding.about


def _verdict(hindering: list[str], *, quick: bool) -> str:
    if hindering:
        return f"a dream by {config.DEFAULT_MODEL} does not work here: see {', '.join(hindering)}"
    if quick:
        return f"nothing is known to hinder a dream by {config.DEFAULT_MODEL}; TensorFlow was not asked"
    return f"a dream by {config.DEFAULT_MODEL} works here: dreamkit dream PHOTO"
