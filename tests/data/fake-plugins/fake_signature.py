"""Its hook wants an argument that nobody gives."""

from dreamkit import hookimpl


@hookimpl
def dreamkit_model_providers(register):
    return []
