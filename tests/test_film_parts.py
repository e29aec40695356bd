"""Parts of films, other rates, codecs and quality: frames, sound and bytes are those that are asked for."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import tiny

pytest.importorskip("av")
pytest.importorskip("cv2")

import av

from dreamkit import DreamConfig, Session
from dreamkit.engine.tf import network
from dreamkit.errors import Interrupted
from dreamkit.jobs import film
from dreamkit.jobs.film_worker import FilmOptions
from dreamkit.jobs.frame_store import FrameStoreError
from dreamkit.media import moments, video, video_formats, video_writer
from dreamkit.media.moments import Moment
from dreamkit.media.video_formats import Encoding, VideoError
from dreamkit.request import without_image

SIZE = (48, 64)
RATE = 48_000  # samples a second
CONFIG = DreamConfig(octaves=1, steps=1, jitter=4)
OPTIONS = FilmOptions(blend=0.5)  # few rounds for a first frame


def frame(number):
    """A frame that tells its number."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    waves = [128 + 60 * np.sin((rows + 2 * number) / 9 + k) * np.cos(columns / 11 - k) for k in range(3)]
    marked = np.stack(waves, -1).astype(np.uint8)
    marked[:16] = 8 * number
    return marked


def numbers_of(clip):
    return [round(float(each.pixels[4:12, 8:-8].mean()) / 8) for each in clip.frames()]


def tone(seconds):
    """A tone that is another in each tenth of a second."""
    at = np.arange(round(RATE * seconds)) / RATE
    return np.float32(0.5) * np.sin(2 * np.pi * (300 + 200 * (at * 10 // 1 % 3)) * at).astype(np.float32)


@pytest.fixture
def source(tmp_path):
    """Twenty-four frames in a second, with sound."""
    path = tmp_path / "in.mp4"
    with av.open(str(path), "w") as file:
        shown = file.add_stream("libx264", rate=24)
        shown.width, shown.height, shown.pix_fmt = *SIZE[::-1], "yuv420p"
        shown.options = {"crf": "4"}
        heard = file.add_stream("aac", rate=RATE)
        heard.layout, heard.bit_rate = "mono", 256_000
        for number in range(24):
            file.mux(shown.encode(av.VideoFrame.from_ndarray(frame(number), format="rgb24")))
        samples = tone(1)
        for first in range(0, RATE, 1000):
            piece = av.AudioFrame.from_ndarray(samples[None, first : first + 1000], "fltp", "mono")
            piece.sample_rate, piece.pts = RATE, first
            file.mux(heard.encode(piece))
        file.mux(shown.encode(None))
        file.mux(heard.encode(None))
    return path


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


def session(net):
    return Session(without_image(net, config=CONFIG))


@pytest.mark.parametrize(
    ("start", "stop", "first", "last"),
    [
        ("0.5", None, 12, 23),
        (None, "0.5", 0, 11),
        ("6f", "9f", 6, 8),
        ("0.26", "0.3", 7, 7),
        ("6f", "99", 6, 23),
        ("0", "24f", 0, 23),
    ],
)
def test_a_part_has_the_frames_that_begin_in_it(source, start, stop, first, last):
    whole = video.read(source)
    between = [each and Moment.of(each, "--from") for each in (start, stop)]
    part = moments.part(whole, *between)
    assert numbers_of(part) == [*range(first, last + 1)]
    assert part.times == tuple(Fraction(number, 24) for number in range(part.count))
    assert part.duration == Fraction(part.count, 24)
    assert (part == whole) == (part.count == 24)


@pytest.mark.parametrize(
    ("start", "stop", "message"),
    [
        ("1", None, "no frame begins from 1; the film has 24 frames in 1.000 seconds"),
        ("9f", "9f", "no frame begins from 9f and before 9f"),
        ("0.3", "0.31", "no frame begins from 0.3 and before 0.31"),
        (None, "0", "no frame begins before 0;"),
    ],
)
def test_a_part_without_frames_is_one_line(source, start, stop, message):
    between = [each and Moment.of(each, "--from") for each in (start, stop)]
    with pytest.raises(VideoError, match=message) as caught:
        moments.part(video.read(source), *between)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "1:30", "-1", "1.5s", "f", "nan", "1e3", "3.5f", "\n1"])
def test_another_notation_of_a_moment_is_one_line(text):
    with pytest.raises(VideoError, match="write seconds, such as 1.5, or a frame") as caught:
        Moment.of(text, "--to")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (24, range(24)),
        (12, range(0, 24, 2)),
        (8, range(0, 24, 3)),
        (48, [number // 2 for number in range(48)]),
        (30, [number * 4 // 5 for number in range(30)]),
    ],
)
def test_at_another_rate_each_frame_is_the_one_that_is_due(source, rate, expected):
    clip = video.read(source).at_rate(Fraction(rate))
    assert (clip.rate, clip.is_variable) == (rate, False)
    assert clip.times == tuple(Fraction(number, rate) for number in range(rate))
    assert numbers_of(clip) == [*expected]


def test_times_that_a_file_rounds_do_not_matter(tmp_path):
    """GIF knows hundredths of a second."""
    with video_writer.Writer(tmp_path / "film.gif", SIZE, Fraction(30)) as writer:
        for number in range(24):
            writer.add(frame(number))
    clip = video.read(tmp_path / "film.gif")
    assert numbers_of(clip.at_rate(Fraction(30))) == [*range(24)]
    assert numbers_of(clip.at_rate(Fraction(15))) == [*range(0, 24, 2)]


@pytest.mark.parametrize(("suffix", "first", "stop"), [(".mp4", 7, 19), (".webm", 0, 11), (".mp4", 13, 24)])
def test_the_sound_of_a_part_is_cut_to_the_sample(source, tmp_path, suffix, first, stop):
    part = video.read(source).cut(first, stop)
    out = tmp_path / f"out{suffix}"
    with video_writer.Writer(out, SIZE, part.rate, sound=part.sound) as writer:
        for each in part.frames():
            writer.add(each.pixels)
    wanted = (stop - first) * RATE // 24
    with av.open(str(out)) as made:
        heard = made.streams.audio[0]
        if suffix == ".mp4":
            assert abs(heard.duration - wanted) < RATE // 1000  # MP4 counts milliseconds
        samples = np.concatenate([each.to_ndarray()[0] for each in made.decode(heard)])[:wanted]
    assert len(samples) == wanted
    expected = tone(1)[first * RATE // 24 : stop * RATE // 24]
    errors = [np.abs(np.roll(samples, -by) - expected)[500:-500].mean() for by in (-1, 0, 1)]
    assert errors[1] < 0.03
    assert min(errors) == errors[1]


def test_a_part_is_dreamed_as_if_it_were_the_film(tmp_path, net, source):
    part = video.read(source).cut(6, 10)
    film.make(part, session(net), tmp_path / "part", OPTIONS)
    with video_writer.Writer(tmp_path / "alone", SIZE) as writer:
        for each in part.frames():
            writer.add(each.pixels)
    film.make(video.read(tmp_path / "alone"), session(net), tmp_path / "expected", OPTIONS)
    names = sorted(path.name for path in (tmp_path / "part").iterdir())
    assert len(names) == 4
    for name in names:
        assert (tmp_path / "part" / name).read_bytes() == (tmp_path / "expected" / name).read_bytes()


def test_a_part_goes_on_to_the_same_bytes_and_another_is_refused(tmp_path, net, source):
    whole = video.read(source)
    film.make(whole.cut(6, 10), session(net), tmp_path / "whole.mp4", OPTIONS)

    def interrupt(progress):
        if progress.done == 2 and not progress.resumed:
            raise KeyboardInterrupt

    out = tmp_path / "parts.mp4"
    with pytest.raises(Interrupted):
        film.make(whole.cut(6, 10), session(net), out, OPTIONS, on_frame=interrupt)
    for other, what in (
        (whole.cut(6, 11), "range"),
        (whole.cut(5, 10), "range"),
        (whole, "range"),
        (whole.cut(6, 10).at_rate(Fraction(48)), "fps"),
    ):
        with pytest.raises(FrameStoreError, match=f"another run, with another {what}; repeat"):
            film.make(other, session(net), out, OPTIONS)
    seen = []
    encoding = Encoding(codec="h264", quality=90)  # the usual ones
    film.make(whole.cut(6, 10), session(net), out, OPTIONS, on_frame=seen.append, encoding=encoding)
    assert [each.done for each in seen] == [2, 3, 4]
    assert out.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


# How a film is encoded


def encoded(path, **options):
    with video_writer.Writer(path, SIZE, Fraction(24), encoding=Encoding(**options)) as writer:
        for number in range(6):
            writer.add(frame(number))
    return path


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "hevc"), (".mp4", "vp9"), (".mp4", "av1"), (".webm", "av1"), (".webm", "vp9")],
)
def test_a_codec_is_what_is_written_and_gives_the_same_bytes(tmp_path, suffix, codec):
    if video_formats.CODECS[codec].codec not in av.codecs_available:
        pytest.skip(f"PyAV has no encoder for {codec} here")
    one, other = (encoded(tmp_path / f"{name}{suffix}", codec=codec) for name in "ab")
    assert one.read_bytes() == other.read_bytes()
    with av.open(str(one)) as made:
        stream = made.streams.video[0]
        assert codec.replace("av1", "dav1d") in stream.codec_context.name.replace("libdav1d", "dav1d")
        if codec == "hevc":
            assert stream.codec_context.codec_tag == "hvc1"  # which Apple's players want
    assert numbers_of(video.read(one)) == [*range(6)]


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", None), (".mp4", "hevc"), (".webm", None), (".webp", None)]
)
def test_more_quality_is_more_bytes(tmp_path, suffix, codec):
    sizes = [
        encoded(tmp_path / f"{quality}{suffix}", codec=codec, quality=quality).stat().st_size
        for quality in (0, 50, 100)
    ]
    assert sizes[0] < sizes[1] < sizes[2]


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".webp"])
def test_the_usual_quality_is_90(tmp_path, suffix):
    usual, chosen = encoded(tmp_path / f"a{suffix}"), encoded(tmp_path / f"b{suffix}", quality=90)
    assert usual.read_bytes() == chosen.read_bytes()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("film.webm", {"codec": "h264"}, r"\.webm cannot hold h264; it takes vp9, av1"),
        ("film.gif", {"codec": "vp9"}, r"\.gif cannot hold vp9; it has one codec; leave --codec out"),
        ("film.gif", {"quality": 50}, r"\.gif has no quality to choose"),
        ("folder", {"quality": 50}, "folder is a folder of PNG files"),
    ],
)
def test_what_a_file_cannot_have_is_one_line(tmp_path, name, options, message):
    with pytest.raises(VideoError, match=message):
        video_formats.check_output(tmp_path / name, Encoding(**options), overwrite=False)


def test_a_codec_without_an_encoder_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", {"libx264", "libvpx-vp9"})
    with pytest.raises(VideoError, match=r"no encoder for hevc here \(libx265\); use one of h264, vp9"):
        video_formats.check_output(tmp_path / "film.mp4", Encoding(codec="hevc"), overwrite=False)


def test_the_command_line_takes_a_part(run, tmp_path, source, net):
    options = ("-m", "tiny", "--octaves", "1", "--steps", "4")
    part = ("--from", "0.5", "--to", "18f", "--fps", "12", "--max-size", "32")
    code, out, err = run("film", "in.mp4", "-o", "out.mp4", *options, *part, "--preview", "2")
    assert (code, out.startswith("wrote out.mp4")) == (0, True), err
    assert video.read(tmp_path / "out.mp4").count == 2
    code, _, err = run(
        "film", "in.mp4", "-o", "out.mp4", *options, *part, "--overwrite", "--codec", "vp9", "--quality", "60"
    )
    assert (code, "frame 3/3" in err) == (0, True), err
    made = video.read(tmp_path / "out.mp4")
    assert (made.count, made.size, made.rate, made.has_sound) == (3, (24, 32), 12, True)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["film", "in.mp4", "--from", "1:30"], "--from is 1:30; write seconds, such as 1.5, or a frame"),
        (["film", "in.mp4", "--from", "2"], "no frame begins from 2; the film has 24 frames"),
        (["film", "in.mp4", "--codec", "prores"], "codec is prores; choose h264, hevc, vp9, av1"),
        (["film", "in.mp4", "--quality", "101"], "quality is 101; it takes a number from 0 to 100"),
        (["zoom", "--quality", "-1"], "quality is -1; it takes a number from 0 to 100"),
    ],
)
def test_wrong_command_lines_are_one_line(run, source, command, message):
    code, _, err = run(*command, "-o", "out.mp4")
    last = err.strip().splitlines()[-1]
    assert (code, last.startswith("error: "), message in last) == (1, True, True), err
