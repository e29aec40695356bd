"""Results as Markdown. Pure: the same results give the same text."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

MEASURED, OPERATIONS, FRONTIER = "measured", "operations", "frontier"  # what a page's markers say
WARM_UP = 2  # steps: the first traces, the second still finds its memory
Results = dict[str, Any]


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its first column is to the left and the others to the right."""
    lines = [list(head), ["---", *["---:"] * (len(head) - 1)], *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markers(what: str) -> tuple[str, str]:
    """What stands before and after the results in a page."""
    return f"<!-- {what}: begin -->", f"<!-- {what}: end -->"


def replace_between(text: str, new: str, what: str = MEASURED) -> str:
    """`text` with `new` between the markers of `what`.

    Raises:
        ValueError: the markers are not there, once each and in order.
    """
    begin, end = markers(what)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"the page needs {begin} and then {end}, once each")
    before, rest = text.split(begin)
    return f"{before}{begin}\n{new.strip()}\n{end}{rest.split(end)[1]}"


def step_seconds(run: Results) -> float:
    """The median step of a run, without its first ones."""
    return statistics.median(run["steps"][WARM_UP:])


def spread(numbers: Sequence[float], digits: int = 2) -> str:
    """Median, least and most."""
    return f"{statistics.median(numbers):.{digits}f} ({min(numbers):.{digits}f}..{max(numbers):.{digits}f})"


def ratios(runs: Sequence[float], base: Sequence[float]) -> str:
    """How many times `base`, taken round by round, since a busy minute is busy for all."""
    return spread([one / other for one, other in zip(runs, base, strict=True)])


def floor(results: Results, model: str, size: str) -> float:
    """Seconds that the arithmetic of a step takes at the speed of the matrix product."""
    return float(results["gflop"][model][size] / max(results["matrix_product"]))


def report(results: Results) -> str:
    """All that was measured."""
    parts = [
        _machine(results),
        "### One step",
        *(_steps(results, model, size) for model, sizes in results["step"].items() for size in sizes),
        "![seconds a step](pictures/performance.png)" if results.get("plots") else "",
        "### The whole command",
        _command_job(results["command_job"]),
        *(_command(results, model) for model in results["command"]),
        "### How cost grows",
        _growth(results),
        "![time and memory](pictures/growth.png)" if results.get("plots") else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _machine(results: Results) -> str:
    machine = results["machine"]
    cosines = [pair for each in results["cosines"].values() for pair in each.items()]
    least = min(cosine for name, cosine in cosines if "mixed" not in name)
    of_mixed = [cosine for name, cosine in cosines if "mixed" in name]
    mixed = f", and {min(of_mixed):.3f} with mixed precision" if of_mixed else ""
    torch = "" if machine["torch"] else " PyTorch could not be had on this machine, so its loops are missing."
    return (
        f"Measured on {machine['date']}: {machine['processor']}, {machine['cores']} cores, "
        f"{machine['system']}, Python {machine['python']}, {', '.join(machine['versions'])}; "
        f"rounds: {results['rounds']}. "
        f"Each number is the median over the rounds, with the least and the most behind it.{torch}\n\n"
        f"Before anything was timed, each loop's gradient of the picture was compared with dreamkit's: the "
        f"least cosine is {least:.6f}{mixed}."
    )


def _steps(results: Results, model: str, size: str) -> str:
    runs = results["step"][model][size]
    loops = {name: list(map(step_seconds, each)) for name, each in runs.items()}
    rows = [
        (
            name,
            spread(seconds, 3),
            ratios(seconds, loops["dreamkit"]),
            f"{statistics.median(seconds) / floor(results, model, size):.2f}",
            f"{max(run['peak_mb'] for run in runs[name]):.0f}",
            _traces(runs[name]),
        )
        for name, seconds in loops.items()
    ]
    head = ("loop", "seconds a step", "times dreamkit's", "times the floor", "peak, MB", "traces")
    gflop, speed = results["gflop"][model][size], max(results["matrix_product"])
    return (
        f"{results['titles'][model]}, {size} x {size} pixels. "
        f"The floor, {floor(results, model, size):.3f} s, is {gflop:.1f} GFLOP at the "
        f"{speed:.0f} GFLOP/s of NumPy's matrix product.\n\n{markdown(head, rows)}"
    )


def _traces(runs: Sequence[Results]) -> str:
    traces = [run["traces"] for run in runs if run["traces"] is not None]
    return str(max(traces)) if traces else "-"


def _command_job(job: Results) -> str:
    return (
        f"From the start of Python to its end: {job['size']} x {job['size']} pixels, {job['octaves']} "
        f"octaves of {job['steps']} steps. Cold is dreamkit's first run of all, with an empty "
        f"`DREAMKIT_HOME`; warm is any later one."
    )


def _command(results: Results, model: str) -> str:
    commands = results["command"][model]
    base = [run["wall"] for run in commands["dreamkit, cold"]]
    rows = []
    for name, runs in commands.items():
        walls = [run["wall"] for run in runs]
        rows.append(
            (
                name,
                spread(walls),
                ratios(walls, base),
                spread([run["imported"] for run in runs]),
                spread([run["first_step"] - run["imported"] for run in runs]),
                f"{max(run['peak_mb'] for run in runs):.0f}",
                _traces(runs),
            )
        )
    head = (
        "loop",
        "seconds in all",
        "times dreamkit's, cold",
        "imports done after",
        "from there to the first step's end",
        "peak, MB",
        "traces",
    )
    return f"{results['titles'][model]}:\n\n{markdown(head, rows)}"


def _growth(results: Results) -> str:
    growth = results["growth"]
    titles = {
        "size": "Pixels: one octave, tiles of up to 512 pixels",
        "steps": "Steps: one octave of {side} x {side} pixels",
        "octaves": "Octaves: a picture of {side} x {side} pixels",
        "dream": "A whole dream: all defaults, so a larger picture has more octaves",
    }
    heads = {"size": "side", "steps": "steps", "octaves": "octaves", "dream": "side"}
    parts = ["dreamkit alone, with pocket and its defaults but for what is named."]
    for axis, title in titles.items():
        rows = [
            (
                value,
                spread([step_seconds(run) for run in runs], 3) if axis in ("size", "steps") else "-",
                spread([run["wall"] for run in runs]),
                f"{max(run['peak_mb'] for run in runs):.0f}",
            )
            for value, runs in growth[axis].items()
        ]
        table = markdown((heads[axis], "seconds a step", "seconds in all", "peak, MB"), rows)
        parts.append(f"{title.format(side=results['growth_side'].get(axis))}.\n\n{table}")
    return "\n\n".join(parts)
