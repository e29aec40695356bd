"""HDR films: what PQ, HLG and BT.2020 mean as light comes out at the brightness and colours of BT.709."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

pytest.importorskip("av")

import av

from dreamkit.media import tone_mapping, video
from dreamkit.media.tone_mapping import HLG, PQ
from dreamkit.media.video_formats import VideoError

BT709, BT2020 = 1, 9  # primaries, as ITU-T H.273 numbers them
ENCODER = "libx264"


def pq(light):
    """The value, 0 to 1, for light in cd/m²: the inverse of what is read."""
    root = (np.asarray(light) / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * root) / (1 + 18.6875 * root)) ** 78.84375


def hlg(light):
    """The same for a grey of HLG, on a display of 1,000 cd/m²."""
    scene = (np.asarray(light) / 1000) ** (1 / 1.2)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


def as_16_bit(values):
    return np.rint(np.asarray(values) * 65_535).astype(np.uint16)


GREYS = [0.0, 2.0, 20.0, 100.0, 203.0, 500.0, 1000.0]
SHOWN = [0, 37, 97, 190, 234, 255, 255]  # 255 * y ** (1 / 2.4); y is x / 203, or 1 - exp(1 - 2 x / 203) / 2


@pytest.mark.parametrize(("transfer", "encode"), [(PQ, pq), (HLG, hlg)])
def test_greys_keep_their_light_up_to_half_of_white(transfer, encode):
    pixels = np.repeat(as_16_bit(encode(GREYS))[None, :, None], 3, -1)
    found = tone_mapping.to_sdr(pixels, transfer, BT2020)
    assert np.abs(found[0].astype(int) - np.array(SHOWN)[:, None]).max() <= 1


@pytest.mark.parametrize("transfer", [PQ, HLG])
@given(arrays.arrays(np.uint16, (3, 4, 3)), st.sampled_from([BT709, BT2020]))
def test_any_pixel_has_a_colour_and_brighter_greys_are_no_darker(transfer, pixels, primaries):
    assert tone_mapping.to_sdr(pixels, transfer, primaries).shape == pixels.shape
    greys = np.sort(pixels.max(-1).ravel())
    found = tone_mapping.to_sdr(np.repeat(greys[None, :, None], 3, -1), transfer, primaries)[0].astype(int)
    assert (np.diff(found, axis=0) >= 0).all()
    assert np.ptp(found, axis=-1).max() <= 1  # grey stays grey


def test_bright_colours_keep_their_hue():
    orange = np.array([900.0, 450.0, 90.0])
    found = tone_mapping.to_sdr(as_16_bit(pq(orange))[None, None], PQ, BT709)[0, 0] / 255
    assert found**2.4 / found[0] ** 2.4 == pytest.approx(orange / orange[0], abs=0.01)


def test_a_colour_of_both_primaries_is_the_same_one():
    """Red of BT.709, in the primaries of BT.2020."""
    red = np.array([0.6274, 0.0691, 0.0164])
    found = tone_mapping.to_sdr(as_16_bit(red ** (1 / 2.4))[None, None], 1, BT2020)[0, 0]
    assert found[0] >= 254
    assert found[1:].max() < 12


def test_a_large_frame_is_converted_row_by_row():
    pixels = as_16_bit(np.random.default_rng(1).random((300, 4, 3)))
    whole = tone_mapping.to_sdr(pixels, HLG, BT2020)
    for row in (0, 127, 128, 299):
        np.testing.assert_array_equal(tone_mapping.to_sdr(pixels[row : row + 1], HLG, BT2020)[0], whole[row])


def write(path, values, transfer, primaries, matrix, pixels="yuv420p10le"):
    """A film of greys in bars, 16 pixels each, with 10 bits."""
    if pixels not in {each.name for each in av.Codec(ENCODER, "w").video_formats or ()}:
        pytest.skip(f"{ENCODER} writes no {pixels} here")
    bars = np.repeat(np.repeat(np.repeat(as_16_bit(values)[None, :, None], 16, 1), 32, 0), 3, -1)
    with av.open(str(path), "w") as film:
        stream = film.add_stream(ENCODER, rate=24)
        stream.width, stream.height, stream.pix_fmt = bars.shape[1], 32, pixels
        stream.options = {"crf": "4"}
        context = stream.codec_context
        context.color_range, context.colorspace = 1, matrix
        context.color_primaries, context.color_trc = primaries, transfer
        for _ in range(2):
            frame = av.VideoFrame.from_ndarray(bars, format="rgb48le")
            film.mux(
                stream.encode(frame.reformat(format=pixels, dst_colorspace=min(matrix, 9), dst_color_range=1))
            )
        film.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(("transfer", "encode"), [(PQ, pq), (HLG, hlg)])
def test_an_hdr_film_is_read_at_the_usual_brightness(tmp_path, suffix, transfer, encode):
    clip = video.read(write(tmp_path / f"hdr{suffix}", encode(GREYS), transfer, BT2020, 9))
    frames = [frame.pixels for frame in clip.frames()]
    assert len(frames) == 2
    assert np.abs(frames[1][16, 8::16].astype(int) - np.array(SHOWN)[:, None]).max() <= 3


def test_ten_bits_without_hdr_keep_their_values(tmp_path):
    values = np.linspace(0, 1, 7)
    clip = video.read(write(tmp_path / "deep.mp4", values, BT709, BT709, 1))
    (frame, _) = clip.frames()
    assert np.abs(frame.pixels[16, 8::16] - 255 * values[:, None]).max() <= 2


def test_colours_that_cannot_be_read_are_named(tmp_path):
    path = write(tmp_path / "ictcp.mp4", pq(GREYS), PQ, BT2020, 14)
    with pytest.raises(
        VideoError, match=r"ictcp\.mp4 has its colours as ICtCp, which cannot be read; convert"
    ):
        video.read(path)


@pytest.mark.heavy
def test_a_dream_of_an_hdr_film(run, tmp_path):
    write(tmp_path / "hdr.mp4", pq(GREYS), PQ, BT2020, 9)
    code, _, err = run(
        "film", "hdr.mp4", "-o", "out", "-m", "tiny", "--octaves", "1", "--steps", "4", "--strength", "0.001"
    )
    assert code == 0, err
    (frame, _) = video.read(tmp_path / "out").frames()
    assert np.abs(frame.pixels[16, 8::16].mean(-1) - SHOWN).max() < 25
