"""Films: what is written is read again, and what cannot be read is refused in one line."""

from __future__ import annotations

import errno
import os
import struct
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")
pytest.importorskip("cv2")

import av

from dreamkit.errors import DreamkitWarning, ImageError, OutputExistsError
from dreamkit.media import atomic, image_writer, video, video_formats, video_writer
from dreamkit.media import clip as clip_module
from dreamkit.media.video_formats import VideoError


def picture(number, size=(48, 64)):
    rows, columns = np.mgrid[: size[0], : size[1]]
    waves = [128 + 80 * np.sin((rows + 2 * number) / 9 + k) * np.cos(columns / 11 - k) for k in range(3)]
    return np.stack(waves, -1).astype(np.uint8)


def write(path, count=8, size=(48, 64), **options):
    with video_writer.Writer(path, size, **options) as film:
        for number in range(count):
            film.add(picture(number, size))
    return path


def sound(path, seconds=1.0, start=0.0, codec="aac", container=None):
    """A film of `seconds` with a tone of 440 Hz."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        heard = film.add_stream(codec, rate=48_000)
        heard.layout = "mono"
        for number in range(round(24 * seconds)):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            film.mux(stream.encode(frame))
        tone = np.sin(2 * np.pi * 440 * np.arange(round(48_000 * seconds)) / 48_000).astype(np.float32)
        for first in range(0, len(tone), 960):
            frame = av.AudioFrame.from_ndarray(tone[None, first : first + 960], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, first + round(48_000 * start)
            film.mux(heard.encode(frame))
        film.mux(stream.encode(None))
        film.mux(heard.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
@pytest.mark.parametrize("size", [(48, 64), (37, 51)])
def test_written_frames_are_read_again(tmp_path, suffix, size):
    clip = video.read(write(tmp_path / f"film{suffix}", size=size, rate=Fraction(25)))
    assert clip.count == 8
    assert clip.rate == 25
    assert not clip.is_variable
    even = suffix != ".gif"
    assert clip.size == tuple(side + side % 2 if even else side for side in size)
    for number, frame in enumerate(clip.frames()):
        assert frame.time == pytest.approx(number / 25, abs=0.011)
        inside = frame.pixels[: size[0], : size[1]].astype(float)
        assert np.abs(inside - picture(number, size)).mean() < (12 if suffix == ".gif" else 6)
        assert abs(inside.mean() - picture(number, size).mean()) < 2


def test_an_animated_webp_has_its_frames(tmp_path):
    from PIL import Image

    with Image.open(write(tmp_path / "film.webp", size=(37, 51), rate=Fraction(25))) as image:
        assert (image.n_frames, image.size) == (8, (51, 37))
        image.seek(5)
        assert np.abs(np.asarray(image.convert("RGB"), float) - picture(5, (37, 51))).mean() < 8


@pytest.mark.parametrize("suffix", sorted(video_formats.FORMATS))
def test_the_same_frames_give_the_same_bytes(tmp_path, suffix):
    one, other = (write(tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    assert one == other


def test_a_folder_of_frames_goes_in_and_out(tmp_path):
    write(tmp_path / "frames", count=12)
    for number in (9, 11):  # names sort by their numbers, not their letters
        (tmp_path / "frames" / f"{number:06}.png").rename(tmp_path / "frames" / f"{number}.png")
    for source in (tmp_path / "frames", tmp_path / "frames" / "*.png"):
        clip = video.read(source, Fraction(12))
        assert (clip.count, clip.size, clip.rate, clip.is_film) == (12, (48, 64), 12, False)
        for number, frame in enumerate(clip.frames()):
            assert np.array_equal(frame.pixels, picture(number))
    with pytest.raises(OutputExistsError, match="is not empty"):
        write(tmp_path / "frames")


def test_frames_of_different_lengths_keep_their_times(tmp_path):
    times = [Fraction(each, 10) for each in (0, 1, 2, 7, 8, 20)]
    clip = video.read(write(tmp_path / "film.mp4", count=6, times=times))
    assert clip.is_variable
    assert [float(time) for time in clip.times] == pytest.approx([float(time) for time in times], abs=1e-4)


def test_a_rotated_film_is_read_upright(tmp_path):
    path = write(tmp_path / "film.mp4")
    data = bytearray(path.read_bytes())
    matrix = struct.pack(
        ">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 48 << 16, 0, 1 << 30
    )  # a quarter to the right
    header = data.index(b"tkhd")
    data[header + 44 : header + 80] = matrix
    path.write_bytes(data)
    clip = video.read(path)
    assert clip.size == (64, 48)
    (frame, *_) = clip.frames(1)
    assert np.abs(frame.pixels.astype(float) - np.rot90(picture(0), -1)).mean() < 6


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "aac"), (".webm", "opus")])
def test_sound_is_kept(tmp_path, suffix, codec):
    clip = video.read(sound(tmp_path / "in.mp4", 1.5))
    assert clip.has_sound
    with video_writer.Writer(tmp_path / f"out{suffix}", clip.size, clip.rate, sound=clip.sound) as film:
        for frame in clip.frames():
            film.add(frame.pixels)
    with av.open(str(tmp_path / f"out{suffix}")) as made:
        heard = made.streams.audio[0]
        assert codec in heard.codec_context.name
        samples = np.concatenate([frame.to_ndarray()[0] for frame in made.decode(heard)])
    assert abs(len(samples) / 48_000 - 1.5) < 1 / 20
    middle = samples[24_000:48_000]
    spectrum = np.abs(np.fft.rfft(middle))
    assert spectrum.argmax() * 2 == pytest.approx(440, abs=4)
    again = video.read(tmp_path / f"out{suffix}")
    assert (again.count, again.rate) == (clip.count, clip.rate)


def test_sound_ends_where_the_pictures_do(tmp_path):
    clip = video.read(sound(tmp_path / "in.mp4", 2.0))
    with video_writer.Writer(tmp_path / "out.mp4", clip.size, clip.rate, sound=clip.sound) as film:
        for frame in clip.frames(12):
            film.add(frame.pixels)
    with av.open(str(tmp_path / "out.mp4")) as made:
        assert made.duration / 1e6 == pytest.approx(0.5, abs=1 / 20)


def test_a_format_without_sound_gives_a_warning(tmp_path):
    clip = video.read(sound(tmp_path / "in.mp4", 0.5))
    with (
        pytest.warns(DreamkitWarning, match=r"\.gif holds no sound; use \.mp4"),
        video_writer.Writer(tmp_path / "out.gif", clip.size, clip.rate, sound=clip.sound) as film,
    ):
        film.add(picture(0))


def test_one_frame_is_a_film(tmp_path):
    clip = video.read(write(tmp_path / "film.mp4", count=1))
    assert (clip.count, clip.is_variable) == (1, False)


def only_sound(path):
    with av.open(str(path), "w") as film:
        heard = film.add_stream("aac", rate=48_000)
        heard.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48_000
        film.mux(heard.encode(frame))
        film.mux(heard.encode(None))


def cut_off(path):
    write(path)
    path.write_bytes(path.read_bytes()[:700])


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("none.mp4", lambda path: None, "does not exist; give a film, a folder"),
        ("empty.mp4", lambda path: path.write_bytes(b""), "cannot be read as a film"),
        ("text.mp4", lambda path: path.write_text("no film" * 99), "cannot be read as a film"),
        ("cut.mp4", cut_off, "cannot be read as a film|holds no frame"),
        ("sound.mp4", only_sound, "holds no pictures, only sound"),
        (
            "photo.png",
            lambda path: atomic.write(path, image_writer.to_png(picture(0)), overwrite=True),
            "is a picture",
        ),
        ("folder", lambda path: path.mkdir(), "holds no pictures"),
    ],
)
def test_a_file_that_is_not_a_film_is_refused_in_one_line(tmp_path, name, make, message):
    path = tmp_path / name
    make(path)
    with pytest.raises(VideoError, match=message) as caught:
        video.read(path)
    assert "\n" not in str(caught.value)


def test_a_frame_that_cannot_become_rgb_is_one_line(tmp_path, monkeypatch):
    """FFmpeg decodes frames of colour spaces that it cannot convert."""
    clip = video.read(write(tmp_path / "film.mp4"))

    def fail(*_):
        raise av.error.OSError(95, "Operation not supported")

    monkeypatch.setattr(clip_module, "_upright", fail)
    with pytest.raises(VideoError, match=r"film.mp4 cannot be read as a film, or is damaged \(Operation not"):
        list(clip.frames())


def test_frames_of_different_sizes_are_refused(tmp_path):
    write(tmp_path / "frames", count=2)
    atomic.write(tmp_path / "frames" / "9.png", image_writer.to_png(picture(0, (20, 20))), overwrite=True)
    with pytest.raises(VideoError, match="frame 2 of .* has 20 x 20 pixels and the first 64 x 48"):
        list(video.read(tmp_path / "frames").frames())


def test_an_impossible_output_is_refused_before_any_work(tmp_path, monkeypatch):
    with pytest.raises(VideoError, match=r"ends in .avi; use one of .mp4"):
        video_formats.check_output(Path("film.avi"), overwrite=False)
    with pytest.raises(ImageError, match="does not exist"):
        video_formats.check_output(tmp_path / "no" / "film.mp4", overwrite=False)
    write(tmp_path / "film.mp4")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        video_formats.check_output(tmp_path / "film.mp4", overwrite=False)
    monkeypatch.setattr(av, "codecs_available", {"gif"})
    with pytest.raises(VideoError, match=r"no encoder for .webm here; use one of .gif"):
        video_formats.check_output(tmp_path / "film.webm", overwrite=False)


def test_an_interrupted_film_leaves_nothing_and_replaces_nothing(tmp_path):
    path = write(tmp_path / "film.mp4")
    before = path.read_bytes()

    def interrupted():
        with video_writer.Writer(path, (48, 64), overwrite=True) as film:
            film.add(picture(0))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["film.mp4"]


def test_one_line_says_that_pyav_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(VideoError, match=r"films need PyAV, which is not installed; run: pip install"):
        video_formats.check_output(Path("film.mp4"), overwrite=False)


# Names and formats


@pytest.mark.parametrize(
    "name",
    ["12:30.mp4", "clip[1].mp4", "a:b/x.mp4", "http:/127.0.0.1:1/x.mp4", "x%03d.gif", "-f.webm", "é ж.mp4"],
)
def test_a_films_name_is_a_files_whatever_it_looks_like(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, count=3)
    found = video.read(path)
    assert found.count == 3
    assert len(list(found.frames())) == 3
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [tmp_path / name]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfilm.mp4\n#EXT-X-ENDLIST\n"),
        ("a.ffconcat", "ffconcat version 1.0\nfile 'film.mp4'\n"),
        ("a.mp4", "ffconcat version 1.0\nfile 'film.mp4'\n"),
        ("a.sdp", "v=0\nm=video 0 RTP/AVP 96\n"),
    ],
)
def test_a_list_of_other_files_is_no_film(tmp_path, name, text):
    write(tmp_path / "film.mp4", count=3)
    (tmp_path / name).write_text(text)
    with pytest.raises(VideoError, match="cannot be read as a film"):
        video.read(tmp_path / name)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_title_in_another_encoding_is_no_obstacle(tmp_path, suffix):
    path = tmp_path / f"film{suffix}"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Rose and friends"
        kind = video_formats.FORMATS[suffix]
        stream = container.add_stream(kind.codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, kind.pixels
        for packet in [
            *stream.encode(av.VideoFrame.from_ndarray(picture(0), format="rgb24")),
            *stream.encode(None),
        ]:
            container.mux(packet)
    data = path.read_bytes()
    assert b"Rose and friends" in data
    path.write_bytes(data.replace(b"Rose and friends", b"Ros\xe9 and friends"))
    assert video.read(path).count == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("file", "file is a file; name a folder for the frames"),
        ("link", "link is a link; name a folder for the frames"),
        ("no/frames", "does not exist"),
    ],
)
def test_a_folder_of_frames_that_cannot_be_is_refused_before_any_work(tmp_path, name, message):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    with pytest.raises(ImageError, match=message):
        video_formats.check_output(tmp_path / name, overwrite=True)


def flush_as_windows(descriptor):
    """`os.fsync`, which on Windows refuses what is not open for writing."""
    import fcntl

    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


@pytest.mark.skipif(sys.platform == "win32", reason="there, each film shows it")
def test_a_film_is_flushed_through_a_file_that_is_open_for_writing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", flush_as_windows)
    assert video.read(write(tmp_path / "film.gif", count=2)).count == 2


@pytest.mark.parametrize("overwrite", [False, True])
def test_frames_take_the_place_of_an_empty_folder(tmp_path, monkeypatch, overwrite):
    replace = Path.replace

    def replace_as_windows(self, target):
        if target.is_dir():
            raise PermissionError(errno.EACCES, "Access is denied")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replace_as_windows)
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / ".DS_Store").write_text("of macOS, which looked into it")
    write(tmp_path / "frames", count=2, overwrite=overwrite)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["000000.png", "000001.png", "frames"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_frames_never_take_the_place_of_a_folder_that_was_filled_meanwhile(tmp_path, overwrite):
    film = video_writer.Writer(tmp_path / "frames", (48, 64), overwrite=overwrite)
    film.__enter__()
    film.add(picture(0))
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "mine").touch()
    with pytest.raises(OutputExistsError, match="the folder .*frames is not empty; choose another"):
        film.__exit__(None, None, None)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["frames", "mine"]
