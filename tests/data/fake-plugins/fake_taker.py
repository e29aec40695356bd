"""It takes two names that others have, beside one of its own."""

from dreamkit import ModelProvider, Preprocess, hookimpl


@hookimpl
def dreamkit_model_providers():
    for name in ("fake_good", "inception_v3", "fake_taker"):
        yield ModelProvider(name=name, load=lambda weights: None, preprocess=Preprocess(), layers={})
