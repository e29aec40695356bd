"""`dreamkit convert torch clip:...`: both towers of a CLIP in a local folder, with random weights."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

WORDS = ["<pad>", "a", "red", "blue", "circle", "star", "<start>", "<end>"]
TEXT = "a red circle"
DIMS = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


@pytest.fixture
def folder(tmp_path):
    """A CLIP as transformers writes it, with a tokenizer that has no padding of its own."""
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<pad>")
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 6), ("<end>", 7)]
    )
    folder = tmp_path / "my-clip"
    transformers.PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>").save_pretrained(folder)
    config = transformers.CLIPConfig(
        text_config={**DIMS, "vocab_size": 8, "max_position_embeddings": 9, "eos_token_id": 7},
        vision_config={**DIMS, "image_size": 32, "patch_size": 8},
        projection_dim=12,
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    means = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}
    (folder / "preprocessor_config.json").write_text(json.dumps(means))
    return folder


def test_both_towers_of_a_clip_are_converted_and_dream_a_text(dreamkit, tmp_path, folder):
    result = dreamkit("convert", "torch", f"clip:{folder}", "--name", "clip")
    assert result.returncode == 0, result.stderr
    models = tmp_path / "DREAMKIT_HOME" / "models"
    record = json.loads((models / "clip" / "model.json").read_text())
    assert record["text"]["inputs"]["length"] == 9
    assert record["preprocess"]["mean"] == [127.5, 127.5, 127.5]
    assert str(tmp_path).encode() not in (models / "clip" / "text" / "tower.onnx").read_bytes()

    model = transformers.CLIPModel.from_pretrained(folder)
    ids = torch.tensor([[6, 1, 2, 4, 7]])  # without padding, as transformers computes it
    with torch.no_grad():
        expected = model.text_projection(model.text_model(input_ids=ids).pooler_output)[0].numpy()
    from dreamkit.models import converted

    found = converted.provider(models / "clip").text.embed(TEXT)
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-5)

    dreamed = dreamkit("dream", "-m", "clip", "--text", TEXT, "--size", "32", "--steps", "1", "-o", "a.png")
    assert dreamed.returncode == 0, dreamed.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("clip:nowhere",), "neither a folder nor a repository"),
        (("clip:{folder}", "--size", "64"), "has weights and a size of its own"),
        (("clip:{empty}",), "cannot load clip:empty"),
    ],
)
def test_what_is_no_clip_is_refused_in_one_line(dreamkit, tmp_path, folder, arguments, message):
    (tmp_path / "empty").mkdir()
    given = [each.format(folder=folder, empty=tmp_path / "empty") for each in arguments]
    result = dreamkit("convert", "torch", *given, "--name", "clip")
    assert result.returncode == 1
    assert message in result.stderr.splitlines()[-1]
