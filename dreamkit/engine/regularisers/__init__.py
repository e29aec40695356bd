"""Regularisers, which hold a dream back while it grows. Each module is one, called as its part.

The gradient of each is subtracted from the update of a step. Pixels are measured in units,
`u = pixels / unit`, one for each colour, so that a weight means the same for every network.
"""
