"""The built-in recipes that an exported page offers."""

from __future__ import annotations

import pytest
import tiny

import dreamkit
from dreamkit.engine.tf import network
from dreamkit.web import built_in_recipes, concept_files, page_recipe


@pytest.fixture(scope="module")
def pocket():
    return dreamkit.load("pocket")


def test_a_network_offers_the_recipes_whose_layers_it_has(pocket):
    exported = built_in_recipes.with_their_layers(
        pocket, ["mixed3a", "mixed3b", "mixed4a", "mixed4c", "mixed5a"]
    )
    assert exported == ["conv2d2", "mixed3a", "mixed3b", "mixed4a", "mixed4c", "mixed4d", "mixed5a"]
    offered = built_in_recipes.of_network(pocket, exported)
    assert len(offered) == 7
    layers = {each["name"]: each["options"]["layers"] for each in offered}
    assert layers["neon"] == ["mixed4a", "mixed3b=0.5"]
    assert layers["garden"] == ["concept flowers", "concept butterflies", "concept mushrooms"]
    for each in offered:
        options = {**each["options"], "layers": None}
        page_recipe.check_config(dreamkit.DreamConfig.of(None, **options))


def test_layers_that_are_not_exported_leave_their_recipes_out(pocket):
    names = [each["name"] for each in built_in_recipes.of_network(pocket, ["mixed3a", "mixed4c"])]
    assert names == ["engraving", "google-2015"]
    assert concept_files.names_of(pocket, ["mixed4c"]) == []


def test_recipes_of_other_networks_are_left_out():
    other = network.load(tiny.provider(), None)
    assert built_in_recipes.of_network(other, list(other.layers)) == []


def test_a_recipe_that_no_page_dreams_is_left_out(pocket, monkeypatch):
    monkeypatch.setattr(built_in_recipes, "_OFFERED", ("accentuate", "maco", "subtle"))
    names = [each["name"] for each in built_in_recipes.of_network(pocket, list(pocket.layers))]
    assert names == ["subtle"]
