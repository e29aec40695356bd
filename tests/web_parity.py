"""The cases that Python and the browser must agree on, in a file that both test suites read.

`python tests/web_parity.py` writes the file again from what Python computes.
"""

from __future__ import annotations

import base64
import json
import tempfile
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import tiny

from dreamkit import DreamConfig, ModelProvider, Preprocess
from dreamkit.concepts import reference, separation
from dreamkit.concepts.features import square
from dreamkit.concepts.reference import Reference
from dreamkit.engine import depth, growth, masks, octaves, rng, tiles
from dreamkit.engine.loop import dream
from dreamkit.engine.objective_set import LoadedModel
from dreamkit.engine.resize import resize
from dreamkit.engine.tf import network
from dreamkit.engine.updates import smoothing
from dreamkit.errors import DreamkitWarning
from dreamkit.option_values import wrapped_axes
from dreamkit.web import concept_files, network_files, page_recipe

PATH = Path(__file__).parent / "data" / "web" / "parity.json"

# The options of each case that differ from dreamkit's defaults. Three are not options: `networks`, by default
# `tiny` alone, `masks`, pictures by the names of masks, and `guide`, whether there is one.
RECIPES: dict[str, dict[str, Any]] = {
    "default": {"steps": 3},
    "tiles": {"steps": 2, "tile_size": 40, "octaves": 2},
    "two layers": {"steps": 2, "layers": ["first", "second=0.5"], "octaves": 2},
    "channels": {"steps": 2, "layers": ["second:1+3"], "objective": "mean", "octaves": 1},
    "google-2015": {"steps": 2, "normalise": "mean-abs", "smooth": "none", "octaves": 3, "balance": False},
    "whole": {"steps": 2, "octave_scheme": "whole", "octaves": 3, "normalise": "std", "smooth": "none"},
    "lost-detail": {"steps": 2, "octave_scheme": "lost-detail", "octaves": 3, "max_objective": 1e9},
    "score": {"steps": 2, "normalise": "score", "octaves": 2, "unit": [50.0, 100.0, 150.0]},
    "plain": {"steps": 2, "normalise": "none", "octaves": 1, "border": 2, "clip": False, "step_size": 30.0},
    "schedule": {
        "octaves": 2,
        "schedule": [{"steps": 1, "layers": ["first"]}, {"steps": 2, "jitter": 3, "step_size": 0.03}],
    },
    "mask": {"steps": 3, "octaves": 2, "masks": {"": "waves"}},
    "mask and tiles": {"steps": 2, "octaves": 2, "tile_size": 33, "masks": {"": "waves"}},
    "direction": {"steps": 2, "octaves": 1, "layers": [{"layer": "second", "direction": [1, 0, -2, 0, 0.5]}]},
    "negative": {"steps": 2, "octaves": 2, "layers": ["second=-1"], "seed": 12345},
    "free": {"steps": 2, "octaves": 2, "color": "free"},
    "half natural": {"steps": 3, "octaves": 2, "color": 0.25, "strength": "wild"},
    "half kept": {"steps": 3, "octaves": 2, "color": 0.8, "masks": {"": "waves"}},
    "keep": {"steps": 2, "octaves": 2, "color": "keep", "blend": 0.3},
    "deep": {"octaves": 1, "networks": [{"name": "deep"}]},
    "deep and shallow": {"steps": 2, "octaves": 2, "layers": ["low", "deep"], "networks": [{"name": "deep"}]},
    "clouds": {"steps": 2, "octaves": 2, "seed": 5},
    "faint clouds": {"steps": 2, "octaves": 1, "seed": 2**50, "clouds": 3.0, "strength": "subtle"},
    "total variation": {"steps": 3, "octaves": 2, "tv": 0.5, "unit": [50.0, 100.0, 150.0]},
    "held to the photograph": {"steps": 3, "octaves": 2, "l2": 2.0, "masks": {"": "waves"}},
    "laplacian": {"steps": 2, "octaves": 2, "smooth": "laplacian", "tv": 0.2, "l2": 0.5},
    "tileable": {"steps": 2, "octaves": 2, "wrap": "both"},
    "tileable from side to side": {
        "steps": 2,
        "octaves": 2,
        "wrap": "horizontal",
        "tile_size": 40,
        "layers": ["first", "second:2@44x3=0.5"],
    },
    "tileable under a mask": {
        "steps": 2,
        "octaves": 2,
        "wrap": "both",
        "octave_scheme": "lost-detail",
        "masks": {"": "stripes"},
        "seed": 3,
    },
    "tileable and laplacian": {"steps": 2, "octaves": 2, "wrap": "both", "smooth": "laplacian", "tv": 0.3},
    "warped": {"steps": 2, "octaves": 2, "rotate": 10.0, "zoom": 0.1},
    "warped under a mask": {
        "steps": 2,
        "octaves": 2,
        "rotate": 30.0,
        "smooth": "none",
        "masks": {"": "waves"},
        "tile_size": 40,
    },
    "warped and laplacian": {"steps": 2, "octaves": 2, "zoom": 0.3, "smooth": "laplacian"},
    "color jitter and grain": {"steps": 2, "octaves": 2, "transforms": {"color-jitter": 0.5, "grain": 8.0}},
    "grain, warped": {"steps": 2, "octaves": 1, "transforms": {"grain": 3.0}, "rotate": 5.0, "seed": 2**40},
    "guide": {"steps": 2, "octaves": 2, "guide": True, "layers": ["second"]},
    # The first layer is linear, so its guide shifts colours alone; these must be free to move.
    "guide of the default layers": {"steps": 2, "octaves": 1, "guide": True, "color": "free"},
    "guide by channels": {
        "steps": 2,
        "octaves": 2,
        "guide": True,
        "guide_style": "channels",
        "layers": ["second", "first:1=0.5"],
    },
    "guide of terms": {
        "steps": 2,
        "octaves": 2,
        "guide": True,
        "border": 1,
        "tile_size": 50,
        "layers": [
            {"layer": "second", "guide": False},
            {"layer": "first", "channels": [0, 2], "guide": True, "weight": 2.0},
        ],
    },
    "fourier": {
        "steps": 4,
        "octaves": 1,
        "space": "fourier",
        "step_size": 0.05,
        "smooth": "none",
        "normalise": "none",
        "color": "free",
    },
    "fourier in octaves": {
        "steps": 3,
        "octaves": 2,
        "space": "fourier",
        "step_size": 0.05,
        "masks": {"": "waves"},
        "rotate": 5.0,
        "jitter": 3,
        "tv": 0.1,
    },
    "class": {"steps": 2, "octaves": 2, "layers": [{"class": "c"}], "networks": [{"name": "deep"}]},
    "neuron": {"steps": 3, "octaves": 2, "layers": ["second@20x12", "first:2@60x30=0.5"], "tile_size": 50},
    "objectives": {
        "steps": 2,
        "octaves": 2,
        "layers": [
            {"layer": "first", "objective": "mean", "weight": -0.5},
            {"layer": "second", "direction": [1, 0, -2, 0, 0.5], "objective": "mean-square"},
            {"layer": "second", "channels": [1, 4], "objective": "cosine"},
        ],
    },
    "cosine": {
        "steps": 2,
        "octaves": 2,
        "objective": "cosine",
        "layers": [{"layer": "second", "direction": [1, 0, -2, 0, 0.5], "objective": "cosine"}],
        "border": 1,
    },
    "a negative network": {
        "steps": 2,
        "octaves": 2,
        "networks": [{"name": "tiny", "weight": -2.0, "layers": ["first", "second:1=0.5"]}],
    },
    "two networks": {
        "steps": 3,
        "octaves": 2,
        "networks": [
            {"name": "tiny", "weight": 2.0, "layers": ["first", "second:1=0.5"]},
            {"name": "deep", "weight": -0.5},
        ],
    },
    "two networks and masks": {
        "steps": 2,
        "octaves": 2,
        "tile_size": 50,
        "networks": [
            {"name": "tiny", "layers": [{"layer": "second", "mask": "left"}, "first=0.5"]},
            {"name": "deep", "weight": 0.5, "layers": ["low"]},
        ],
        "masks": {"left": "waves"},
    },
    "two masks": {
        "steps": 3,
        "octaves": 2,
        "layers": [{"layer": "first", "mask": "left"}, {"layer": "second", "mask": "right", "weight": 0.5}],
        "masks": {"left": "waves", "right": "stripes"},
    },
    "laplacian and mask": {"steps": 2, "smooth": "laplacian", "smooth_levels": 3, "masks": {"": "waves"}},
}


def photo() -> np.ndarray:
    """Soft waves and edges, uint8 (70, 94, 3)."""
    rows, columns = np.mgrid[0:70, 0:94].astype(np.float64)
    waves = [np.sin(rows / 5 + k) * np.cos(columns / 7 - k) for k in range(3)]
    picture = 128 + 60 * np.stack(waves, -1)
    picture[10:30, 30:55] = [200, 90, 40]
    return picture.astype(np.uint8)


def guide() -> np.ndarray:
    """Stripes of two colours, uint8 (40, 52, 3)."""
    picture = np.full((40, 52, 3), [30, 160, 90], np.uint8)
    picture[(np.add.outer(np.arange(40), np.arange(52)) % 9) < 4] = [220, 60, 120]
    return picture


def _mask() -> np.ndarray:
    """Grey levels with a hard and a soft edge, uint8 (70, 94)."""
    levels = np.zeros((70, 94), np.uint8)
    levels[20:50, 10:40] = 255
    levels[5:25, 38:60] = np.linspace(0, 200, 22).astype(np.uint8)
    return levels


def _stripes() -> np.ndarray:
    """Grey levels in stripes, uint8 (70, 94)."""
    return np.repeat((np.arange(94) % 24 > 11)[None] * np.uint8(180), 70, 0)


MASKS = {"waves": _mask(), "stripes": _stripes()}


def deep() -> ModelProvider:
    """A network with a layer whose activations lie 32 pixels apart."""

    def load(weights: object) -> object:
        import keras

        assert weights is None
        pixels = keras.Input((None, None, 3))
        low = keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="tanh", name="low")
        model = keras.Model(pixels, keras.layers.AveragePooling2D(16, name="deep")(low(pixels)))
        low.set_weights([np.random.default_rng(5).normal(0, 0.3, (3, 3, 3, 4)), np.zeros(4)])
        return model

    return ModelProvider(
        name="deep",
        load=load,
        preprocess=Preprocess(mean=(120.0, 120.0, 120.0), scale=(0.01, 0.01, 0.01)),
        layers={"deep": 1.0},
        min_size=40,
        head="deep",
        labels=("a", "b", "c", "d"),
    )


def cases() -> dict:
    """Everything that both suites must agree on."""
    loaded = network.load(tiny.provider(), None)
    networks = {"tiny": loaded, "deep": network.load(deep(), None)}
    return {
        "networks": {name: _network(each) for name, each in networks.items()},
        "photo": _picture(photo()),
        "guide": _picture(guide()),
        "masks": {name: _picture(each[..., None]) for name, each in MASKS.items()},
        "options": DreamConfig().to_dict(),
        "dreams": [_dream(networks, name, changes) for name, changes in RECIPES.items()],
        "grown": [_grown(loaded, options, least) for options, least in [({"octaves": 2}, 48), ({}, 128)]],
        "words": [
            {
                "seed": seed,
                "octave": octave,
                "step": step,
                "purpose": purpose,
                "words": _words(seed, octave, step, purpose),
            }
            for seed, octave, step, purpose in [(0, 0, 0, 0), (1, 2, 3, 1), (2**53 - 1, 7, 99_999, 2)]
        ],
        "noise": [
            {"kind": kind, "wrap": wrap, **_picture(rng.noise(3, (21, 30), kind, wrapped_axes(wrap)))}
            for kind, wrap in [("clouds", "none"), ("faint", "none"), ("white", "none"), ("clouds", "both")]
        ],
        "octaves": [
            {
                "size": size,
                "options": options,
                "octaves": [[each.number, *each.size] for each in _octaves(size, options)],
            }
            for size in [[300, 451], [100, 100], [97, 1203]]
            for options in [{}, {"octaves": 4, "octave_scale": 1.7}, {"octave_scheme": "whole"}]
        ],
        "steps": [
            [stride, pixels, depth.steps(stride, pixels)]
            for stride in (16, 32)
            for pixels in (0, 10**6, 16 * 10**5, 31 * 10**5, 61 * 10**5, 12 * 10**6, 10**8)
        ],
        "tiles": [
            {
                "length": length,
                "tile_size": tile,
                "min_size": least,
                "wraps": wraps,
                "axis": _axis(length, tile, least, wraps),
            }
            for length, tile, least, wraps in [
                (512, 512, 43, False),
                (513, 512, 43, False),
                (1000, 300, 75, False),
                (31, 32, 8, False),
                (512, 512, 43, True),
                (100, 47, 43, True),
            ]
        ],
        "resized": [
            {
                "size": list(size),
                "wrap": wrap,
                "values": _floats(resize(guide(), size, wrapped=wrapped_axes(wrap))),
            }
            for size, wrap in [
                ((20, 26), "none"),
                ((40, 17), "none"),
                ((61, 52), "none"),
                ((60, 55), "none"),
                ((20, 75), "both"),
                ((61, 9), "horizontal"),
            ]
        ],
        "opened": [
            {"options": options, **_picture(_opened(options))}
            for options in [
                {"upscale": 1.5, "max_size": None, "wrap": "none"},
                {"upscale": 1.0, "max_size": 61, "wrap": "both"},
                {"upscale": 1.3, "max_size": 80, "wrap": "horizontal"},
            ]
        ],
        "grain": [
            {"size": list(size), "values": _floats(rng.grain(2**60 + 1, 3, 2, size))} for size in [(7, 11)]
        ],
        "shrunk": [{"longest": 61, **_picture(_shrunk(photo(), 61))}],
        "stretched": [_picture(_stretched(size)) for size in [(70, 94), (35, 47), (105, 141)]],
        "softened": _floats(masks.soften(MASKS["waves"])),
        "concept": _concept(loaded),
        "blurred": [{"sigma": sigma, "values": _floats(_blurred(sigma))} for sigma in (0.5, 2.5)],
    }


def _concept(loaded: network.Network) -> dict:
    """A concept of three cuts of the photograph, against seeded features."""
    side = 48
    cuts = [photo()[:60, start : start + 70] for start in (0, 10, 24)]
    seen = [loaded.activations(["second"])(square(each, side)[None])[0].mean((1, 2)) for each in cuts]
    features = np.concatenate(seen)
    draw = np.random.default_rng(7)
    others = features.mean(0) + 0.05 * draw.normal(size=(60, 5)) @ draw.normal(size=(5, 5))
    exact = reference.measured(others)
    found = Reference("tiny", loaded.digest, 60, {"second": exact})
    rounded = reference._parsed(reference.to_bytes(found), "tiny").layers["second"]
    return {
        "description": {
            "layers": ["second"],
            "side": side,
            "shrinkage": separation.SHRINKAGE,
            "reference": {"second": concept_files.statistics(exact)},
            "concepts": [],
        },
        "pictures": [_picture(np.ascontiguousarray(each)) for each in cuts],
        "features": [_floats(each) for each in features],
        "direction": _floats(separation.direction(features, rounded)),
        "separation": separation.leave_one_out(features, rounded),
    }


def _network(loaded: network.Network) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        network_files.write(loaded, loaded.layers, Path(folder), "float32")
        description = json.loads((Path(folder) / "model.json").read_text())
        weights = (Path(folder) / "weights-0.bin").read_bytes()
    return {"description": description, "weights": base64.b64encode(weights).decode()}


def _dream(networks: dict[str, network.Network], name: str, changes: dict[str, Any]) -> dict:
    options = {key: value for key, value in changes.items() if key not in ("networks", "masks", "guide")}
    config = DreamConfig.of(None, **options)
    named = [{"weight": 1.0, "layers": None, **each} for each in changes.get("networks", [{"name": "tiny"}])]
    masks_by_name = changes.get("masks", {})
    objectives: list[float] = []
    result = dream(
        photo(),
        [LoadedModel(networks[each["name"]], each["weight"], each["layers"]) for each in named],
        config,
        lambda step: objectives.append(step.objective),
        guide=guide() if "guide" in changes else None,
        regions={key: MASKS[picture] for key, picture in masks_by_name.items()},
    )
    return {
        "name": name,
        "options": page_recipe.with_exact_layers(config, networks[named[0]["name"]]).to_dict(),
        "guided": "guide" in changes,
        "networks": named,
        "masks": masks_by_name,
        "objectives": objectives,
        "terms": result.layers,
        "octaves": [list(size) for size in result.sizes],
        "tile_size": result.tile_size,
        "change": _compressed(result.pixels - photo()),
    }


def painted() -> np.ndarray:
    """The turns at which a stroke from left to right painted each pixel, from 1, int (70, 94)."""
    rows, columns = np.mgrid[0:70, 0:94]
    return np.where((abs(rows - 20) < 10) & (columns > 5) & (columns < 35), 1 + (columns - 5) // 10, 0)


def _grown(loaded: network.Network, options: dict[str, Any], least: int) -> dict:
    """A stroke of two turns for each pixel, and five in all."""
    config = DreamConfig.of(None, steps=1, step_size=0.05, clouds=0.0, layers=["second"], **options)
    stroke = growth.Growth(config, painted(), turns=5, lasts=2, least=least)
    pixels = growth.grow(photo(), [LoadedModel(loaded)], stroke)
    return {
        "options": config.to_dict(),
        "times": base64.b64encode(painted().astype(np.uint8).tobytes()).decode(),
        "turns": stroke.turns,
        "lasts": stroke.lasts,
        "least": least,
        "change": _compressed(pixels - photo()),
    }


def _words(seed: int, octave: int, step: int, purpose: int) -> list[str]:
    return [str(word) for word in rng.words(seed, octave=octave, step=step, purpose=purpose, count=6)]


def _octaves(size: list[int], options: dict) -> list[octaves.Octave]:
    config = DreamConfig.of(None, **options)
    scale, scheme = config.octave_scale, config.octave_scheme
    count = config.octaves or octaves.count((size[0], size[1]), scale, scheme, 43)
    return octaves.plan((size[0], size[1]), count, scale, scheme, 43, config.first_octave)


def _axis(length: int, tile: int, least: int, wraps: bool) -> dict:
    axis = tiles.split(length, tile, least, wraps=wraps)
    return {"window": axis.window, "context": axis.context, "spans": [list(span) for span in axis.spans]}


def _opened(options: dict[str, Any]) -> np.ndarray:
    from dreamkit.inputs import open_photograph

    with warnings.catch_warnings(action="ignore", category=DreamkitWarning):  # that seams were closed
        opened = open_photograph(photo(), DreamConfig.of(None, **options))
    assert opened is not None
    return opened.pixels


def _shrunk(picture: np.ndarray, longest: int) -> np.ndarray:
    from dreamkit.media import image_sizes, images

    return image_sizes.shrink(images.from_memory(picture), longest).pixels


def _stretched(size: tuple[int, int]) -> np.ndarray:
    from dreamkit.inputs import fit_mask
    from dreamkit.media import images

    return images.grey_levels(fit_mask(images.from_memory(MASKS["waves"]), size))[..., None]


def _blurred(sigma: float) -> np.ndarray:
    gradient = guide().astype(np.float32) / 100 - 1
    smoothing.gaussian(gradient, sigma)
    return gradient


def _picture(pixels: np.ndarray) -> dict:
    return {
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "bytes": base64.b64encode(pixels.tobytes()).decode(),
    }


def _compressed(change: np.ndarray) -> str:
    """What a dream adds to the photograph, modulo 256."""
    return base64.b64encode(zlib.compress(change.tobytes(), 9)).decode()


def dreamed(change: str) -> np.ndarray:
    """The pixels of a dream in the file."""
    added = np.frombuffer(zlib.decompress(base64.b64decode(change)), np.uint8)
    return photo() + added.reshape(photo().shape)


def _floats(values: np.ndarray) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


if __name__ == "__main__":
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(json.dumps(cases(), indent=1) + "\n", encoding="utf-8")
