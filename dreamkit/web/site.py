"""A site: the page with its networks, a folder of files that any static server can serve."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dreamkit import part_values, recipes
from dreamkit.config import DreamConfig, option_names
from dreamkit.errors import ConfigError, DreamkitError, ModelError, OutputExistsError, first_line, shown
from dreamkit.media import folders, locks
from dreamkit.option_table import limits
from dreamkit.terms import layer_named, parse_terms
from dreamkit.web import concept_files, network_files

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network
    from dreamkit.request import DreamRequest

_SITE_FILE = "site.json"  # a folder with this file is a site
_MAX_SEED = 2**53 - 1  # the largest whole number that JavaScript counts exactly
_PLACE = re.compile(r"@\d{1,6}x\d{1,6}\s*(?:[=,]|$)")  # of a neuron, in a term that is written as a text
# What a page leaves out, which the page reads as well: options, each with the value that switches it off;
# built-in objectives; and keys of terms that are written as tables, in words.
_UNSUPPORTED = json.loads(Path(__file__).with_name("unsupported.json").read_text("utf-8"))
_OBJECTIVES = [name for name in part_values.objectives(guided=False) if name not in _UNSUPPORTED["objectives"]]


class SiteError(DreamkitError):
    """A site cannot be written or served."""


class PageModel(NamedTuple):
    """One network on the page.

    Attributes:
        network: as `api.load` returned it.
        layers: those that can be dreamed; empty for `network_files.default_layers`.
    """

    network: Network
    layers: Sequence[str] = ()


def bundle() -> Path:
    """The folder of the built page.

    Raises:
        SiteError: it is not built.
    """
    folder = Path(str(resources.files(__package__))) / "bundle"
    if not (folder / "index.html").is_file():
        raise SiteError("the page is not built; run `make web` in a copy of the repository (it needs npm)")
    return folder


def check(request: DreamRequest) -> None:
    """Refuses a request that a page cannot dream.

    Raises:
        ConfigError: it has a guide, masks, a timeline, a network with layers of its own or without a positive
            weight, or a config that `check_config` refuses. The message names it.
    """
    request.refuse("a page", "guide", "masks", "timeline")
    for spec in request.models:
        if spec.layers is not None:
            raise ConfigError(
                f"{shown(spec.name)} has layers of its own, which a page cannot dream; "
                "give them as layers of the whole recipe"
            )
        if spec.weight <= 0:
            raise ConfigError(
                f"{shown(spec.name)} has weight {spec.weight:g}, which a page cannot dream; "
                "leave it out, and give layers negative weights"
            )
    check_config(request.config)


def check_config(config: DreamConfig) -> None:
    """Refuses options and terms that a page does not support.

    Raises:
        ConfigError: the config has one; the message names it.
    """
    for name, value in _UNSUPPORTED["options"].items():
        given = getattr(config, name)
        if given != value:
            change = "leave it out" if value is None else f"set it to {value}"
            raise ConfigError(f"{name} is {given}, which a page cannot do; {change}")
    if config.objective not in _OBJECTIVES:
        raise ConfigError(
            f"objective is {config.to_dict()['objective']}, which a page cannot do; set it to "
            f"{' or '.join(_OBJECTIVES)}"
        )
    for each in (config, *map(config.at, range(len(config.schedule)))):
        for term in each.layers or ():
            _check_term(term)
    if config.seed > _MAX_SEED:
        raise ConfigError(f"seed is {config.seed}; a page takes 0 to {_MAX_SEED}")


def _check_term(term: str | Mapping[str, Any]) -> None:
    if isinstance(term, str):
        found = ["a neuron"] if _PLACE.search(term) else []
    elif "concept" in term:
        raise ConfigError(
            f"layers has the concept {shown(str(term['concept']))}, with which a page cannot begin; leave it "
            "out and choose it on the page"
        )
    elif "text" in term:
        raise ConfigError(
            f"layers has the text {shown(str(term['text']))!r}, which a page cannot dream; leave it out, or "
            "dream it with dreamkit dream"
        )
    else:
        found = [name for key, name in _UNSUPPORTED["terms"].items() if key in term]
    for name in found:
        raise ConfigError(f"layers has {name}, which a page cannot dream; name layers and channels")


def write(
    folder: Path,
    models: Sequence[PageModel],
    config: DreamConfig,
    *,
    dtype: str = "float32",
    overwrite: bool = False,
) -> int:
    """Writes the page, its networks and its recipe to `folder`, whole or not at all.

    The layers of `config` are those of the first network. `dtype` is that of the weights, `float32` or
    `float16`. Returns the size of all weights in bytes.

    Raises:
        SiteError: the page is not built, or the folder cannot be written.
        ConfigError: the page does not support the config, or its layers are not exported.
        ModelError, LayerError: a network cannot be exported.
        OutputExistsError: the folder exists, and must not be replaced.
    """
    built = bundle()
    check_config(config)
    check_output(folder, overwrite=overwrite)
    first, *others = models
    config, dreamed = _with_exact_layers(config, first.network)
    with _staging_folder(folder) as staged:
        shutil.copytree(built, staged, dirs_exist_ok=True, copy_function=shutil.copyfile)
        entries = [
            _write_model(first, staged, dtype, dreamed),
            *(_write_model(each, staged, dtype) for each in others),
        ]
        site = {
            "dreamkit": recipes.versions()["dreamkit"],
            "models": entries,
            "options": config.to_dict(),
            "limits": _limits(),
        }
        (staged / _SITE_FILE).write_text(json.dumps(site, indent=1), encoding="utf-8")
    return sum(entry["bytes"] for entry in entries)


def check_output(folder: Path, *, overwrite: bool) -> None:
    """Checks, before any work, that a site can be written to `folder`.

    Raises:
        OutputExistsError: it exists; with `overwrite`, it exists and is not a site.
        SiteError: its parent folder does not exist.
    """
    folders.complete(folder.absolute().parent)
    if os.path.lexists(folder):
        if not overwrite:
            raise OutputExistsError(f"{folder} exists; choose another name or give --overwrite")
        if not (folder / _SITE_FILE).is_file():
            raise OutputExistsError(
                f"{folder} exists and is not an exported page, so it is not replaced; choose another name"
            )
    if not folder.absolute().parent.is_dir():
        raise SiteError(f"the folder {folder.absolute().parent} does not exist; create it or choose another")


def is_site(folder: Path) -> bool:
    """Whether `folder` is a site."""
    return (folder / _SITE_FILE).is_file() and (folder / "index.html").is_file()


def _with_exact_layers(config: DreamConfig, network: Network) -> tuple[DreamConfig, list[str]]:
    """`config` with exact layer names in its terms, one text for each, and the layers that they name."""
    dreamed: dict[str, None] = {}

    def exact(layers: Any) -> list[str] | None:
        if layers is None:
            return None
        terms = parse_terms(layers, network)
        dreamed.update(dict.fromkeys(term.layer for term in terms))
        return [f"{term}" if weight == 1 else f"{term}={weight!r}" for term, weight in terms.items()]

    schedule = [
        {**entry, "layers": exact(entry["layers"])} if "layers" in entry else dict(entry)
        for entry in config.schedule
    ]
    return DreamConfig.of(config, layers=exact(config.layers), schedule=schedule), list(dreamed)


def _write_model(model: PageModel, site: Path, dtype: str, dreamed: Sequence[str] = ()) -> dict[str, Any]:
    """Writes the files of a network, with the layers that the recipe dreams.

    Returns its entry in `site.json`.
    """
    network, provider = model.network, model.network.provider
    layers = [layer_named(name, network) for name in model.layers]
    missing = [layer for layer in dreamed if layers and layer not in layers]
    if missing:
        raise ConfigError(f"the recipe dreams {missing[0]}, which --layers leaves out; add it to --layers")
    if not layers:
        offered = {*network_files.default_layers(network), *concept_files.layers_of(network), *dreamed}
        layers = [layer for layer in network.layers if layer in offered]
    folder = site / "models" / provider.name
    if folder.exists():
        raise ModelError(f"{provider.name} is given twice; give each network once")
    folder.mkdir(parents=True)
    size = network_files.write(network, list(dict.fromkeys(layers)), folder, dtype)
    concepts = concept_files.write(network, layers, folder)
    (folder / "LICENCE.txt").write_text(
        f"{provider.name}: {provider.description}\n"
        f"Terms of its weights: {provider.licence or 'unknown to dreamkit'}\n"
        f"SHA-256 of the original weights: {network.digest}\n",
        encoding="utf-8",
    )
    return {
        "name": provider.name,
        "path": f"models/{provider.name}/model.json",
        "bytes": size,
        "description": provider.description,
        "licence": provider.licence,
        "concepts": concepts and f"models/{provider.name}/{concepts}",
    }


def _limits() -> dict[str, dict[str, Any]]:
    """Help and ranges of all options, for the controls of the page."""
    return {name: limits(name) for name in option_names()}


@contextmanager
def _staging_folder(folder: Path) -> Iterator[Path]:
    """A new folder that replaces `folder` at the end; after an error it is deleted, and `folder` stays."""
    try:
        with folders.written(folder) as staged:
            yield staged
    except locks.LockedError as error:
        raise SiteError(
            f"another dreamkit is writing {folder}; wait until it ends, or choose another -o"
        ) from error
    except OSError as error:
        raise SiteError(f"cannot write {folder} ({first_line(error)}); nothing was written") from error
