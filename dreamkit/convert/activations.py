"""Arrays by name, as the reference implementations compute them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

# Blob -> float32 NCHW. Inputs are what the network is fed: mean subtracted, scale applied.
Activations = Mapping[str, NDArray[np.float32]]
