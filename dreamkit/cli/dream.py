"""`dreamkit dream`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from dreamkit import config
from dreamkit.cli import terminal
from dreamkit.errors import ConfigError, Interrupted, OutputExistsError, UsageError

_BY_DEFAULT = (
    f"dreamed by {config.DEFAULT_MODEL}, the small network that dreamkit carries; "
    "--model inception_v3 has the classic look, for one download of 88 MB"
)
_SIZE = "{1}x{0}".format(*config.default("size"))


def _option(name: str, *flags: str) -> Any:
    """An option of `DreamConfig` on the command line, with its help, range and default."""
    default = config.default(name)
    shown = {
        "layers": "the model's own",
        "max_size": "no limit",
        "octaves": "by size",
        "balance": "--balance",
    }.get(name, default)
    return typer.Option(*flags, help=f"{config.describe(name)} Default: {shown}.", show_default=False)


def dream(
    pictures: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE", help="The photograph to dream. Without one, noise is dreamed."),
    ] = None,
    image_filepath: Annotated[
        str | None, typer.Option("-i", "--image-filepath", help="The same as IMAGE.", metavar="PATH")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            "--output-filepath",
            metavar="PATH",
            help="Where to write: .png, .jpg, .webp or .tiff. Default: IMAGE.dream.png in this folder.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--model",
            help=f"The network; `dreamkit models` lists them. Default: {config.DEFAULT_MODEL}.",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option("-w", "--weights", metavar="PATH", help="A weights file, instead of fetching one."),
    ] = None,
    layers: Annotated[list[str] | None, _option("layers", "-l", "--layers", "--output-layers")] = None,
    octaves: Annotated[int | None, _option("octaves", "--octaves")] = None,
    octave_scale: Annotated[float | None, _option("octave_scale", "--octave-scale")] = None,
    octave_scheme: Annotated[str | None, _option("octave_scheme", "--octave-scheme")] = None,
    steps: Annotated[int | None, _option("steps", "--steps")] = None,
    step_size: Annotated[float | None, _option("step_size", "--step-size")] = None,
    objective: Annotated[str | None, _option("objective", "--objective")] = None,
    balance: Annotated[bool | None, _option("balance", "--balance/--no-balance")] = None,
    normalise: Annotated[str | None, _option("normalise", "--normalise", "--normalize")] = None,
    jitter: Annotated[int | None, _option("jitter", "--jitter")] = None,
    tile_size: Annotated[int | None, _option("tile_size", "--tile-size")] = None,
    max_size: Annotated[int | None, _option("max_size", "--max-size")] = None,
    max_pixels: Annotated[int | None, _option("max_pixels", "--max-pixels")] = None,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="N|WxH", help=f"{config.describe('size')} Default: {_SIZE}."),
    ] = None,
    seed: Annotated[int | None, _option("seed", "--seed")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over an existing file.")] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Say nothing but errors and warnings.")
    ] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Keep TensorFlow's own messages.")] = False,
) -> None:
    """Dream a photograph, or noise.

    dreamkit dream photo.jpg --layers mixed4 --octaves 5
    """
    image = _image(pictures or [], image_filepath, layers)
    if image is not None and size is not None:
        raise UsageError("--size is the size of a dream of noise; use --max-size to shrink a photograph")
    if image is None and max_size is not None:
        raise UsageError("--max-size shrinks a photograph; use --size for a dream of noise")
    given: dict[str, Any] = {
        "layers": tuple(layers) if layers else None,
        "octaves": octaves,
        "octave_scale": octave_scale,
        "octave_scheme": octave_scheme,
        "steps": steps,
        "step_size": step_size,
        "objective": objective,
        "balance": balance,
        "normalise": normalise,
        "jitter": jitter,
        "tile_size": tile_size,
        "max_size": max_size,
        "max_pixels": max_pixels,
        "size": _size(size),
        "seed": seed,
    }
    options = config.DreamConfig.of(**{name: value for name, value in given.items() if value is not None})
    with terminal.own_lines_only(verbose=verbose):
        _dream(image, output, model, weights, options, overwrite=overwrite, quiet=quiet)


def _dream(
    image: str | None,
    output: Path | None,
    given_model: str | None,
    weights: Path | None,
    options: config.DreamConfig,
    *,
    overwrite: bool,
    quiet: bool,
) -> None:
    started = time.monotonic()
    model = given_model or config.DEFAULT_MODEL
    from dreamkit import api, images

    # Whatever can be wrong is found before TensorFlow is imported, as far as it can be.
    picture = api.open_picture(image, options)
    shape = options.size if picture is None else picture.pixels.shape[:2]
    stem = f"{Path(image).stem}.dream" if image else "dream"
    path = output or (Path(f"{stem}.png") if overwrite else images.free_name(stem))
    images.check_output(path, overwrite=overwrite, size=(shape[0], shape[1]))
    if image is not None and path.exists() and path.samefile(image):
        raise ConfigError(f"{path} is the photograph itself; write the dream somewhere else")

    def save(result: api.Dream) -> Path:
        try:
            result.save(path, overwrite=overwrite)
        except OutputExistsError:  # it came while we dreamed: neither is lost
            free = images.free_name(str(path.with_suffix("")), path.suffix)
            result.save(free)
            return free
        return path

    try:
        with terminal.Meter(quiet=quiet) as meter:
            meter.doing(f"loading {model}")
            network = api.load(model, weights, progress=meter.download)
            meter.doing(f"preparing {model}")
            result = api.render(picture, network, config=options, on_step=meter.step)
            meter.doing("writing")
            written = save(result)
    except Interrupted as interrupted:
        if interrupted.pixels is None:
            raise
        written = save(api.Dream(interrupted.pixels, None, picture.profile if picture else None))
        raise Interrupted(f"interrupted; the picture so far is in {written}") from None
    except KeyboardInterrupt:
        raise Interrupted("interrupted before the first step; nothing was written") from None
    if not quiet:
        height, width = result.pixels.shape[:2]
        typer.echo(f"wrote {written} ({width} x {height}) in {time.monotonic() - started:.1f} s")
        if given_model is None:
            typer.echo(_BY_DEFAULT, err=True)


def _image(pictures: list[str], image_filepath: str | None, layers: list[str] | None) -> str | None:
    """The one picture that the command line names, or None."""
    # The original's `--output-layers mixed3 mixed5` arrives here as a layer and a picture.
    strays = [name for name in pictures if layers and not Path(name).exists() and not Path(name).suffix]
    if strays:
        together = ",".join([*(layers or []), *strays])
        raise UsageError(f"{strays[0]!r} is no picture; separate layers with commas: --layers {together}")
    if image_filepath is not None and pictures:
        raise UsageError(f"the picture is given twice, {pictures[0]} and -i {image_filepath}; give it once")
    if len(pictures) > 1:
        raise UsageError(
            f"{len(pictures)} pictures are given, {pictures[0]} and {pictures[1]}; dream one at a time"
        )
    return image_filepath if image_filepath is not None else next(iter(pictures), None)


def _size(text: str | None) -> tuple[int, int] | None:
    """`N` or `WxH` as height and width."""
    if text is None:
        return None
    sides = text.lower().replace("×", "x").split("x")
    if len(sides) > 2 or not all(side.strip().isdecimal() for side in sides):
        raise ConfigError(f"--size is {text!r}; write one side or width x height, such as 512 or 640x480")
    return int(sides[-1]), int(sides[0])
