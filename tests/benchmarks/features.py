"""Feature visualisation beside Xplique: the same Keras network, channels and steps, in the same run.

    python tests/benchmarks/features.py --weights WEIGHTS.h5 --xplique-python PYTHON

PYTHON is of an environment that has Xplique: `pip install xplique`. Prints a table, and writes it into
docs/features.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

import tables
from measuring import FOLDER, Loop, LoopError

PAGE = FOLDER.parents[1] / "docs" / "features.md"
LAYER, CHANNELS = "mixed4", (0, 12, 100, 200, 300, 400)
SIZE, STEPS, STEP_SIZE = 224, 96, 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--weights", required=True, help="of Inception v3, without its top, as Keras has them"
    )
    parser.add_argument("--xplique-python", required=True)
    parser.add_argument("--quick", action="store_true", help="small and short; writes no page")
    given = parser.parse_args()
    loops = [
        Loop("dreamkit", "ours_channel", sys.executable, given.weights),
        Loop("Xplique", "xplique_channel", given.xplique_python, given.weights),
    ]
    size, steps, channels = (96, 6, CHANNELS[:1]) if given.quick else (SIZE, STEPS, CHANNELS)
    seconds: dict[str, list[float]] = {loop.name: [] for loop in loops}
    walls: dict[str, list[float]] = {loop.name: [] for loop in loops}
    peaks: dict[str, float] = dict.fromkeys(seconds, 0.0)
    versions: dict[str, str] = {}
    pictures: dict[str, list[Path]] = {loop.name: [] for loop in loops}
    with tempfile.TemporaryDirectory() as folder:
        for channel in channels:
            for loop in loops:
                result = Path(folder, f"{loop.module}.{channel}.npy")
                job = {"layers": [f"{LAYER}:{channel}"], "size": size, "steps": steps, "step_size": STEP_SIZE}
                run = loop.run(result=str(result), **job)
                seconds[loop.name].append(tables.step_seconds(run))
                walls[loop.name].append(run["wall"])
                peaks[loop.name] = max(peaks[loop.name], run["peak_mb"])
                versions[loop.name] = run["version"]
                pictures[loop.name].append(result)
        reached = {name: objectives(given.weights, files, channels) for name, files in pictures.items()}
    rows = [
        (
            f"{name} ({versions[name]})",
            tables.spread(seconds[name], 3),
            tables.ratios(seconds[name], seconds["dreamkit"]),
            tables.spread(walls[name], 1),
            tables.spread(reached[name]),
            tables.ratios(reached["dreamkit"], reached[name]),
            f"{peaks[name]:.0f}",
        )
        for name in seconds
    ]
    head = (
        *("", "seconds a step", "times dreamkit's", "seconds in all", "activation reached"),
        *("dreamkit reaches, times", "peak, MB"),
    )
    report = f"{_about(size, steps, channels)}\n\n{tables.markdown(head, rows)}"
    print(report)
    if not given.quick:
        PAGE.write_text(tables.replace_between(PAGE.read_text(), report))


def objectives(weights: str, files: list[Path], channels: tuple[int, ...]) -> list[float]:
    """The mean activation of each channel in its picture, by Keras itself."""
    import keras

    whole = keras.applications.InceptionV3(include_top=False, weights=weights)
    model = keras.Model(whole.input, whole.get_layer(LAYER).output)
    found = []
    for file, channel in zip(files, channels, strict=True):
        pixels = np.load(file)[None].astype(np.float32) / 127.5 - 1
        found.append(float(np.asarray(model(pixels))[..., channel].mean()))
    return found


def _about(size: int, steps: int, channels: tuple[int, ...]) -> str:
    from bench import machine

    found = machine()
    return (
        f"Measured on {found['date']}: {found['processor']}, {found['cores']} cores, Python "
        f"{found['python']}. Inception v3 of Keras, {len(channels)} channels of `{LAYER}`, {size} px, "
        f"{steps} steps of Adam {STEP_SIZE} on the strengths of waves, no transforms; medians, with least "
        "and most."
    )


if __name__ == "__main__":
    try:
        main()
    except LoopError as error:
        sys.exit(str(error))
