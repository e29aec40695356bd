"""Signals: what is heard in a sound while each frame of a film is shown, 0 to 1.

Levels are sums over a spectrum, in NumPy. Onsets and beats are librosa's: spectral flux over mel bands, and
the beats that fit it and one tempo best (Ellis, Beat Tracking by Dynamic Programming, 2007). Of the libraries
for that, librosa (ISC licence) has releases and installs on every Python that dreamkit supports; the last
releases of aubio and madmom are of 2019 and 2018, and neither installs. librosa is an extra, imported only
where beats or onsets are asked for.

The same samples give the same signals, rounded, so that they do not depend on the last bits of a processor.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import ConfigError
from dreamkit.installation import extra_command
from dreamkit.media import sound as sounds
from dreamkit.media.sound import RATE, Sound
from dreamkit.recipes.timeline import is_heard

Signals: TypeAlias = Mapping[str, tuple[float, ...]]
Floats: TypeAlias = NDArray[np.float64]

BANDS = {
    "bass": (20.0, 250.0),
    "middle": (250.0, 4000.0),
    "treble": (4000.0, RATE / 2),
}  # Hz
_WINDOW, _HOP = 2048, 512  # samples
_AT_ONCE = 1000  # windows
_MEL_BANDS = 128
_RHYTHM = ("beat", "onset")  # what librosa finds
_QUIET = 0.001  # of full scale: what is never louder than that is silence
_FAINT = 0.03  # of all that is heard together: no band is raised from below that
_ONSET = 1.0  # decibels: what never rises by that has no onsets
_HALVED = 0.1  # seconds until a beat has fallen to a half
_DIGITS = 4


def for_timeline(
    timeline: Sequence[Mapping[str, Any]], sound: Sound | None, times: Sequence[Fraction], end: Fraction
) -> Signals:
    """The signals that key frames of a film are at, while each frame is shown: from one of `times` until the
    next, the last until `end`, in seconds.

    Raises:
        VideoError: the sound cannot be read.
        ConfigError: there is no sound, or librosa is missing.
    """
    names = list(dict.fromkeys(entry["at"] for entry in timeline if is_heard(entry)))
    if not names:
        return {}
    if sound is None:
        raise ConfigError(
            f"there is no sound, in which the {names[0]} could be heard; give a file with one: "
            "--sound track.wav"
        )
    if any(name in _RHYTHM for name in names):
        _import_librosa()
    return heard(names, sounds.samples(sound, float(end)), [float(time) for time in times])


def heard(names: Collection[str], samples: NDArray[np.float32], times: Sequence[float]) -> Signals:
    """The signals `names` of samples, `RATE` a second, for frames that are shown from `times` on.

    A frame has the most that is heard while it is shown.
    """
    power = _power(samples, _filters(any(name in _RHYTHM for name in names)))
    everything, bands, mel = power[0], power[1 : 2 + len(BANDS)], power[2 + len(BANDS) :]
    middles = np.arange(power.shape[1], dtype=np.float64) * (_HOP / RATE)
    ends = middles + _WINDOW / 2 / RATE  # so that no frame has what is heard after it
    found = {
        name: (_level(band, everything), ends) for name, band in zip(("loudness", *BANDS), bands, strict=True)
    }
    if mel.size:
        strength = _onset_strength(mel)  # which librosa moves to the end of the windows, too
        found["onset"] = strength / max(strength.max(), _ONSET), middles
        found["beat"] = _beats(strength), middles
    return {name: _of_frames(*found[name], np.asarray(times)) for name in names}


def _of_frames(signal: Floats, moments: Floats, times: Floats) -> tuple[float, ...]:
    """A signal that is known at `moments`, for frames from `times` on."""
    found = np.interp(times, moments, signal)
    shown = np.searchsorted(times, moments, side="right") - 1
    np.maximum.at(found, shown[shown >= 0], signal[shown >= 0])
    return tuple(round(float(each), _DIGITS) for each in found)


def _level(power: Floats, everything: Floats) -> Floats:
    """How loud a band is, 1 where it is loudest."""
    level = np.sqrt(power)
    loudest: float = max(level.max(), _FAINT * math.sqrt(everything.max()), _QUIET)
    return level / loudest


def _filters(mel: bool) -> Floats:
    """Of each row of `_power`, the weight of each frequency: of everything, the loudness, the bands, and mel
    bands where they are asked for."""
    frequencies = np.asarray(np.fft.rfftfreq(_WINDOW, 1 / RATE), np.float64)
    rows = [np.ones_like(frequencies), _a_weighting(frequencies) ** 2]
    for least, most in BANDS.values():
        rows.append(np.asarray((frequencies >= least) & (frequencies < most), np.float64))
    if mel:
        rows += list(_import_librosa().filters.mel(sr=RATE, n_fft=_WINDOW, n_mels=_MEL_BANDS))
    return np.asarray(rows, np.float64)


def _a_weighting(frequencies: Floats) -> Floats:
    """How loud people hear frequencies, 1 at 1 kHz: the curve A of IEC 61672-1, by its formula."""

    def curve(frequency: Any) -> Any:
        square = np.square(frequency)
        within = (square + 107.7**2) * (square + 737.9**2)
        return 12194.0**2 * square**2 / ((square + 20.6**2) * np.sqrt(within) * (square + 12194.0**2))

    return np.asarray(curve(frequencies) / curve(1000.0), np.float64)


def _power(samples: NDArray[np.float32], filters: Floats) -> Floats:
    """The mean square of the samples around each moment, by filter: `(filters, moments)`."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)  # of Hann
    scale = 2 / (_WINDOW * np.square(window).sum())
    padded = np.pad(samples, _WINDOW // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    found = [
        np.square(np.abs(np.fft.rfft(windows[first : first + _AT_ONCE] * window))) @ filters.T * scale
        for first in range(0, len(windows), _AT_ONCE)
    ]
    return np.transpose(np.concatenate(found))


def _onset_strength(mel: Floats) -> Floats:
    """By how many decibels the mel bands rise, on average."""
    librosa = _import_librosa()
    strength = librosa.onset.onset_strength(S=librosa.power_to_db(mel), sr=RATE, hop_length=_HOP)
    return np.asarray(strength, np.float64)


def _beats(strength: Floats) -> Floats:
    """1 at each beat, falling off until the next."""
    found = np.zeros_like(strength)
    if strength.max() < _ONSET:
        return found
    _, beats = _import_librosa().beat.beat_track(
        onset_envelope=strength, sr=RATE, hop_length=_HOP, units="frames", trim=False
    )
    for beat in sorted(map(int, beats)):
        found[beat:] = 0.5 ** (np.arange(len(found) - beat) * (_HOP / RATE / _HALVED))
    return found


def _import_librosa() -> Any:
    try:
        import librosa
    except ImportError:
        raise ConfigError(
            f"beats and onsets need librosa, which is not installed; run: {extra_command('sound')}"
        ) from None
    return librosa
