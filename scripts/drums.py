"""Five seconds of drums, for the zoom to a beat in docs/films.md: a kick at each beat, 120 a minute, hats at
each half, and a bass note between.

    python scripts/drums.py drums.wav
"""

from __future__ import annotations

import sys
import wave

import numpy as np

RATE = 22_050  # samples a second
SECONDS, BEAT = 5.0, 0.5


def main(path: str) -> None:
    track = np.zeros(round(SECONDS * RATE))
    draw = np.random.default_rng(0)
    time = np.arange(round(0.25 * RATE)) / RATE
    kick = np.sin(2 * np.pi * (50 * time + 0.9 * (1 - np.exp(-time / 0.03)))) * np.exp(-time / 0.08)
    kick += 0.5 * draw.normal(size=len(time)) * np.exp(-time / 0.004)  # of the beater
    hat = np.diff(draw.normal(size=len(time) + 1)) * np.exp(-time / 0.02)
    bass = np.sin(2 * np.pi * 55 * time) * np.exp(-time / 0.15)
    for beat in range(round(SECONDS / BEAT)):
        for at, sound, volume in ((0.0, kick, 0.7), (0.0, hat, 0.03), (0.5, hat, 0.03), (0.5, bass, 0.12)):
            first = round((beat + at) * BEAT * RATE)
            track[first : first + len(sound)] += volume * sound
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.rint(32767 * np.clip(track, -1, 1)).astype("<i2").tobytes())


if __name__ == "__main__":
    main(sys.argv[1])
