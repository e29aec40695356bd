"""It yields one good model, then raises."""

from dreamkit import ModelProvider, Preprocess, hookimpl


@hookimpl
def dreamkit_model_providers():
    yield ModelProvider(name="fake_half", load=lambda weights: None, preprocess=Preprocess(), layers={})
    raise RuntimeError("no second model")
