"""Its function is not marked as a hook."""


def dreamkit_model_providers():
    return []
