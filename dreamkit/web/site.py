"""The page with its networks as a folder that any static server can serve."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dreamkit import recipes
from dreamkit.config import SMOOTH_WIDTH, STEPS, DreamConfig, limits, option_names
from dreamkit.errors import ConfigError, DreamkitError, ModelError, OutputExistsError, first_line
from dreamkit.web import model

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network
    from dreamkit.request import DreamRequest

_MARK = "site.json"  # by which a folder is known as one of ours
_MOST_SEED = 2**53 - 1  # a browser's whole numbers end there
# What a browser does not do yet, and the one value that leaves it out.
_TERMS_LEFT_OUT = {"class": "a class", "place": "a neuron", "guide": "a guide", "mask": "a mask"}
_LEFT_OUT = {
    "space": "pixels",
    "tv": 0.0,
    "l2": 0.0,
    "rotate": 0.0,
    "zoom": 0.0,
    "precision": "float32",
    "upscale": 1.0,
    "wrap": "none",
    "clouds": 0.0,
}


# Options that dreamkit leaves open by default, and what the page takes for them.
_RESOLVED = {"steps": STEPS, "smooth_width": SMOOTH_WIDTH, "tv": 0.0, "clouds": 0.0}


class SiteError(DreamkitError):
    """A site cannot be written or served."""


class Exhibit(NamedTuple):
    """One network on the page.

    Attributes:
        network: as `api.load` returned it.
        layers: what can be dreamed; none for those that suit.
    """

    network: Network
    layers: Sequence[str] = ()


def bundle() -> Path:
    """The folder of the built page.

    Raises:
        SiteError: it was never built.
    """
    folder = Path(str(resources.files(__package__))) / "bundle"
    if not (folder / "index.html").is_file():
        raise SiteError("the page is not built; run `make web` in a copy of the repository (it needs npm)")
    return folder


def check(request: DreamRequest) -> None:
    """Refuses what a page cannot dream: pictures beside the photograph, and options that Python alone has.

    Raises:
        ConfigError: which, in one line.
    """
    request.refuse("a page", "guide", "masks", "timeline")
    check_options(request.config)


def check_options(config: DreamConfig) -> None:
    """Refuses options that Python alone has.

    Raises:
        ConfigError: which, in one line.
    """
    config = resolved(config)
    for name, value in _LEFT_OUT.items():
        given = getattr(config, name)
        if given != value:
            raise ConfigError(f"{name} is {given}, which a browser does not do yet; leave it at {value}")
    if config.smooth == "laplacian":
        raise ConfigError("smooth is laplacian, which a browser does not do yet; use gaussian or none")
    for each in (config, *map(config.at, range(len(config.schedule)))):
        _check_terms(each.layers)
    if config.seed > _MOST_SEED:
        raise ConfigError(f"seed is {config.seed}; a browser's seeds are 0 to {_MOST_SEED}")


def _check_terms(layers: Any) -> None:
    """Refuses terms that a browser does not dream yet."""
    for term in layers if isinstance(layers, tuple) else ():
        for key in term if isinstance(term, Mapping) else ():
            if key in _TERMS_LEFT_OUT:
                what = f"layers has {_TERMS_LEFT_OUT[key]}, which a browser does not do yet"
                raise ConfigError(f"{what}; name layers and channels")


def resolved(config: DreamConfig) -> DreamConfig:
    """`config` with what it leaves open, or at its default, as the page does it."""
    usual = DreamConfig()
    own = {name for name in _RESOLVED if getattr(config, name) != getattr(usual, name)}
    return DreamConfig.of(config, **{name: value for name, value in _RESOLVED.items() if name not in own})


def write(
    folder: Path,
    exhibits: Sequence[Exhibit],
    config: DreamConfig,
    *,
    dtype: str = "float32",
    overwrite: bool = False,
) -> int:
    """Writes the page, its networks and its default recipe to `folder`, whole or not at all.

    `dtype` is that of the weights, `float32` or `float16`. Returns the bytes of all weights.

    Raises:
        SiteError: the page is not built, or the folder cannot be written.
        ConfigError: the recipe asks for what a browser does not do.
        ModelError, LayerError: a network cannot be exported.
        OutputExistsError: the folder is there, and may not be written over.
    """
    built = bundle()
    check_options(config)
    check_output(folder, overwrite=overwrite)
    with _whole(folder) as partial:
        shutil.copytree(built, partial, dirs_exist_ok=True, copy_function=shutil.copyfile)
        told = [_exhibit(exhibit, partial, dtype) for exhibit in exhibits]
        site = {
            "dreamkit": recipes.versions()["dreamkit"],
            "models": told,
            "options": resolved(config).to_dict(),
            "limits": _limits(),
        }
        (partial / _MARK).write_text(json.dumps(site, indent=1), encoding="utf-8")
    return sum(each["bytes"] for each in told)


def check_output(folder: Path, *, overwrite: bool) -> None:
    """Makes sure, before any work, that a site can be written to `folder`.

    Raises:
        OutputExistsError: something is there. With `overwrite`, a site may be.
        SiteError: the folder that it lies in is not there.
    """
    if os.path.lexists(folder):
        if not overwrite:
            raise OutputExistsError(f"{folder} exists; choose another name or give --overwrite")
        if not (folder / _MARK).is_file():
            raise OutputExistsError(
                f"{folder} exists and is no exported site, so it is not written over; choose another name"
            )
    if not folder.absolute().parent.is_dir():
        raise SiteError(f"the folder {folder.absolute().parent} does not exist; create it or choose another")


def is_site(folder: Path) -> bool:
    """Whether `folder` is what `write` writes."""
    return (folder / _MARK).is_file() and (folder / "index.html").is_file()


def _exhibit(exhibit: Exhibit, site: Path, dtype: str) -> dict[str, Any]:
    from dreamkit.terms import layer_named

    network, provider = exhibit.network, exhibit.network.provider
    layers = [layer_named(name, network) for name in exhibit.layers] or model.layers_of(network)
    place = site / "models" / provider.name
    if place.exists():
        raise ModelError(f"{provider.name} is given twice; give each network once")
    place.mkdir(parents=True)
    size = model.write(network, list(dict.fromkeys(layers)), place, dtype)
    (place / "LICENCE.txt").write_text(
        f"{provider.name}: {provider.description}\n"
        f"The terms of its weights: {provider.licence or 'not known to dreamkit'}\n"
        f"SHA-256 of the weights that it was made of: {network.digest}\n",
        encoding="utf-8",
    )
    return {
        "name": provider.name,
        "path": f"models/{provider.name}/model.json",
        "bytes": size,
        "description": provider.description,
        "licence": provider.licence,
    }


def _limits() -> dict[str, dict[str, Any]]:
    """Help and ranges of all options, for the page's controls."""
    return {name: limits(name) for name in option_names()}


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """A folder to write to, which takes the place of `folder` at the end, or is gone."""
    try:
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.absolute().parent))
    except OSError as error:
        raise SiteError(f"cannot write {folder} ({first_line(error)})") from error
    try:
        yield partial
        partial.chmod(0o755)
        if os.path.lexists(folder):
            former = partial.with_name(f"{partial.name}.former")
            folder.rename(former)
            partial.rename(folder)
            shutil.rmtree(former, ignore_errors=True)
        else:
            partial.rename(folder)
    except OSError as error:
        raise SiteError(f"cannot write {folder} ({first_line(error)}); nothing was written") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
