from pathlib import Path

from dreamkit import hookimpl


@hookimpl
def dreamkit_recipes():
    yield Path(__file__).with_name("poster.toml")
