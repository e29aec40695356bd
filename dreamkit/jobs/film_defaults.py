"""The defaults of films and zooms. Commands import them for `--help`, so nothing else is imported here."""

BLEND = 0.8  # of the last frame's dream, with which a frame begins
EVERY = 1  # of how many frames one is dreamed
FRAMES = 300  # of a zoom
MIRROR = "none"  # of its frames
ZOOM = 1.04  # how much larger each frame is
