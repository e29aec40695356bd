"""A site: the page with its networks, a folder of files that any static server can serve."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dreamkit import recipes
from dreamkit.config import DreamConfig, option_names
from dreamkit.errors import ConfigError, DreamkitError, ModelError, OutputExistsError, first_line
from dreamkit.media import folders, image_writer, images, locks
from dreamkit.option_table import limits
from dreamkit.terms import layer_named, parse_terms
from dreamkit.web import built_in_recipes, concept_files, network_files, offline, page_recipe

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network
    from dreamkit.media.images import Picture

_SITE_FILE = "site.json"  # a folder with this file is a site


class SiteError(DreamkitError):
    """A site cannot be written or served."""


class PageModel(NamedTuple):
    """One network on the page.

    Attributes:
        network: as `api.load` returned it.
        layers: those that can be dreamed; empty for `network_files.default_layers`.
        weight: in the recipe; if negative, what the network sees is minimised.
        own: its own layers in the recipe, as `DreamConfig.layers`; None for those of the dream.
    """

    network: Network
    layers: Sequence[str] = ()
    weight: float = 1.0
    own: Any = None


def bundle() -> Path:
    """The folder of the built page.

    Raises:
        SiteError: it is not built.
    """
    folder = Path(str(resources.files(__package__))) / "bundle"
    if not (folder / "index.html").is_file():
        raise SiteError("the page is not built; run `make web` in a copy of the repository (it needs npm)")
    return folder


def write(
    folder: Path,
    models: Sequence[PageModel],
    config: DreamConfig,
    *,
    guide: Picture | None = None,
    masks: Mapping[str, Picture] | None = None,
    together: bool = False,
    dtype: str = "float32",
    overwrite: bool = False,
    keeps_offline: bool = False,
) -> int:
    """Writes the page, its networks and its recipe to `folder`, whole or not at all.

    The layers of `config` are those of the first network, unless the networks dream `together`. `guide` is a
    picture whose features the dream follows. `masks` are by name, the dream's own without one. `dtype` is
    that of the weights, `float32` or `float16`. With `keeps_offline`, browsers keep a copy of the site, and
    it works offline from the second visit on. Returns the size of all weights in bytes.

    Raises:
        SiteError: the page is not built, or the folder cannot be written.
        ConfigError: the page does not support the config, or its layers are not exported.
        ModelError, LayerError: a network cannot be exported.
        OutputExistsError: the folder exists, and must not be replaced.
    """
    built = bundle()
    page_recipe.check_config(config)
    check_output(folder, overwrite=overwrite)
    config, layers = _exact_layers(models, config, guided=guide is not None, together=together)
    with _staging_folder(folder) as staged:
        shutil.copytree(built, staged, dirs_exist_ok=True, copy_function=shutil.copyfile)
        entries = [
            _write_model(model, staged, dtype, dreamed)
            for model, dreamed in zip(models, _dreamed(models, config, layers), strict=True)
        ]
        site = {
            "dreamkit": recipes.versions()["dreamkit"],
            "models": entries,
            "together": [
                {"path": entry["path"], "weight": model.weight, "layers": own}
                for entry, model, own in zip(entries, models, layers, strict=False)
            ],
            "options": config.to_dict(),
            "guide": _write_guide(guide, staged) if guide else "",
            "masks": _write_masks(masks, staged) if masks else {},
            "limits": _limits(),
            "offline": keeps_offline,
        }
        (staged / _SITE_FILE).write_text(json.dumps(site, indent=1), encoding="utf-8")
        if keeps_offline:
            later = [] if together else [Path(entry["path"]).parent.as_posix() for entry in entries[1:]]
            offline.write(staged, later)
        else:
            offline.leave_out(staged)
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


def _write_guide(guide: Picture, site: Path) -> str:
    """Writes the guide of a recipe; returns the name of its file."""
    (site / "guide.png").write_bytes(image_writer.to_png(guide.pixels))
    return "guide.png"


def _write_masks(masks: Mapping[str, Picture], site: Path) -> dict[str, str]:
    """Writes the masks of a recipe; returns their files by name. Files have numbers, as any text may be a
    name."""
    (site / "masks").mkdir()
    files = {name: f"masks/{number}.png" for number, name in enumerate(masks)}
    for name, picture in masks.items():
        (site / files[name]).write_bytes(image_writer.to_png(images.grey_levels(picture)))
    return files


def _exact_layers(
    models: Sequence[PageModel], config: DreamConfig, *, guided: bool, together: bool
) -> tuple[DreamConfig, list[page_recipe.Written]]:
    """`config` with the exact layers of the first network; and, where they dream together, those of each."""
    first = models[0]
    if not together:
        return page_recipe.with_exact_layers(
            config, first.network, weight=first.weight, own=first.own, guided=guided
        ), []
    layers = page_recipe.layers_of_several(
        config, [(each.network, each.own) for each in models], guided=guided
    )
    return page_recipe.with_exact_layers(config, first.network, own=layers[0]), layers


def _dreamed(
    models: Sequence[PageModel], config: DreamConfig, layers: Sequence[page_recipe.Written]
) -> list[list[str]]:
    """The layers of each network that the recipe dreams."""
    first, *others = models
    own = layers[1:] or [[] for _ in others]
    return [
        page_recipe.dreamed_layers(config, first.network),
        *(
            [term.layer for term in parse_terms(terms, each.network)] if terms else []
            for each, terms in zip(others, own, strict=True)
        ),
    ]


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
        layers = built_in_recipes.with_their_layers(network, layers)
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
        "recipes": built_in_recipes.of_network(network, layers),
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
