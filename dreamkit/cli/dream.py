"""`dreamkit dream` and `dreamkit redo`."""

from __future__ import annotations

import inspect
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamkit import config
from dreamkit.cli import terminal
from dreamkit.config import quoted
from dreamkit.errors import ConfigError, Interrupted, OutputExistsError, UsageError, shown

if TYPE_CHECKING:
    from dreamkit.engine.progress import StepEvent
    from dreamkit.jobs.checkpoint import Checkpoint
    from dreamkit.media.video_writer import Writer
    from dreamkit.models.spec import ModelSpec
    from dreamkit.request import DreamRequest
    from dreamkit.session import Dream, Session

_BY_DEFAULT = (
    f"dreamed by {config.DEFAULT_MODEL}, the small network that dreamkit carries; "
    "--model inception5h is the network that it learned from, one download of 49 MB"
)
_LAST = ("resume", "jobs", "preview")  # a command's own options that come after those of a dream
_HELD = 30  # frames of a recording that show the finished dream
_SIZE = "{1}x{0}".format(*config.default("size"))
_SHOWN = {
    "strength": "normal",
    "layers": "the model's own",
    "max_size": "no limit",
    "max_memory": "no limit",
    "octaves": "by size",
    "smooth_width": "by layer",
    "steps": "by layer",
    "tv": "by weights",
    "first_octave": "by scheme",
    "balance": "--balance",
    "clip": "--clip",
    "unit": f"{config.UNIT:g}",
    "max_objective": "no limit",
}


def option(name: str, *flags: str) -> Any:
    """An option of `DreamConfig` on the command line, with its help, range and default."""
    shown = _SHOWN.get(name, config.default(name))
    return typer.Option(*flags, help=f"{config.describe(name)} Default: {shown}.", show_default=False)


_Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        "--output-filepath",
        metavar="PATH",
        help="Where to write: .png, .jpg, .webp or .tiff. Default: IMAGE.dream.png in this folder.",
    ),
]
Dpi = Annotated[
    int | None,
    typer.Option(
        "--dpi",
        metavar="N",
        min=2,
        max=65_535,
        help="Dots per inch that the file is marked with, for printing; no pixel changes. Default: the "
        "photograph's.",
        show_default=False,
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME[=WEIGHT]",
        help="The network; `dreamkit models` lists them. Several dream together, each with its weight. "
        f"Default: the recipe's, or {config.DEFAULT_MODEL}.",
        show_default=False,
    ),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        "-w",
        "--weights",
        metavar="[NAME=]PATH",
        help="A weights file, instead of fetching one; with the model's name where there are several.",
        show_default=False,
    ),
]
_Guide = Annotated[
    str | None,
    typer.Option("--guide", metavar="PATH", help="A picture whose features the dream is pulled to."),
]
_Masks = Annotated[
    list[str] | None,
    typer.Option(
        "--mask",
        metavar="[NAME=]PATH",
        help="Where to dream: white, and not where black; grey levels are strengths. With a name, the mask "
        "of a recipe's terms.",
        show_default=False,
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the dream that was broken off, to the same bytes.")
]
Every = Annotated[
    float,
    typer.Option(
        "--checkpoint",
        metavar="SECONDS",
        min=0,
        help="How often to keep a long dream in PATH.work, for --resume; 0 is after each step.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Write over an existing file.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors and warnings.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Keep TensorFlow's own messages.")]


def options(
    model: Models = None,
    weights: Weights = None,
    strength: Annotated[str | None, option("strength", "--strength")] = None,
    blend: Annotated[float | None, option("blend", "--blend")] = None,
    layers: Annotated[list[str] | None, option("layers", "-l", "--layers", "--output-layers")] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            metavar="LABEL",
            help="A class to dream, by label or number, for a network with a layer of class scores.",
            show_default=False,
        ),
    ] = None,
    guide: _Guide = None,
    guide_style: Annotated[str | None, option("guide_style", "--guide-style")] = None,
    mask: _Masks = None,
    color: Annotated[str | None, option("color", "--color", "--colour")] = None,
    octaves: Annotated[int | None, option("octaves", "--octaves")] = None,
    octave_scale: Annotated[float | None, option("octave_scale", "--octave-scale")] = None,
    octave_scheme: Annotated[str | None, option("octave_scheme", "--octave-scheme")] = None,
    first_octave: Annotated[int | None, option("first_octave", "--first-octave")] = None,
    steps: Annotated[int | None, option("steps", "--steps")] = None,
    step_size: Annotated[float | None, option("step_size", "--step-size")] = None,
    unit: Annotated[str | None, option("unit", "--unit")] = None,
    objective: Annotated[str | None, option("objective", "--objective")] = None,
    balance: Annotated[bool | None, option("balance", "--balance/--no-balance")] = None,
    border: Annotated[int | None, option("border", "--border")] = None,
    normalise: Annotated[str | None, option("normalise", "--normalise", "--normalize")] = None,
    smooth: Annotated[str | None, option("smooth", "--smooth")] = None,
    smooth_width: Annotated[float | None, option("smooth_width", "--smooth-width")] = None,
    smooth_levels: Annotated[int | None, option("smooth_levels", "--smooth-levels")] = None,
    tv: Annotated[float | None, option("tv", "--tv")] = None,
    l2: Annotated[float | None, option("l2", "--l2")] = None,
    clip: Annotated[bool | None, option("clip", "--clip/--no-clip")] = None,
    max_objective: Annotated[float | None, option("max_objective", "--max-objective")] = None,
    space: Annotated[str | None, option("space", "--space")] = None,
    jitter: Annotated[int | None, option("jitter", "--jitter")] = None,
    rotate: Annotated[float | None, option("rotate", "--rotate")] = None,
    zoom: Annotated[float | None, option("zoom", "--zoom")] = None,
    tile_size: Annotated[int | None, option("tile_size", "--tile-size")] = None,
    max_memory: Annotated[str | None, option("max_memory", "--max-memory")] = None,
    precision: Annotated[str | None, option("precision", "--precision")] = None,
    max_size: Annotated[int | None, option("max_size", "--max-size")] = None,
    max_pixels: Annotated[int | None, option("max_pixels", "--max-pixels")] = None,
    upscale: Annotated[float | None, option("upscale", "--upscale")] = None,
    wrap: Annotated[str | None, option("wrap", "--wrap")] = None,
    tileable: Annotated[
        bool | None, typer.Option("--tileable", help="The same as --wrap both.", show_default=False)
    ] = None,
    panorama: Annotated[
        bool | None, typer.Option("--panorama", help="The same as --wrap horizontal.", show_default=False)
    ] = None,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="N|WxH", help=f"{config.describe('size')} Default: {_SIZE}."),
    ] = None,
    noise: Annotated[str | None, option("noise", "--noise")] = None,
    seed: Annotated[int | None, option("seed", "--seed")] = None,
    clouds: Annotated[float | None, option("clouds", "--clouds")] = None,
) -> dict[str, Any]:
    """The options of a dream, which every command that makes whole dreams takes, as they are given."""
    return {name: value for name, value in locals().items() if value is not None}


def with_options(*left_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Puts the parameters of `options` in place of a command's `**options`, before the command's last ones.

    Those in `left_out`, and those that the command has itself, are not taken.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[:-1]
        names = {each.name for each in own}.union(left_out)
        first = next(number for number, each in enumerate(own) if each.name in _LAST)
        every = inspect.signature(options, eval_str=True).parameters.values()
        shared = [each for each in every if each.name not in names]
        function.__signature__ = inspect.Signature([*own[:first], *shared, *own[first:]])  # type: ignore[attr-defined]
        return function

    return decorate


class DreamOptions:
    """The options of a dream on a command line.

    Attributes:
        model, weights, guide, mask, layers: as they are written.
        given: the options of `DreamConfig`.
    """

    def __init__(self, **given: Any) -> None:
        """Raises a ConfigError for a value that makes no sense, before TensorFlow is imported."""
        written = options(**given)
        self.model, self.weights, self.guide, self.mask, self.layers = (
            written.get(name) for name in ("model", "weights", "guide", "mask", "layers")
        )
        self.given = {name: written[name] for name in config.option_names() if name in written}
        terms = [*(self.layers or []), *({"class": label} for label in written.get("classes", []))]
        told: dict[str, Callable[[str], Any]] = {
            "unit": _unit,
            "size": size_of,
            "max_memory": _megabytes,
            "strength": number_or_name,
            "color": number_or_name,
        }
        self.given |= {"layers": tuple(terms)} if terms else {}
        self.given |= {name: read(written[name]) for name, read in told.items() if name in written}
        self.given |= _wrap(written)
        config.DreamConfig.of(**self.given)

    def arguments(self) -> dict[str, Any]:
        """As `make_request` takes them."""
        return {
            "model": specs_of(self.model),
            "weights": weights_by_model(self.weights),
            "guide": self.guide,
            "mask": by_name(self.mask) or None,
            **self.given,
        }

    def check(self, has_photograph: bool) -> None:
        """Refuses what is for noise where there is a photograph, and the other way round."""
        for name in ("size", "noise"):
            if has_photograph and name in self.given:
                raise UsageError(f"--{name} is for a dream of noise; use --max-size to shrink a photograph")
        for name, does in (("max_size", "shrinks"), ("upscale", "enlarges")):
            if not has_photograph and name in self.given:
                flag = name.replace("_", "-")
                raise UsageError(f"--{flag} {does} a photograph; use --size for a dream of noise")


@with_options()
def dream(
    pictures: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE", help="The photograph to dream. Without one, noise is dreamed."),
    ] = None,
    image_filepath: Annotated[
        str | None, typer.Option("-i", "--image-filepath", help="The same as IMAGE.", metavar="PATH")
    ] = None,
    output: _Output = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "-r",
            "--recipe",
            metavar="NAME|FILE",
            help="A recipe: a built-in one (`dreamkit recipes` lists them), a TOML file, or a dream. Options "
            "given here go before its own.",
        ),
    ] = None,
    dpi: Dpi = None,
    resume: Resume = False,
    checkpoint: Every = config.CHECKPOINT_EVERY,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            metavar="PATH",
            help="Also write a film of the dream as it grows, a frame a step: .mp4, .webm, .gif or .webp.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say what would be done, octaves, tiles, memory and time, and dream nothing."
        ),
    ] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    **options: Any,
) -> None:
    """Dream a photograph, or noise.

    dreamkit dream photo.jpg --layers mixed4 --octaves 5
    """
    chosen = DreamOptions(**options)
    image = _image(pictures or [], image_filepath, chosen.layers)
    chosen.check(image is not None)
    if record is not None and resume:
        raise UsageError("--record films a dream from its beginning; leave it out with --resume")
    if dry_run and resume:
        raise UsageError("--dry-run plans a dream from its beginning; leave out --resume")
    from dreamkit.request import make_request

    with terminal.own_lines_only(verbose=verbose):
        request = make_request(image, **chosen.arguments(), recipe=recipe)
        request.refuse("a picture", "timeline")
        if dry_run:
            _show_plan(request, quiet=quiet)
            return
        path, work_file = _output(
            image, output, request, "dream", overwrite=overwrite, resume=resume, every=checkpoint
        )
        if record is not None:
            from dreamkit.media import video_formats

            video_formats.check_output(record, overwrite=overwrite)
        hint = _BY_DEFAULT if chosen.model is None and recipe is None else ""
        _make(request, path, work_file, dpi=dpi, overwrite=overwrite, quiet=quiet, hint=hint, record=record)


def redo(
    dreamed: Annotated[str, typer.Argument(metavar="DREAM", help="A picture that dreamkit dreamed.")],
    image: Annotated[
        str | None,
        typer.Argument(
            metavar="PHOTO", help="The photograph that it was dreamed from, or another. Noise needs none."
        ),
    ] = None,
    output: _Output = None,
    model: Models = None,
    weights: Weights = None,
    guide: _Guide = None,
    mask: _Masks = None,
    dpi: Dpi = None,
    resume: Resume = False,
    checkpoint: Every = config.CHECKPOINT_EVERY,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Dream a dream again, from the recipe that it carries: the same bytes, or another photograph.

    dreamkit redo photo.dream.png photo.jpg
    """
    from dreamkit import recipes
    from dreamkit.request import request_again

    found = recipes.from_picture(dreamed)
    with terminal.own_lines_only(verbose=verbose):
        request = request_again(
            found,
            image,
            specs_of(model),
            weights=weights_by_model(weights),
            guide=guide,
            mask=by_name(mask) or None,
        )
        path, work_file = _output(
            dreamed, output, request, "redo", overwrite=overwrite, resume=resume, every=checkpoint
        )
        _make(request, path, work_file, dpi=dpi, overwrite=overwrite, quiet=quiet)


def open_session(request: DreamRequest, meter: terminal.Meter) -> Session:
    """Loads the networks of a request, while the meter says so."""
    from dreamkit.session import Session

    meter.doing(f"loading {request.names}")
    return Session(request, on_download=meter.download)


def _output(
    named_after: str | None,
    given: Path | None,
    request: DreamRequest,
    what: str,
    *,
    overwrite: bool,
    resume: bool,
    every: float,
) -> tuple[Path, Checkpoint]:
    """Where the dream goes, once it is sure that it can, and its work file."""
    from dreamkit.jobs.checkpoint import Checkpoint, unfinished
    from dreamkit.media import atomic, image_writer

    stem = f"{Path(named_after).stem}.{what}" if named_after else what
    path = given or (unfinished(stem) if resume else None)
    path = path or (Path(f"{stem}.png") if overwrite else atomic.free_path(stem))
    kept = Checkpoint(path, every=every, resume=resume)
    if os.path.isfile(kept.path) and not resume and not overwrite:
        raise OutputExistsError(
            f"{kept.path} holds a dream that was broken off; go on with --resume, or begin anew with "
            "--overwrite"
        )
    image_writer.check_output(path, overwrite=overwrite or (resume and kept.is_so_far()), size=request.size)
    if resume and not os.path.isfile(kept.path):
        terminal.warning(f"there is no {kept.path} to go on from; the dream begins anew")
    read = [
        ("photograph", request.image),
        ("guide", request.guide),
        *(("mask", mask) for mask in request.masks.values()),
    ]
    for role, source in read:
        if source is not None and source.path and path.exists() and path.samefile(source.path):
            raise ConfigError(f"{path} is the {role} itself; write the dream somewhere else")
    return path, kept


def _make(
    request: DreamRequest,
    path: Path,
    checkpoint: Checkpoint,
    *,
    dpi: int | None,
    overwrite: bool,
    quiet: bool,
    hint: str = "",
    record: Path | None = None,
) -> None:
    """Dreams, writes the dream and says so."""
    started = time.monotonic()
    from dreamkit.jobs.checkpoint import run_resumable
    from dreamkit.media import atomic
    from dreamkit.session import Dream, file_metadata

    def save(result: Dream) -> Path:
        try:
            result.save(path, dpi=dpi, overwrite=overwrite or checkpoint.is_so_far())
        except OutputExistsError:  # it appeared while we dreamed: neither is lost
            free = atomic.free_path(str(path.with_suffix("")), path.suffix)
            result.save(free, dpi=dpi)
            return free
        return path

    try:
        with terminal.Meter(quiet=quiet) as meter:
            session = open_session(request, meter)
            if request.recipe is not None and request.recipe.versions:
                session.warn_of_differences(request.recipe)
            meter.doing(f"preparing {request.names}")
            with _recorded(record, request, meter.step, overwrite=overwrite) as recording:
                result = run_resumable(session, checkpoint, recording.step)
                meter.doing("writing")
                written = save(result)
                checkpoint.done()
                recording.end(result.pixels)
    except Interrupted as interrupted:
        if interrupted.pixels is None:
            raise
        written = save(Dream(interrupted.pixels, None, *file_metadata(request)))
        how = ""
        if written == path:  # else another program's picture lies where the dream would be resumed
            how = _resumption(checkpoint, interrupted, path)
        raise Interrupted(f"interrupted; the picture so far is in {written}{how}") from None
    except KeyboardInterrupt:
        raise Interrupted("interrupted before the first step; nothing was written") from None
    if not quiet:
        height, width = result.pixels.shape[:2]
        typer.echo(f"wrote {written} ({width} x {height}) in {time.monotonic() - started:.1f} s")
        if record is not None:
            typer.echo(f"wrote {record}")
        if hint:
            typer.echo(hint, err=True)


def _resumption(checkpoint: Checkpoint, interrupted: Interrupted, path: Path) -> str:
    """Writes the work file of an interrupted dream, and says how to resume it."""
    from dreamkit.media import paths

    if interrupted.state is not None:
        checkpoint.write(interrupted.state, paths.digest(path))
    elif checkpoint.path.is_file():  # the dream is between two steps; what was kept last is before them
        checkpoint.note(paths.digest(path))
    else:
        return ""
    return "; --resume goes on from there"


class _Recording:
    """Passes step events on, and makes frames of them where there is a film."""

    def __init__(
        self, on_step: Callable[[StepEvent], None], film: Writer | None, size: tuple[int, int]
    ) -> None:
        self._on_step, self._film, self._size = on_step, film, size

    def step(self, step: StepEvent) -> None:
        """The `on_step` of a session."""
        self._on_step(step)
        if self._film is not None:
            from dreamkit.engine.resize import resize

            pixels = step.pixels if step.size == self._size else resize(step.pixels, self._size)
            self._film.add(pixels.clip(0, 255).round().astype("uint8"))

    def end(self, pixels: Any) -> None:
        """The finished dream, for a second."""
        if self._film is not None:
            for _ in range(_HELD):
                self._film.add(pixels[..., :3])


@contextmanager
def _recorded(
    path: Path | None, request: DreamRequest, on_step: Callable[[StepEvent], None], *, overwrite: bool
) -> Iterator[_Recording]:
    """A film of the dream at `path`, or none."""
    if path is None:
        yield _Recording(on_step, None, request.size)
        return
    from dreamkit.media.video_writer import Writer

    with Writer(path, request.size, overwrite=overwrite) as film:
        yield _Recording(on_step, film, request.size)


def _show_plan(request: DreamRequest, *, quiet: bool) -> None:
    """Prints the plan of a dream."""
    with terminal.Meter(quiet=quiet) as meter:
        session = open_session(request, meter)
        meter.doing("trying one batch of tiles")
        plan = session.plan()
    for number, octave in enumerate(plan.octaves, 1):
        (height, width), (down, across), window = octave.size, octave.tiles, octave.window
        tiles = f"{down * across} tile{'s' if down * across > 1 else ''} of {window[1]} x {window[0]}"
        typer.echo(f"octave {number}/{len(plan.octaves)}: {width} x {height}, {tiles}, {octave.steps} steps")
    memory = plan.memory
    parts = {
        "TensorFlow and the network": memory.base,
        f"{memory.copies:.2f} float32 copies of the picture": memory.picture,
        f"tiles of at most {plan.tile_size} pixels": memory.tiles,
    }
    typer.echo(f"memory: about {memory.total / 1e9:.2f} GB at the peak")
    for what, taken in parts.items():
        typer.echo(f"  {taken / 1e9:.2f} GB {what}")
    typer.echo(f"time: about {terminal.duration(plan.seconds)} for the steps")
    typer.echo("nothing was dreamed or written")


def _wrap(written: Mapping[str, Any]) -> dict[str, str]:
    """What --tileable and --panorama are short for."""
    flags = {"tileable": "both", "panorama": "horizontal"}
    asked = {f"--{flag}": wrap for flag, wrap in flags.items() if written.get(flag)}
    if "wrap" in written:
        asked[f"--wrap {written['wrap']}"] = written["wrap"]
    if len(set(asked.values())) > 1:
        raise UsageError(f"{' and '.join(asked)} exclude each other; give one")
    return {"wrap": next(iter(asked.values()))} if asked else {}


def _megabytes(text: str) -> int | None:
    """`4000`, `800MB` or `4GB` as megabytes."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)\s*(|M|G|MB|GB)", text.strip().upper())
    if found is None:
        raise ConfigError(f"max_memory is {quoted(text)}; it takes megabytes, such as 4000, 800MB or 4GB")
    number, unit = found.groups()
    return round(float(number) * (1000 if unit.startswith("G") else 1))


def specs_of(models: list[str] | None) -> tuple[ModelSpec, ...]:
    """`NAME` or `NAME=WEIGHT` as models."""
    from dreamkit.models.spec import ModelSpec

    specs = []
    for text in models or []:
        name, equals, number = text.rpartition("=")
        if not equals:
            specs.append(ModelSpec(text))
            continue
        try:
            weight = float(number)
        except ValueError:
            raise ConfigError(f"--model is {text!r}; after = comes a weight, such as vgg16=0.5") from None
        specs.append(ModelSpec(name, weight))
    return tuple(specs)


def weights_by_model(given: list[str] | None) -> str | dict[str, str] | None:
    """One weights file, or several by model."""
    named = by_name(given)
    if len(named) > 1 and "" in named:
        raise UsageError(f"several weights files are given; say whose {named['']} is: NAME={named['']}")
    return named.get("") if set(named) <= {""} else named


def by_name(given: list[str] | None) -> dict[str, str]:
    """`PATH` or `NAME=PATH` by name; a file that is there is no name."""
    named: dict[str, str] = {}
    for text in given or []:
        name, equals, path = text.partition("=")
        if not equals or os.path.exists(text):
            name, path = "", text
        if name in named:
            what = f"{name}; give one" if name else f"the same; name one: NAME={path}"
            raise UsageError(f"{named[name]} and {path} are both given for {what}")
        named[name] = path
    return named


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


def size_of(text: str | None) -> tuple[int, int] | None:
    """`N` or `WxH` as height and width."""
    if text is None:
        return None
    sides = text.lower().replace("×", "x").split("x")
    if len(sides) > 2 or not all(side.strip().isdecimal() and len(side) < 20 for side in sides):
        raise ConfigError(
            f"--size is {shown(text)!r}; write one side or width x height, such as 512 or 640x480"
        )
    return int(sides[-1]), int(sides[0])


def number_or_name(text: str) -> float | str:
    """A number, or else the text, which may be a name for one."""
    try:
        return float(text)
    except ValueError:
        return text


def _unit(text: str) -> Any:
    """One number, or three between commas."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"--unit is {text!r}; write pixel values, such as 127.5 or 58.4,57.1,57.4"
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers
