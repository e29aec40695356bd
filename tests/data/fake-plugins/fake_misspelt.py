"""It implements a hook that does not exist."""

from dreamkit import hookimpl


@hookimpl
def dreamkit_models():
    return []
