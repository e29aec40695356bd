"""The published dream loops, written down once more from their formulae in NumPy, to hold the engine to.

Every loop works in float64 on one whole picture, never on tiles; its docstring says what the original's tiles
leave out. `test_resize.resized` stands in for each program's own resampling. `roll(octave, step)` gives the
jitter (down, right) of a step, octaves counted from 0, the smallest. A loop returns the picture after every
step, at that octave's size, and the final picture: RGB, 0 to 255, unclipped where the ascent does not clip.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import tiny
from numpy.typing import NDArray
from test_resize import resized

Array = NDArray[np.float64]
Photo = NDArray[np.uint8]
Roll = Callable[[int, int], tuple[int, int]]
AtLayers = Mapping[str, Callable[[Array], Array]]
Dream = tuple[list[Array], Array]
Size = tuple[int, int]

HALF_RANGE = 127.5
"""Pixel values to one unit of a network that eats -1 to 1."""

IMAGENET_MEAN = np.array((0.485, 0.456, 0.406))
IMAGENET_STD = np.array((0.229, 0.224, 0.225))

_COLOURS = np.array(((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03)))
LUCID_COLOURS = _COLOURS / np.sqrt((_COLOURS**2).sum(0)).max()
"""From decorrelated planes (columns) to red, green and blue (rows)."""


# Gradients of the tiny network.


def gradient(pixels: Array, kernels: tiny.Kernels, at_layers: AtLayers) -> Array:
    """dObjective/dpixels, where `at_layers` gives dObjective/dactivations of the layers it names."""
    seen = tiny.activations(pixels, kernels)
    pulls = {name: np.zeros_like(values) for name, values in seen.items()}
    pulls.update({name: at_layer(seen[name]) for name, at_layer in at_layers.items()})
    before_tanh = pulls["second"] * (1.0 - seen["second"] ** 2)
    at_first = pulls["first"] + _convolved_back(before_tanh, kernels.second, 2, seen["first"].shape[:2])
    height, width, _ = pixels.shape
    at_padded = _convolved_back(at_first, kernels.first, 1, (height + 2, width + 2))
    at_eaten = at_padded[1 : 1 + height, 1 : 1 + width]
    return (at_eaten * np.asarray(tiny.PREPROCESS.scale))[..., ::-1]


def _convolved_back(upstream: Array, kernel: Array, stride: int, size: Size) -> Array:
    """Every output hands its pull, through each of the kernel's taps, to the input that tap had read."""
    back = np.zeros((*size, kernel.shape[2]))
    rows, columns, _ = upstream.shape
    for y, x in np.ndindex(*kernel.shape[:2]):
        read = back[y : y + stride * (rows - 1) + 1 : stride, x : x + stride * (columns - 1) + 1 : stride]
        read += upstream @ kernel[y, x].T
    return back


def of_half_sum_of_squares(activations: Array) -> Array:
    return activations


def of_mean(activations: Array) -> Array:
    return np.full_like(activations, 1.0 / activations.size)


def of_mean_square(activations: Array) -> Array:
    return 2.0 * activations / activations.size


def of_channel_mean(channel: int) -> Callable[[Array], Array]:
    def pull(activations: Array) -> Array:
        height, width, _ = activations.shape
        out = np.zeros_like(activations)
        out[..., channel] = 1.0 / (height * width)
        return out

    return pull


def of_inner_mean_square(weight: float) -> Callable[[Array], Array]:
    """Of `inner_mean_square`, times `weight`."""

    def pull(activations: Array) -> Array:
        out = np.zeros_like(activations)
        out[2:-2, 2:-2] = 2.0 * weight * activations[2:-2, 2:-2] / activations.size
        return out

    return pull


def inner_mean_square(activations: Array) -> float:
    """The squares within a border of two, over the number of all activations, the border's included."""
    return float((activations[2:-2, 2:-2] ** 2).sum() / activations.size)


def rolled_gradient(pixels: Array, kernels: tiny.Kernels, at_layers: AtLayers, shift: Size) -> Array:
    """The gradient of the picture rolled by `shift`, rolled back."""
    down, right = shift
    at_rolled = gradient(np.roll(pixels, (down, right), (0, 1)), kernels, at_layers)
    return np.roll(at_rolled, (-down, -right), (0, 1))


# Octaves.


def octave_size(photo: Array | Photo, scale: float, exponent: int) -> Size:
    height, width = (max(1, round(side * scale**exponent)) for side in photo.shape[:2])
    return height, width


def sizes_up_to_the_photo(photo: Array | Photo, scale: float, octaves: int) -> list[Size]:
    return [octave_size(photo, scale, exponent) for exponent in range(-(octaves - 1), 1)]


# The loops.


def google_2015(
    photo: Photo,
    kernels: tiny.Kernels,
    layer: str,
    roll: Roll,
    octaves: int = 4,
    scale: float = 1.4,
    steps: int = 10,
    step_size: float = 1.5,
    *,
    successive: bool = True,
) -> Dream:
    """google/deepdream, dream.ipynb: up (sum of squares) / 2, by step_size / mean|g| pixel values.

    Each octave starts from the photo at that size and what the octave before it added, enlarged. The original
    shrinks each octave's photo from the next larger one's; not `successive` shrinks each from the photo. It
    subtracts a mean colour and clips to what that leaves of 0 to 255, which is 0 to 255 here. No tiles.
    """
    sizes = sizes_up_to_the_photo(photo, scale, octaves)
    bases = [photo.astype(np.float64)]
    for size in reversed(sizes[:-1]):
        bases.append(resized(bases[-1] if successive else bases[0], size))
    bases.reverse()

    taken: list[Array] = []
    detail = np.zeros_like(bases[0])
    for number, base in enumerate(bases):
        pixels = base + resized(detail, sizes[number])
        for step in range(steps):
            g = rolled_gradient(pixels, kernels, {layer: of_half_sum_of_squares}, roll(number, step))
            pixels = np.clip(pixels + step_size / np.abs(g).mean() * g, 0.0, 255.0)
            taken.append(pixels)
        detail = pixels - base
    return taken, pixels


def tf_tutorial(
    photo: Photo,
    kernels: tiny.Kernels,
    layers: Iterable[str],
    roll: Roll,
    first: int = -2,
    octaves: int = 5,
    scale: float = 1.3,
    steps: int = 100,
    step_size: float = 0.01,
) -> Dream:
    """TensorFlow 2's tutorial: up the sum of the layers' means, by step_size * g / (std(g) + 1e-8).

    x is -1 to 1 and clipped to that; the whole picture is resized between octaves and at last to the photo's
    size. The original's tiles of 512 skip the last row and column of tiles wherever there is more than one,
    leave zeros there (which count in the deviation), and sum over tiles where this takes one mean.
    """
    return _by_deviation(photo, kernels, layers, roll, range(first, first + octaves), scale, steps, step_size)


def hughy_2020(
    photo: Photo,
    kernels: tiny.Kernels,
    layers: Iterable[str],
    roll: Roll,
    octaves: int = 5,
    scale: float = 1.3,
    steps: int = 25,
    step_size: float = 0.01,
) -> Dream:
    """hughy/deep-dream, its defects mended: the TensorFlow 2 tutorial's loop over its own octaves.

    The original's tiles of 256 leave out the right and bottom remainders, and all of an octave smaller than
    one tile; it draws its jitter once for the whole dream.
    """
    exponents = range(-math.floor(octaves / 2), math.ceil(octaves / 2))
    return _by_deviation(photo, kernels, layers, roll, exponents, scale, steps, step_size)


def _by_deviation(
    photo: Photo,
    kernels: tiny.Kernels,
    layers: Iterable[str],
    roll: Roll,
    exponents: Iterable[int],
    scale: float,
    steps: int,
    step_size: float,
) -> Dream:
    at_layers = dict.fromkeys(layers, of_mean)
    taken: list[Array] = []
    x = photo / HALF_RANGE - 1.0
    for number, exponent in enumerate(exponents):
        x = resized(x, octave_size(photo, scale, exponent))
        for step in range(steps):
            pixels = (x + 1.0) * HALF_RANGE
            g = HALF_RANGE * rolled_gradient(pixels, kernels, at_layers, roll(number, step))
            x = np.clip(x + step_size * g / (g.std() + 1e-8), -1.0, 1.0)
            taken.append((x + 1.0) * HALF_RANGE)
    return taken, (resized(x, photo.shape[:2]) + 1.0) * HALF_RANGE


def keras_example(
    photo: Photo,
    kernels: tiny.Kernels,
    weights: Mapping[str, float],
    octaves: int = 3,
    scale: float = 1.4,
    steps: int = 20,
    step_size: float = 0.01,
    max_loss: float | None = 15.0,
) -> Dream:
    """keras-io's example: up the weighted `inner_mean_square`s, by step_size * g / max(mean|g|, 1e-6).

    x is -1 to 1 and never clipped (the original clips what it saves). The step whose loss, before it is
    taken, is over `max_loss` is the octave's last. After each octave but the first, the picture gets back
    what the photo loses by passing through the octave before; the pictures after the steps show that from the
    next octave on. No jitter, no tiles.
    """
    at_layers = {layer: of_inner_mean_square(weight) for layer, weight in weights.items()}
    original = photo / HALF_RANGE - 1.0
    sizes = sizes_up_to_the_photo(photo, scale, octaves)
    taken: list[Array] = []
    x = original
    for number, size in enumerate(sizes):
        x = resized(x, size)
        for _ in range(steps):
            pixels = (x + 1.0) * HALF_RANGE
            seen = tiny.activations(pixels, kernels)
            loss = sum(weight * inner_mean_square(seen[layer]) for layer, weight in weights.items())
            g = HALF_RANGE * gradient(pixels, kernels, at_layers)
            x = x + step_size * g / max(np.abs(g).mean(), 1e-6)
            taken.append((x + 1.0) * HALF_RANGE)
            if max_loss is not None and loss > max_loss:
                break
        if number > 0:
            x = x + resized(original, size) - resized(resized(original, sizes[number - 1]), size)
    return taken, (x + 1.0) * HALF_RANGE


def lapnorm(
    photo: Photo,
    kernels: tiny.Kernels,
    layer: str,
    channel: int,
    roll: Roll,
    octaves: int = 3,
    scale: float = 1.4,
    steps: int = 10,
    step_size: float = 1.0,
    levels: int = 4,
    first: int | None = None,
) -> Dream:
    """TensorFlow 1's tutorial, render_lapnorm: up one channel's mean, by the normalised gradient.

    In pixel values, unclipped. The whole picture is resized between octaves and keeps the last one's size.
    The original begins at the photo's size and grows (`first` 0); by default this one ends there (`first`
    -(octaves - 1)). The gradient is rolled back before it is normalised. The original's tiles of 512 leave
    out a remainder of half a tile or less, and each take their own mean.
    """
    first = -(octaves - 1) if first is None else first
    taken: list[Array] = []
    pixels = photo.astype(np.float64)
    for number, exponent in enumerate(range(first, first + octaves)):
        pixels = resized(pixels, octave_size(photo, scale, exponent))
        for step in range(steps):
            g = rolled_gradient(pixels, kernels, {layer: of_channel_mean(channel)}, roll(number, step))
            pixels = pixels + step_size * laplacian_normalised(g, levels)
            taken.append(pixels)
    return taken, pixels


def laplacian_normalised(values: Array, levels: int) -> Array:
    """Each level of the pyramid, the last low one too, over its root mean square over all colours."""
    split = laplacian_split(values, levels)
    return laplacian_merged([level / max(math.sqrt((level**2).mean()), 1e-10) for level in split])


def laplacian_split(values: Array, levels: int) -> list[Array]:
    """`levels` of high frequencies, the finest first, and what is left."""
    split = []
    for _ in range(levels):
        low = _halved(values)
        split.append(values - _doubled(low, values.shape[:2]))
        values = low
    return [*split, values]


def laplacian_merged(split: list[Array]) -> Array:
    merged = split[-1]
    for high in reversed(split[:-1]):
        merged = _doubled(merged, high.shape[:2]) + high
    return merged


def halving(side: int) -> Array:
    """Rows that read every second place of a side through 1 4 6 4 1, zeros beyond (SAME, stride 2)."""
    after = (side + 1) // 2
    before = max((after - 1) * 2 + 5 - side, 0) // 2
    matrix = np.zeros((after, side))
    for row in range(after):
        for tap, weight in enumerate((1, 4, 6, 4, 1)):
            place = 2 * row + tap - before
            if 0 <= place < side:
                matrix[row, place] = weight / 16.0
    return matrix


def _halved(values: Array) -> Array:
    return np.einsum("ab,bcd,ec->aed", halving(values.shape[0]), values, halving(values.shape[1]))


def _doubled(values: Array, size: Size) -> Array:
    """The transpose of `_halved`, times 4: the kernel of the way back is four times that of the way down."""
    return 4.0 * np.einsum("ab,acd,ce->bed", halving(size[0]), values, halving(size[1]))


def smooth(
    photo: Photo,
    kernels: tiny.Kernels,
    layer: str,
    roll: Roll,
    octaves: int = 4,
    scale: float = 1.8,
    steps: int = 10,
    step_size: float = 0.09,
    coefficient: float = 0.5,
    *,
    ddof: int = 0,
) -> Dream:
    """gordicaleksa/pytorch-deepdream: up the mean square, by step_size * (g - mean(g)) / std(g), g smoothed.

    x is (pixels / 255 - mean) / std of ImageNet, clipped to what 0 to 255 gives. The gradient is smoothed
    while rolled, more from step to step. The whole picture is resized between octaves. The original's
    deviation is PyTorch's, which divides by one less than the number of values (`ddof` 1). No tiles.
    """
    unit = 255.0 * IMAGENET_STD
    lowest, highest = -IMAGENET_MEAN / IMAGENET_STD, (1.0 - IMAGENET_MEAN) / IMAGENET_STD
    taken: list[Array] = []
    x = (photo / 255.0 - IMAGENET_MEAN) / IMAGENET_STD
    for number, size in enumerate(sizes_up_to_the_photo(photo, scale, octaves)):
        x = resized(x, size)
        for step in range(steps):
            down, right = roll(number, step)
            x = np.roll(x, (down, right), (0, 1))
            pixels = (x * IMAGENET_STD + IMAGENET_MEAN) * 255.0
            g = unit * gradient(pixels, kernels, {layer: of_mean_square})
            g = cascade(g, (step + 1) / steps * 2.0 + coefficient)
            x = x + step_size * (g - g.mean()) / g.std(ddof=ddof)
            x = np.clip(np.roll(x, (-down, -right), (0, 1)), lowest, highest)
            taken.append((x * IMAGENET_STD + IMAGENET_MEAN) * 255.0)
    return taken, taken[-1] if taken else (x * IMAGENET_STD + IMAGENET_MEAN) * 255.0


def gaussian(sigma: float, size: int = 9) -> Array:
    """The (size, size) kernel, sampled at whole places and summing to one."""
    away = np.arange(size) - (size - 1) / 2.0
    squared = away[:, None] ** 2 + away**2
    kernel = np.exp(-squared / (2.0 * sigma**2))
    return kernel / kernel.sum()


def cascade(values: Array, sigma: float) -> Array:
    """The mean of three blurs, of half of sigma, of sigma, and of twice sigma."""
    kernel = (gaussian(0.5 * sigma) + gaussian(sigma) + gaussian(2.0 * sigma)) / 3.0
    margin = kernel.shape[0] // 2
    padded = np.pad(values, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    height, width, _ = values.shape
    out = np.zeros_like(values)
    for (y, x), weight in np.ndenumerate(kernel):
        out += weight * padded[y : y + height, x : x + width]
    return out


def lucid(
    pixels: Array | Photo,
    kernels: tiny.Kernels,
    layer: str,
    channel: int,
    warps: Callable[[int], tuple[Array, Array]],
    steps: int,
    step_size: float = 0.05,
    *,
    epsilon_hat: bool = False,
) -> Dream:
    """tensorflow/lucid's render_vis: Adam on a picture's scaled spectrum in decorrelated colours.

    Up one channel's mean, as seen through `warps(step)`: a matrix A (h * w, h * w) and a vector b (h * w)
    turn each colour plane x, in pixel values, into A x + b. One octave, no tiles. The original starts from
    noise rather than from `pixels`. Its Adam, TensorFlow 1's, adds 1e-8 to the root of v before v's bias is
    corrected: `epsilon_hat`.
    """
    width = pixels.shape[1]
    spectrum = to_spectrum(pixels.astype(np.float64))
    mean, variance = np.zeros((2, *spectrum.shape)), np.zeros((2, *spectrum.shape))
    taken: list[Array] = []
    for step in range(steps):
        matrix, offset = warps(step)
        now = from_spectrum(spectrum, width)
        seen = (matrix @ now.reshape(-1, 3) + offset[:, None]).reshape(now.shape)
        at_seen = gradient(seen, kernels, {layer: of_channel_mean(channel)})
        at_pixels = (matrix.T @ at_seen.reshape(-1, 3)).reshape(now.shape)
        g = spectrum_gradient(spectrum, at_pixels)
        parts = np.stack((g.real, g.imag))
        mean = 0.9 * mean + (1.0 - 0.9) * parts
        variance = 0.999 * variance + (1.0 - 0.999) * parts**2
        grown, spread = 1.0 - 0.9 ** (step + 1), 1.0 - 0.999 ** (step + 1)
        if epsilon_hat:
            move = math.sqrt(spread) / grown * mean / (np.sqrt(variance) + 1e-8)
        else:
            move = mean / grown / (np.sqrt(variance / spread) + 1e-8)
        spectrum = spectrum + step_size * (move[0] + 1j * move[1])
        taken.append(from_spectrum(spectrum, width))
    return taken, taken[-1] if taken else from_spectrum(spectrum, width)


def maco(
    pixels: Array | Photo,
    kernels: tiny.Kernels,
    layer: str,
    channel: int,
    roll: Roll,
    magnitudes: Array,
    contrast: float,
    steps: int,
) -> Dream:
    """MaCo: Nadam on the phases of a spectrum of fixed magnitudes `(height, width // 2 + 1, 3)` and contrast.

    Up one channel's mean, in steps of 1. One octave, no tiles. The original draws its first phases from a
    normal distribution, so that they have mean 0 and deviation 1; here they are the picture's own. Its
    contrast is 1.
    """
    width = pixels.shape[1]
    share = np.clip(pixels.astype(np.float64), 0.5, 254.5) / 255.0
    planes = np.log(share / (1.0 - share)) @ np.linalg.inv(LUCID_COLOURS).T
    phases = np.angle(np.fft.rfft2(planes, axes=(0, 1)))
    start = phases.mean(), phases.std()
    mean, variance, product = np.zeros(phases.shape), np.zeros(phases.shape), 1.0
    taken: list[Array] = []
    for step in range(1, steps + 1):
        now = from_phases(phases, magnitudes, contrast, width, start)
        at_pixels = rolled_gradient(now, kernels, {layer: of_channel_mean(channel)}, roll(0, step - 1))
        g = phases_gradient(phases, magnitudes, contrast, start, at_pixels)
        momentum, following = (0.9 * (1.0 - 0.5 * 0.96**each) for each in (step, step + 1))
        product *= momentum
        mean = 0.9 * mean + 0.1 * g
        variance = 0.999 * variance + 0.001 * g**2
        ahead = following * mean / (1.0 - product * following) + (1.0 - momentum) * g / (1.0 - product)
        phases = phases + ahead / (np.sqrt(variance / (1.0 - 0.999**step)) + 1e-20)
        taken.append(from_phases(phases, magnitudes, contrast, width, start))
    return taken, taken[-1]


def standard(values: Array) -> Array:
    return (values - values.mean()) / (values.std() + 1e-5)


def standard_gradient(values: Array, pull: Array) -> Array:
    """From dL/dstandard(values) to dL/dvalues: straight, through the mean, and through the deviation."""
    away, deviation = values - values.mean(), values.std()
    straight = pull / (deviation + 1e-5)
    by_deviation = -(pull * away).sum() / (deviation + 1e-5) ** 2
    return straight - straight.mean() + by_deviation * away / (values.size * deviation)


def spun(phases: Array, magnitudes: Array, start: tuple[float, float]) -> NDArray[np.complex128]:
    return magnitudes * np.exp(1j * (start[1] * standard(phases) + start[0]))


def from_phases(
    phases: Array, magnitudes: Array, contrast: float, width: int, start: tuple[float, float]
) -> Array:
    spectrum = spun(phases, magnitudes, start)
    planes = np.fft.irfft2(spectrum, s=(phases.shape[0], width), axes=(0, 1))
    return 255.0 / (1.0 + np.exp(-contrast * standard(planes) @ LUCID_COLOURS.T))


def phases_gradient(
    phases: Array, magnitudes: Array, contrast: float, start: tuple[float, float], at_pixels: Array
) -> Array:
    """From dL/dpixels to dL/dphases. Along a phase t, Z = r exp(i t) moves by i Z: dL/dt is the real part of
    dL/dZ times the conjugate of that."""
    height, width, _ = at_pixels.shape
    share = from_phases(phases, magnitudes, contrast, width, start) / 255.0
    at_planes = (at_pixels * 255.0 * share * (1.0 - share)) @ (contrast * LUCID_COLOURS)
    spectrum = spun(phases, magnitudes, start)
    planes = np.fft.irfft2(spectrum, s=(height, width), axes=(0, 1))
    forward = np.fft.rfft2(standard_gradient(planes, at_planes), axes=(0, 1)) / (height * width)
    mirrored = np.full((width // 2 + 1, 1), 2.0)
    mirrored[0] = 1.0
    if width % 2 == 0:
        mirrored[-1] = 1.0
    at_angles = (mirrored * forward * np.conj(1j * spectrum)).real
    return standard_gradient(phases, start[1] * at_angles)


def spectrum_scale(height: int, width: int) -> Array:
    """sqrt(w h) / max(f, 1 / max(w, h)), for a half spectrum: (h, w // 2 + 1, 1)."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    return (math.sqrt(width * height) / np.maximum(frequency, 1.0 / max(width, height)))[..., None]


def to_spectrum(pixels: Array) -> NDArray[np.complex128]:
    height, width, _ = pixels.shape
    share = np.clip(pixels, 0.5, 254.5) / 255.0
    planes = 4.0 * np.log(share / (1.0 - share)) @ np.linalg.inv(LUCID_COLOURS).T
    return np.fft.rfft2(planes, axes=(0, 1)) / spectrum_scale(height, width)


def from_spectrum(spectrum: NDArray[np.complex128], width: int) -> Array:
    height = spectrum.shape[0]
    planes = np.fft.irfft2(spectrum_scale(height, width) * spectrum, s=(height, width), axes=(0, 1)) / 4.0
    return 255.0 / (1.0 + np.exp(-planes @ LUCID_COLOURS.T))


def spectrum_gradient(spectrum: NDArray[np.complex128], at_pixels: Array) -> NDArray[np.complex128]:
    """From dL/dpixels to dL/d(real part) + i dL/d(imaginary part).

    A plane is 1/(h w) sum_uv m_v Re(s Z exp(i t)), with t = 2 pi (u y/h + v x/w), and m 2 for the columns
    that stand for their mirror image too, 1 for v = 0 and, of an even width, v = w/2. So a pull G on the
    plane pulls the real part by m s/(h w) sum_yx G cos t and the imaginary one by -m s/(h w) sum_yx G sin t:
    together, m s/(h w) times the forward transform of G.
    """
    height, width, _ = at_pixels.shape
    share = from_spectrum(spectrum, width) / 255.0
    at_planes = (at_pixels * 255.0 * share * (1.0 - share)) @ LUCID_COLOURS / 4.0
    mirrored = np.full((width // 2 + 1, 1), 2.0)
    mirrored[0] = 1.0
    if width % 2 == 0:
        mirrored[-1] = 1.0
    forward = np.fft.rfft2(at_planes, axes=(0, 1))
    return mirrored * spectrum_scale(height, width) * forward / (height * width)
