"""A step of pocket in TensorFlow.js' WebAssembly: dreamkit's own backward pass beside stock `tf.grad`.

`make bench-web` runs it. Both are given the same folded graph, the same picture and one warm-up, and take
turns; seconds are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from google.protobuf import json_format
from PIL import Image
from tensorflow.python.framework import tensor_util

import dreamkit
from dreamkit.engine.tf import graph
from dreamkit.web import model

ROOT = Path(__file__).parents[2]
APP = ROOT / "dreamkit" / "web" / "app"
LAYER = "mixed4c"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[256])
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    network = dreamkit.load("pocket")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Node {_node()}; pocket to {LAYER}, WebAssembly")
    for side in options.sides:
        with tempfile.TemporaryDirectory() as folder:
            times, cosine = _timed(network, Path(folder), side, options.rounds)
        ours, stock = (median(times[way]) for way in ("dreamkit", "tf.grad"))
        least, most = min(times["dreamkit"]), max(times["dreamkit"])
        print(f"{side} px: dreamkit {ours:.3f} s ({least:.3f} to {most:.3f}), ", end="")
        print(
            f"tf.grad {stock:.3f} s, {stock / ours:.2f} times as long; cosine of their gradients {cosine:.4f}"
        )


def _timed(
    network: dreamkit.engine.tf.network.Network, folder: Path, side: int, rounds: int
) -> tuple[dict, float]:
    model.write(network, [LAYER], folder, "float32")
    _write_stock(network, folder)
    picture = Image.open(ROOT / "docs" / "pictures" / "chelsea.jpg").convert("RGB").resize((side, side))
    np.asarray(picture, "<f4").tofile(folder / "pixels.f32")
    (folder / "bench.json").write_text(json.dumps({"side": side, "layer": LAYER, "rounds": rounds}))
    environment = {**os.environ, "CASES": str(folder)}
    subprocess.run(["npm", "run", "--silent", "bench"], cwd=APP, env=environment, check=True)
    found = json.loads((folder / "times.json").read_text())
    return found["times"], found["cosine"]


def _write_stock(network: dreamkit.engine.tf.network.Network, folder: Path) -> None:
    """The same folded graph as TensorFlow.js' converter writes one: topology, and weights beside it."""
    forward = graph.frozen(network.cut([LAYER]))
    graph_def = graph.folded_graph(forward)
    specs, data = [], b""
    for node in graph_def.node:
        if node.op == "Const":
            values = tensor_util.MakeNdarray(node.attr["value"].tensor)
            kind = "float32" if values.dtype.kind == "f" else "int32"
            specs.append({"name": node.name, "shape": list(values.shape), "dtype": kind})
            data += values.astype("<f4" if kind == "float32" else "<i4").tobytes()
            node.attr["value"].tensor.ClearField("tensor_content")
    stock = {
        "modelTopology": json_format.MessageToDict(graph_def),
        "weightSpecs": specs,
        "output": forward.outputs[0].name.partition(":")[0],
    }
    (folder / "stock.json").write_text(json.dumps(stock))
    (folder / "stock.bin").write_bytes(data)


def _node() -> str:
    return subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
