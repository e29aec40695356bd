"""Times the page on TensorFlow.js' WebAssembly beside stock TensorFlow.js, in Node.

`make bench-web` runs it. A step of pocket: the page's own gradient and `tf.grad` of the same folded graph.
Whole dreams of one photograph: the page's defaults on pocket and, with its weights, on inception5h, and the
loop of 2015 on inception5h in plain TensorFlow.js. Each has a warm-up, and they take turns; seconds are
medians. `make profile-web` shows instead where the time of a step goes, in milliseconds of a processor.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from google.protobuf import json_format
from numpy.typing import NDArray
from PIL import Image
from tensorflow.python.framework import tensor_util

import dreamkit
from dreamkit.engine.tf import graph
from dreamkit.engine.tf.network import Network
from dreamkit.media import image_sizes, images
from dreamkit.web import network_files

ROOT = Path(__file__).parents[2]
APP = ROOT / "dreamkit" / "web" / "app"
LAYER = "mixed4c"
PHOTO = ROOT / "docs" / "pictures" / "chelsea.jpg"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="*", default=[256], help="of the pictures of a step")
    parser.add_argument("--rounds", type=int, default=9, help="of steps")
    parser.add_argument("--longest", type=int, default=384, help="longest side of the dreams")
    parser.add_argument("--dreams", type=int, default=3, help="rounds of dreams; 0 for none")
    parser.add_argument("--profile", type=int, default=0, help="rounds of profiled dreams")
    parser.add_argument("--weights", help="of inception5h; a download without it")
    parser.add_argument("--pictures", type=Path, help="a folder for the finished dreams")
    options = parser.parse_args()
    pocket = dreamkit.load("pocket")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Node {_node()}; WebAssembly, layer {LAYER}")
    for side in options.sides:
        _time_steps(pocket, side, options.rounds)
    if options.dreams or options.profile:
        inception = dreamkit.load("inception5h", options.weights)
        networks = {"pocket": pocket, "inception5h": inception}
    if options.dreams:
        _time_dreams(networks, options)
    if options.profile:
        _show_profile({name: _profile(network, options) for name, network in networks.items()})


def _time_steps(network: Network, side: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        network_files.write(network, [LAYER], folder, "float32")
        _write_stock(network, folder)
        picture = Image.open(PHOTO).convert("RGB").resize((side, side))
        np.asarray(picture, "<f4").tofile(folder / "pixels.f32")
        (folder / "bench.json").write_text(json.dumps({"side": side, "layer": LAYER, "rounds": rounds}))
        found = _run(folder, "STEP")
    ours, stock = found["times"]["dreamkit"], found["times"]["tf.grad"]
    print(f"A step of pocket, {side} px: dreamkit {_spread(ours)}, tf.grad {_spread(stock)}, ", end="")
    print(f"{median(stock) / median(ours):.2f} times as long; cosine {found['cosine']:.4f}")


def _time_dreams(networks: Mapping[str, Network], options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = dreamkit.DreamConfig(layers=(LAYER,))
        for name, network in networks.items():
            (folder / name).mkdir()
            network_files.write(network, [LAYER], folder / name, "float32")
        _write_stock(networks["inception5h"], folder / "inception5h")
        photo = _write_photo(options.longest, folder)
        height, width = photo.shape[:2]
        configs = {name: config.to_dict() for name in networks}
        plan = {"height": height, "width": width, "rounds": options.dreams, "configs": configs}
        (folder / "bench.json").write_text(json.dumps(plan))
        found = _run(folder, "DREAM")
        plain = {kind: median(found[kind]["plain"]) for kind in ("times", "busy")}
        for method, seconds in found["times"].items():
            busy, steps = found["busy"][method], found["steps"][method]
            print(f"A dream, {width} x {height} px, {method}: {steps} steps, {_spread(seconds)}; ", end="")
            print(f"the plain loop takes {plain['times'] / median(seconds):.2f} times as long. ", end="")
            print(f"Of a processor {_spread(busy)}; {plain['busy'] / median(busy):.2f} times", flush=True)
            if options.pictures:
                pixels = np.fromfile(folder / f"{method}.u8", np.uint8).reshape(photo.shape)
                Image.fromarray(pixels).save(options.pictures / f"{method}.png")


def _profile(network: Network, options: argparse.Namespace) -> dict[str, float]:
    """Milliseconds of a processor in a mean step of a dream, by what took them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        network_files.write(network, [LAYER], folder, "float32")
        height, width = _write_photo(options.longest, folder).shape[:2]
        config = dreamkit.DreamConfig(layers=(LAYER,)).to_dict()
        plan = {"height": height, "width": width, "rounds": options.profile, "config": config}
        (folder / "bench.json").write_text(json.dumps(plan))
        rounds: list[dict[str, float]] = _run(folder, "PROFILE")["rounds"]
    return {name: median(each[name] for each in rounds) for name in rounds[0]}


def _show_profile(profiles: Mapping[str, Mapping[str, float]]) -> None:
    """A table in Markdown: a row for each operation, and a column for each network."""
    first = next(iter(profiles.values()))
    print("| a step, milliseconds | " + " | ".join(profiles) + " |")
    print("|---|" + "---|" * len(profiles))
    names = {name for each in profiles.values() for name in each}
    for name in sorted(names, key=lambda name: -first.get(name, 0)):
        print(f"| {name} | " + " | ".join(f"{each.get(name, 0):.1f}" for each in profiles.values()) + " |")


def _write_photo(longest: int, folder: Path) -> NDArray[np.uint8]:
    photo = image_sizes.shrink(images.read(PHOTO, 10**8), longest).pixels
    (folder / "photo.u8").write_bytes(photo.tobytes())
    return photo


def _run(folder: Path, kind: str) -> dict[str, Any]:
    environment = {**os.environ, kind: str(folder)}
    subprocess.run(["npm", "run", "--silent", "bench"], cwd=APP, env=environment, check=True)
    found: dict[str, Any] = json.loads((folder / "times.json").read_text())
    return found


def _spread(seconds: Sequence[float]) -> str:
    return f"{median(seconds):.3f} s ({min(seconds):.3f} to {max(seconds):.3f})"


def _write_stock(network: Network, folder: Path) -> None:
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
