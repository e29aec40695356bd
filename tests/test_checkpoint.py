"""An interrupted dream continues to the same bytes."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import tiny
from conftest import ROOT, files_no_larger_than
from faults import signal_when
from PIL import Image

from dreamkit import Session, api, make_request
from dreamkit.config import DreamConfig
from dreamkit.engine.loop import dream
from dreamkit.engine.objective_set import LoadedModel
from dreamkit.engine.tf import network
from dreamkit.errors import DreamkitWarning, Interrupted
from dreamkit.jobs.checkpoint import Checkpoint, CheckpointError, path_of
from dreamkit.media import image_metadata, image_writer

KILLS = int(os.environ.get("KILLS", "4"))
OPTIONS = {"octaves": 3, "steps": 3, "tile_size": 32, "jitter": 4}
# Everything that is carried from step to step.
VARIANTS = {
    "plain": {},
    "fourier": {"space": "fourier", "step_size": 0.05},
    "maco": {"space": "maco", "step_size": 0.5},
    "importance": {"alpha": "importance"},
    "views": {"views": 2, "crop": (0.5, 0.9), "view_size": 32, "transforms": {"grain": 4.0}},
    "lost detail": {"octave_scheme": "lost-detail"},
    "whole": {"octave_scheme": "whole"},
    "ends early": {"max_objective": 1e-9},
    "several layers": {"layers": {"first": 1.0, "second": 0.5}, "schedule": ({"steps": 3}, {"steps": 3})},
    "decorrelated": {"color": "decorrelated", "rotate": 5.0, "l2": 0.1},
    "another seed's clouds": {"seed": 7},
}


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


def render(image, checkpoint, on_step=None, **request):
    session = Session(make_request(image, **request))
    start = checkpoint.begin(session.fingerprint(), session.machine())
    return session.run(on_step=checkpoint.after_each(on_step), start=start)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_dream_goes_on_from_any_step(net, photo, tmp_path, variant):
    output = tmp_path / "dream.png"
    options = {"model": net, **OPTIONS, **VARIANTS[variant]}
    whole = api.render(photo, **options).pixels
    states = []

    class Every(Checkpoint):
        def keep(self, state):
            super().keep(state)
            states.append(self.path.read_bytes())

    assert np.array_equal(render(photo, Every(output, 10_000, every=0), **options).pixels, whole)
    assert len(states) == (3 if variant == "ends early" else 9)
    for state in states:
        path_of(output).write_bytes(state)
        shares = []
        again = render(
            photo,
            Checkpoint(output, 10_000, resume=True),
            lambda step, shares=shares: shares.append(step.done),
            **options,
        )
        assert np.array_equal(again.pixels, whole)
        assert shares == sorted(shares)
        assert not shares or shares[-1] == pytest.approx(1)


def test_an_interrupt_keeps_the_last_whole_step(net, photo):
    config = DreamConfig(**OPTIONS)
    told = [LoadedModel(net)]

    def interrupt(step):
        if (step.octave, step.step) == (2, 1):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        dream(photo, told, config, interrupt)
    state = caught.value.state
    assert (state.octave, state.step, state.over) == (1, 1, False)
    assert np.array_equal(dream(photo, told, config, start=state).pixels, dream(photo, told, config).pixels)


def test_a_work_file_of_another_dream_is_refused(net, photo, tmp_path):
    kept = Checkpoint(tmp_path / "dream.png", 10_000, every=0)
    render(photo, kept, model=net, **OPTIONS)
    again = Checkpoint(tmp_path / "dream.png", 10_000, resume=True)
    with pytest.raises(CheckpointError, match=r"of another dream, by its seed: 0, not 1; .* --overwrite"):
        render(photo, again, model=net, **{**OPTIONS, "seed": 1})
    with pytest.raises(CheckpointError, match="another dream, by its photograph; "):
        render(photo[::-1].copy(), again, model=net, **OPTIONS)
    kept.done()
    kept.done()  # twice is no harm
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_work_file_is_one_line(net, photo, tmp_path):
    kept = Checkpoint(tmp_path / "dream.png", 10_000, every=0)
    render(photo, kept, model=net, **OPTIONS)
    data = kept.path.read_bytes()
    draw = random.Random(0)
    pickled = io.BytesIO()
    np.savez(pickled, about=np.array([{"identity": {}}], object), pixels=np.zeros((4, 4, 3), np.float32))
    broken = [b"", b"no archive", pickled.getvalue(), *(data[: draw.randrange(len(data))] for _ in range(20))]
    for each in broken:
        kept.path.write_bytes(each)
        with pytest.raises(CheckpointError, match=r"cannot be read as a work file; start anew"):
            Checkpoint(tmp_path / "dream.png", 10_000, resume=True).begin({}, {})


def test_a_full_disk_stops_no_dream(net, photo, tmp_path):
    kept = Checkpoint(tmp_path / "dream.png", 10_000, every=0)
    with files_no_larger_than(1000), pytest.warns(DreamkitWarning, match="no checkpoint: cannot write"):
        found = render(photo, kept, model=net, **OPTIONS).pixels
    assert np.array_equal(found, api.render(photo, net, **OPTIONS).pixels)
    assert list(tmp_path.iterdir()) == []


ARGUMENTS = "dream photo.png -o out.png --octaves 3 --steps 8 --checkpoint 0 --quiet"


def start(folder, *more):
    return subprocess.Popen(
        [sys.executable, "-m", "dreamkit", *ARGUMENTS.split(), *more],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(folder, *more):
    process = start(folder, *more)
    _, err = process.communicate(timeout=60)
    return process.returncode, err


@pytest.fixture
def photo_file(tmp_path, photo):
    Image.fromarray(np.tile(photo, (4, 3, 1))).save(tmp_path / "photo.png")
    return tmp_path


@pytest.mark.heavy
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_end_with_the_picture_so_far_and_a_way_to_go_on(photo_file, number, code):
    folder = photo_file
    process = start(folder)
    signal_when(process, (folder / "out.png.work").exists, number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (
        code,
        "error: interrupted; the picture so far is in out.png; --resume continues from there\n",
    )
    so_far = (folder / "out.png").read_bytes()
    code, err = ended(folder)
    assert code == 1
    assert "out.png.work holds an interrupted dream; continue it with --resume" in err
    assert ended(folder, "--resume") == (0, "")
    assert not (folder / "out.png.work").exists()
    dreamed = (folder / "out.png").read_bytes()
    assert dreamed != so_far
    (folder / "out.png").unlink()
    assert ended(folder) == (0, "")
    assert (folder / "out.png").read_bytes() == dreamed


def test_a_dream_broken_off_between_two_octaves_goes_on(picture, run, monkeypatch):
    """There the pixels change in place, and the last whole step is the work file's alone."""
    from dreamkit.engine import octave_schemes

    arguments = ("dream", "photo.jpg", "-m", "tiny", "--octaves", "2", "--steps", "2", "--octave-scheme")
    arguments = (*arguments, "lost-detail", "-q", "-o")
    assert run(*arguments, "whole.png")[0] == 0

    def broken_off(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(octave_schemes, "add_lost_detail", broken_off)
        code, _, err = run(*arguments, "out.png", "--checkpoint", "0")
    assert (code, "--resume continues" in err) == (130, True)
    assert run(*arguments, "out.png", "--resume") == (0, "", "")
    assert picture.with_name("out.png").read_bytes() == picture.with_name("whole.png").read_bytes()


def test_what_resume_cannot_do_is_said(picture, run):
    arguments = ("dream", "photo.jpg", "-m", "tiny", "--octaves", "1", "--steps", "1", "-q", "-o", "out.png")
    code, _, err = run(*arguments, "--resume")
    assert (code, err) == (0, "warning: there is no out.png.work to continue from; the dream starts anew\n")
    assert run(*arguments, "--resume", "--dry-run")[0] == 2


@pytest.mark.heavy
def test_what_is_not_the_picture_so_far_is_kept(photo_file):
    folder = photo_file
    process = start(folder)
    signal_when(process, (folder / "out.png.work").exists, signal.SIGINT)
    process.communicate(timeout=60)
    image_writer.write(folder / "out.png", np.zeros((8, 8, 3), np.uint8), overwrite=True)
    assert "out.png exists; choose another name or give --overwrite" in ended(folder, "--resume")[1]
    (folder / "out.png").unlink()
    assert "out.png.work holds an interrupted dream" in ended(folder)[1]


@pytest.mark.heavy
def test_killed_at_random_moments_it_comes_to_the_same_bytes(photo_file):
    """KILLS=20 for as many."""
    folder, draw = photo_file, random.Random(5)
    assert ended(folder) == (0, "")
    whole = (folder / "out.png").read_bytes()
    (folder / "out.png").unlink()
    killed = 0
    work = folder / "out.png.work"
    for _ in range(KILLS):
        before = work.stat().st_mtime_ns if work.exists() else 0
        process = start(folder, "--resume")
        later = draw.randrange(3)  # checkpoints on; then at any moment of the step after
        seen = {before}

        def due(seen=seen, later=later):
            if work.exists():
                seen.add(work.stat().st_mtime_ns)
            return len(seen) > later

        signal_when(process, due, signal.SIGKILL)
        killed += process.wait(timeout=60) == -signal.SIGKILL
        process.stderr.close()
        if killed and not work.exists():
            (folder / "out.png").unlink(missing_ok=True)
    assert killed
    assert ended(folder, "--resume") == (0, "")
    assert (folder / "out.png").read_bytes() == whole
    assert json.loads(json.dumps(image_metadata.read_recipe(folder / "out.png")))


def test_another_machine_is_warned_of_and_the_dream_goes_on(net, photo, tmp_path):
    kept = Checkpoint(tmp_path / "dream.png", 10_000, every=0)
    whole = render(photo, kept, model=net, **OPTIONS).pixels
    fingerprint = Session(make_request(photo, model=net, **OPTIONS)).fingerprint()
    here = Session.machine()
    again = Checkpoint(tmp_path / "dream.png", 10_000, resume=True)
    assert again.begin(fingerprint, here) is not None  # without a warning
    threads = here["threads"]
    message = (
        rf"was begun with processor .* \(now Other\), GPU none \(now One\), threads {threads} \(now 99\), "
        r"oneDNN .* \(now 0\); bytes may differ"
    )
    with pytest.warns(DreamkitWarning, match=message):
        state = again.begin(fingerprint, {"processor": "Other", "threads": 99, "onednn": "0", "gpu": "One"})
    assert state is not None
    assert np.array_equal(state.pixels.shape, whole.shape)


def test_a_work_file_takes_no_more_memory_than_its_dream(net, photo, tmp_path):
    kept = Checkpoint(tmp_path / "dream.png", 10_000, every=0)
    with zipfile.ZipFile(kept.path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("about.npy", bytes(200 << 20))
    assert kept.path.stat().st_size < 1 << 20
    with pytest.raises(CheckpointError, match=r"cannot be read as a work file"):
        Checkpoint(tmp_path / "dream.png", 10_000, resume=True).begin({}, {})
