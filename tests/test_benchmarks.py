"""What the benchmark counts and writes; and that its loops compute the same."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import pytest
from conftest import ROOT

import arithmetic
import bench
import dreamkit
import environment
import gpu
import measuring
import operations
import tables
from dreamkit.models.architecture import Operation
from loops import inception_v3 as plan
from loops.job import Job


def test_a_convolution_is_counted():
    conv = plan.Conv(8, 3, 3)
    assert plan.multiply_adds(conv, 4, (10, 20)) == 3 * 3 * 4 * 8 * 10 * 20


@pytest.mark.parametrize(
    ("operation", "length", "expected"),
    [
        (plan.Conv(1, 3, 3, 2, same=False), 299, 149),
        (plan.Conv(1, 3, 3, same=False), 149, 147),
        (plan.Conv(1, 3, 3), 147, 147),
        (plan.MAXIMUM, 147, 73),
        (plan.MEAN, 35, 35),
    ],
)
def test_the_sizes_of_maps_are_those_published(operation, length, expected):
    assert plan.after(length, operation, 3) == expected


def test_the_arithmetic_of_a_step_is_44_gflop():
    assert plan.gflop(["mixed3", "mixed5"], 512) == pytest.approx(44, abs=0.1)
    assert plan.gflop(["mixed3"], 512) < plan.gflop(["mixed3", "mixed5"], 512)


def test_the_arithmetic_of_a_list_of_operations_is_counted():
    """A factorised convolution of stride 2: its first factor sees the larger map, of 9 pixels."""
    operations = [
        Operation("one", "convolution", ("input",), {"stride": 2, "padding": "same"}),
        Operation("pool", "max_pool", ("one",), {"size": 3, "stride": 2, "padding": "valid"}),
        Operation("two", "convolution", ("pool",), {"stride": 1, "padding": "same"}),
    ]
    shapes = {
        "one/down": (1, 1, 3, 2),
        "one/core": (3, 3, 2, 2),
        "one/up": (1, 1, 2, 4),
        "two/kernel": (1, 1, 4, 5),
    }
    arrays = {name: np.zeros(shape) for name, shape in shapes.items()}
    counted = 9 * 9 * 3 * 2 + 5 * 5 * (9 * 2 * 2 + 2 * 4) + 2 * 2 * 4 * 5
    assert arithmetic.of_operations(operations, arrays, 9) == 4 * counted / 1e9


@pytest.mark.parametrize(("model", "least"), [("pocket", 15), ("inception5h", 20)])
def test_the_arithmetic_of_networks_grows_with_the_pixels(model, least):
    """Twice the side, four times the work, but for what lies at the edges."""
    small, large = (arithmetic.gflop(model, None, side) for side in (256, 512))
    assert large > least
    assert large / small == pytest.approx(4, rel=0.01)


def test_the_plan_has_the_channels_and_the_numbers_that_keras_has():
    channels = {
        name: sum(
            next((each.filters for each in reversed(b) if isinstance(each, plan.Conv)), 0) for b in made
        )
        for name, made in plan.MIXED.items()
    }
    # The maximum of mixed3 passes 288 channels on.
    assert list(channels.values()) == [256, 288, 288, 768 - 288, 768, 768, 768, 768]
    branches = [plan.STEM, *(branch for made in plan.MIXED.values() for branch in made)]
    assert sum(isinstance(each, plan.Conv) for branch in branches for each in branch) == 70


def test_octaves_end_at_the_picture():
    assert Job(None, 393, octaves=3).sizes == [201, 281, 393]


def test_a_table_is_markdown():
    assert tables.markdown(("loop", "s"), [("ours", "1"), ("theirs", "2")]).splitlines() == [
        "| loop | s |",
        "| --- | ---: |",
        "| ours | 1 |",
        "| theirs | 2 |",
    ]


def test_numbers_have_their_spread_and_ratios_stay_within_a_round():
    assert tables.spread([3.0, 1.0, 2.0]) == "2.00 (1.00..3.00)"
    assert tables.ratios([2.0, 8.0, 4.0], [1.0, 4.0, 2.0]) == "2.00 (2.00..2.00)"
    assert tables.step_seconds({"steps": [9.0, 5.0, 1.0, 3.0, 2.0]}) == 2.0


@pytest.mark.parametrize("what", [tables.MEASURED, tables.OPERATIONS, tables.FRONTIER])
def test_only_what_lies_between_the_markers_is_replaced(what):
    begin, end = tables.markers(what)
    page = f"before\n{begin}\nold\n{end}\nafter\n"
    once = tables.replace_between(page, "new\n", what)
    assert once == f"before\n{begin}\nnew\n{end}\nafter\n"
    assert tables.replace_between(once, "new", what) == once
    for broken in ("", begin, f"{end} {begin}", page + page):
        with pytest.raises(ValueError, match="markers|needs"):
            tables.replace_between(broken, "new", what)
    tables.replace_between((ROOT / "docs" / "performance.md").read_text(), "", what)


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("a/Conv2D_eightbit = _MklNativeConv2DWithBias(a/Relu, b)", operations.FORWARD),
        ("c = _MklNativeFusedConv2D(a)", operations.FORWARD),
        ("gradients/d = _MklNativeConv2DBackpropInput(a, b, c)", operations.BACK),
        ("e = Conv2D(a, b)", operations.FORWARD),
        ("f = _MklNativeMaxPoolGrad(a)", "pools, back"),
        ("g = SomethingNew(a)", operations.REST),
    ],
)
def test_the_kind_of_an_operation_is_told_by_its_label(label, kind):
    assert operations.kind_of(label) == kind


def test_a_step_is_looked_at_by_kind_of_operation():
    step = operations.measure(dreamkit.load("pocket"), 64, 1)
    assert step.kinds[operations.FORWARD] > 0 < step.kinds[operations.BACK]
    assert step.kinds[operations.REST] < 0.1 * sum(step.kinds.values())
    assert "| all operations |" in operations.table({"pocket": step}, 100.0, 64)


@pytest.mark.heavy
def test_the_table_of_a_gpu_is_made_without_one(inception_weights, tmp_path):
    ours, mixed, _ = gpu.loops_of(str(inception_weights), None, tmp_path)
    jobs = {"100": {"size": 100, "steps": 3}, gpu.WHOLE: {"size": 100, "steps": 1}}
    found = gpu.measure([ours, mixed], jobs, rounds=1)
    report = gpu.report(found, {mixed.name}, {"card": None, "float32": 1000.0, "half": 4000.0})
    assert "there is no GPU" in report
    assert report.count("| dreamkit, mixed precision |") == 2
    assert "| dreamkit | " in report
    assert "1.00 (1.00..1.00)" in report


def run(seconds, traces=1):
    """What a run of a loop is told of as."""
    return {
        "imported": 2.0,
        "first_step": 5.0,
        "steps": [2.0, 1.0, seconds, seconds],
        "traces": traces,
        "wall": 9.0,
        "peak_mb": 700.4,
    }


def test_the_report_has_every_loop_its_ratio_and_the_floor():
    report = tables.report(
        {
            "machine": {
                "date": "2026-01-02", "processor": "P", "cores": 2, "system": "S", "python": "3.11",
                "versions": ["TensorFlow 2"], "torch": False,
            },
            "rounds": 2,
            "titles": {"net": "The network"},
            "cosines": {"net": {"dreamkit": 1.0, "other": 0.9999}},
            "gflop": {"net": {"512": 44.0}},
            "matrix_product": [80.0, 88.0],
            "step": {
                "net": {"512": {"dreamkit": [run(1.0), run(2.0)], "other": [run(2.0, 3), run(4.0, 3)]}}
            },
            "command_job": {"size": 393, "octaves": 3, "steps": 10},
            "command": {"net": {"dreamkit, cold": [run(1.0)], "PyTorch": [run(1.0, None)]}},
            "growth": {axis: {"4": [run(1.0)]} for axis in ("size", "steps", "octaves", "dream")},
            "growth_side": {"steps": 512, "octaves": 1024},
            "plots": False,
        }
    )  # fmt: skip
    assert "| other | 3.000 (2.000..4.000) | 2.00 (2.00..2.00) | 6.00 | 700 | 3 |" in report
    assert "least cosine is 0.999900" in report
    assert "PyTorch could not be had" in report
    assert "The network, 512 x 512 pixels. The floor, 0.500 s, is 44.0 GFLOP at the 88 GFLOP/s" in report
    assert "The network:\n\n| loop | seconds in all |" in report
    assert "3.00 (3.00..3.00) | 700 | - |" in report
    assert "picture of 1024 x 1024" in report
    assert "pictures/" not in report


def test_a_loop_that_fails_says_why(tmp_path):
    loop = measuring.Loop("ours", "no_such_loop", sys.executable, None)
    with pytest.raises(measuring.LoopError, match="no_such_loop"):
        loop.run(size=8)


@dataclass
class Faked:
    """A loop whose gradient is what it is told."""

    name: str
    module: str
    gradient: list[float]
    variant: str = ""
    least_cosine: float = 0.999

    def run(self, *, gradient, **_):
        np.save(gradient, self.gradient)


def test_nothing_is_timed_where_a_loop_computes_something_else(tmp_path):
    ours = Faked("dreamkit", "ours", [1.0, 2.0])
    assert measuring.compare([ours, Faked("same", "same", [2.0, 4.0])], 8, tmp_path)["same"] == pytest.approx(
        1
    )
    for other in ([1.0, 3.0], [np.nan, 1.0], [-1.0, -2.0]):
        with pytest.raises(measuring.LoopError, match="other: not the same gradient"):
            measuring.compare([ours, Faked("other", "other", other)], 8, tmp_path)


def test_where_no_environment_can_be_made_the_benchmark_goes_on(tmp_path, capsys):
    python = environment.make(tmp_path / "torch", str(tmp_path / "no-python"))
    assert not environment.has(python, "torch")
    assert "No environment could be made" in capsys.readouterr().err


@pytest.mark.heavy
@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_loops_compute_the_same_gradient_and_take_their_steps(inception_weights, tmp_path):
    every = bench.loops_of("inception_v3", str(inception_weights), None, tmp_path)
    loops = {loop.module: loop for loop in reversed(every)}.values()  # the first of each program
    gradients = {}
    for loop in loops:
        gradients[loop.name] = tmp_path / f"{loop.name}.npy"
        loop.run(size=100, gradient=str(gradients[loop.name]))
        seen = loop.run(size=100, octaves=2, scale=1.25, steps=2)
        assert len(seen["steps"]) == 4
        assert 0 < seen["imported"] < seen["first_step"] < seen["wall"]
        # Keras' example compiles for each size; what dreamkit compiled for the gradient was kept.
        assert seen["traces"] == {"keras_example": 2, "ours": 0}.get(loop.module, 1)
        assert seen["peak_mb"] > 100
    assert np.load(gradients["dreamkit"]).std() > 0
    for loop in loops:
        found = measuring.cosine(gradients["dreamkit"], gradients[loop.name])
        assert found > loop.least_cosine, loop.name
