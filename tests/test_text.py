"""Texts in terms: how they are given, refused and kept in recipes; and text towers by themselves."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import dreamkit
from dreamkit import DreamConfig
from dreamkit.cli.dream_options import DreamOptions
from dreamkit.concepts import texts
from dreamkit.errors import ConfigError, ConvertError, DreamkitWarning, LayerError, ModelError
from dreamkit.models import text_tower
from dreamkit.models.providers import TextTower
from dreamkit.models.text_tower import TextEncoder, TextInputs
from dreamkit.terms import parse_terms

PAIR = Path(__file__).parent / "data" / "tiny_clip"
INPUTS = TextInputs(ids="ids", type="int64", output="text_embedding", length=12)
STRIPES = np.array([0.5, -0.25, 0.125, 0, -0.5], np.float32)


@pytest.fixture
def understands(monkeypatch):
    """The network `sorter` understands texts."""
    digest = dreamkit.load("sorter").digest
    tower = TextTower(layer="edges", digest=digest, embed=lambda text: STRIPES * len(text))
    original = texts._tower
    monkeypatch.setattr(texts, "_tower", lambda spec: tower if spec.name == "sorter" else original(spec))


@pytest.fixture
def tower(tmp_path):
    """A folder with a text tower, as a converted model has it."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tokenizers")
    shutil.copy(PAIR / "text.onnx", tmp_path / text_tower.TOWER)
    shutil.copy(PAIR / "tokenizer.json", tmp_path / text_tower.TOKENIZER)
    return tmp_path


def rewritten(folder, **changes):
    """The folder with another tokenizer."""
    file = folder / text_tower.TOKENIZER
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return TextEncoder(folder)


@pytest.mark.parametrize(
    ("given", "term"),
    [
        ("a red circle", {"text": "a red circle"}),
        ("a red circle=2", {"text": "a red circle", "weight": 2.0}),
        ("one, two=-0.5", {"text": "one, two", "weight": -0.5}),
        ("e=mc", {"text": "e=mc"}),
        ("  naïve 夢  ", {"text": "naïve 夢"}),
    ],
)
def test_a_text_may_end_in_a_weight(given, term):
    assert DreamOptions(texts=[given]).given["layers"] == (term,)


@pytest.mark.parametrize("given", ["", "  ", "=2", "a\nb", "a\x1b[2J", "a" * 2001, "a=0", "a=nan", "a=inf"])
def test_what_is_no_text_is_refused_in_one_line(run, given):
    code, _, err = run("dream", "--size", "32", "--text", given)
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "--text is" in err


@pytest.mark.parametrize(
    "term",
    [
        {"text": "a", "layer": "edges"},
        {"text": "a", "channels": [1]},
        {"text": "a", "direction": [1.0]},
        {"text": "a", "concept": "b"},
        {"text": 3},
        {"text": "a\tb"},
        {"text": "a", "directions": {"0": {"edges": "?"}}},
    ],
)
def test_a_table_of_a_text_has_nothing_else_that_is_dreamed(term):
    with pytest.raises(ConfigError, match="layers has"):
        DreamConfig(layers=[term])


def test_a_network_without_a_text_tower_is_refused(run, second):
    code, _, err = run("dream", "--size", "32", "-m", "sorter", "--text", "a cat")
    assert code == 1
    assert "sorter understands no text; convert a CLIP: see docs/text.md" in err
    with pytest.raises(ModelError, match="pocket understands no text"):
        dreamkit.make_request(None, layers=[{"text": "a cat"}])


def test_a_redone_dream_needs_no_tower(run, second, understands, picture, monkeypatch):
    arguments = ("--steps", "2", "--octaves", "1", "-q")
    assert run("dream", "photo.jpg", "-m", "sorter", "--text", "a cat=-1", *arguments, "-o", "a.png")[0] == 0
    (term,) = dreamkit.recipes.find("a.png").options["layers"]
    assert (term["text"], term["weight"]) == ("a cat", -1.0)
    monkeypatch.setattr(texts, "_tower", lambda _: pytest.fail("the tower was asked"))
    assert run("redo", "a.png", "photo.jpg", "-q", "-o", "b.png")[0] == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    code, _, err = run("dream", "photo.jpg", "-m", "other", "-r", "a.png", *arguments, "-o", "c.png")
    assert code == 0
    assert "dreams it with its own default layers" in err


def test_an_embedding_of_another_network_is_refused(second, understands):
    (term,) = dreamkit.make_request(None, "sorter", layers=[{"text": "a cat"}]).config.layers
    network = dreamkit.load("sorter")
    assert [each.objective for each in parse_terms([term], network)] == ["cosine"]
    network.digest = "0" * 64
    with pytest.raises(LayerError, match="the text 'a cat' comes with the embedding of another network"):
        parse_terms([term], network)


def test_an_embedding_is_what_onnx_runtime_computes(tower):
    import onnxruntime

    names = json.loads((PAIR / "tokenizer.json").read_text())["model"]["vocab"]
    words = ["<start>", "a", "red", "circle", "<end>"]
    ids = np.array([[names[word] for word in words] + [0] * 7], np.int64)
    session = onnxruntime.InferenceSession(str(PAIR / "text.onnx"), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"ids": ids})
    found = TextEncoder(tower).embedding("A red  circle", INPUTS)
    np.testing.assert_allclose(found, expected[0] / np.linalg.norm(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("padding", [None, {"pad_id": 0}, {"pad_id": 1}])
def test_what_pads_a_text_does_not_change_the_embedding_of_a_clip(tower, padding):
    plain = TextEncoder(tower).embedding("a red circle", INPUTS)
    settings = padding and {
        "strategy": {"Fixed": 12},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_type_id": 0,
        "pad_token": "<pad>",
        **padding,
    }
    np.testing.assert_allclose(
        rewritten(tower, padding=settings).embedding("a red circle", INPUTS), plain, atol=1e-6
    )


def test_a_text_of_too_many_tokens_is_refused(tower):
    with pytest.raises(ModelError, match=r"has 14 tokens, and the text tower takes 12; shorten it"):
        TextEncoder(tower).embedding("a " * 12, INPUTS)
    shorter = rewritten(
        tower,
        truncation={"direction": "Right", "max_length": 6, "strategy": "LongestFirst", "stride": 0},
    )
    with pytest.raises(ModelError, match=r"has 7 tokens, and the text tower takes 6"):
        shorter.embedding("a " * 5, INPUTS)


def test_a_word_that_the_tower_does_not_know_is_named(tower):
    with pytest.warns(DreamkitWarning, match="does not know jellyfish"):
        TextEncoder(tower).embedding("a red jellyfish", INPUTS)


def test_damaged_files_are_refused(tower):
    (tower / text_tower.TOKENIZER).write_text("{}")
    with pytest.raises(ModelError, match=r"cannot read tokenizer\.json"):
        TextEncoder(tower)
    shutil.copy(PAIR / "tokenizer.json", tower / text_tower.TOKENIZER)
    (tower / text_tower.TOWER).write_bytes(b"no model")
    with pytest.raises(ModelError, match="cannot read the text tower"):
        TextEncoder(tower)


def test_a_missing_package_is_named(tower, monkeypatch):
    monkeypatch.setattr(text_tower, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"texts need tokenizers and onnxruntime.*\[text\]"):
        TextEncoder(tower)


def checked(folder, tower=PAIR / "text.onnx", tokenizer=PAIR / "tokenizer.json", channels=48):
    """What conversion makes of a text tower, here without its child process."""
    pytest.importorskip("onnx")
    pytest.importorskip("tokenizers")
    from dreamkit.convert import text_tower as conversion

    return conversion.check_and_write(
        lambda _: None, str(tower), str(tokenizer), str(folder / "text"), "embedding", channels
    )


def test_a_text_tower_is_described(tmp_path):
    found = checked(tmp_path)
    assert found == {"ids": "ids", "type": "int64", "output": "embedding", "length": 12, "mask": ""}
    embedding = TextEncoder(tmp_path / "text").embedding("a red circle", TextInputs(**found))
    assert embedding.shape == (48,)
    assert np.linalg.norm(embedding) == pytest.approx(1)


def test_the_towers_the_wrong_way_round_are_refused(tmp_path):
    with pytest.raises(
        ConvertError, match=r"image.onnx takes pictures \(float\); a text tower takes one input"
    ):
        checked(tmp_path, tower=PAIR / "image.onnx")


def test_a_text_tower_with_another_embedding_is_refused(tmp_path):
    with pytest.raises(
        ConvertError, match=r"gives embedding 1 x 48; embedding.*so the embedding must be 1 x 64"
    ):
        checked(tmp_path, channels=64)


def test_a_tokenizer_of_another_tower_is_refused(tmp_path):
    file = tmp_path / "larger.json"
    tokenizer = json.loads((PAIR / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["jellyfish"] = 5000
    tokenizer["model"]["vocab"] |= {f"word{number}": number for number in range(100, 200)}
    file.write_text(json.dumps(tokenizer))
    with pytest.raises(ConvertError, match=r"does not take token \d+, the last one of the tokenizer"):
        checked(tmp_path, tokenizer=file)


def test_a_damaged_tokenizer_is_refused(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"model"')
    with pytest.raises(ConvertError, match=r"text.onnx: cannot read tokenizer\.json"):
        checked(tmp_path, tokenizer=tmp_path / "tokenizer.json")


def test_a_tower_and_its_tokenizer_go_together(run):
    arguments = ("convert", "onnx", PAIR / "image.onnx", "--name", "pair")
    code, _, err = run(*arguments, "--text-tower", PAIR / "text.onnx")
    assert (code, len(err.splitlines())) == (1, 1)
    assert "--text-tower is given without --tokenizer" in err
    if find_spec("onnx2tf") is None:  # which must not be imported here: see `skip_without_converter`
        pytest.skip("onnx2tf is not installed; install deepdreamkit[convert]")
    code, _, err = run(*arguments, "--text-tower", PAIR / "text.onnx", "--tokenizer", "none.json")
    assert (code, len(err.splitlines())) == (1, 1)
    assert "cannot read none.json; give the path of a tokenizer.json" in err


@pytest.mark.parametrize("length", ["tokens", 12])
def test_a_tower_may_take_a_mask_any_number_of_tokens_and_int32(tmp_path, length):
    """A tower without positions: the sum of the words' vectors, but for padding."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    words = np.random.default_rng(3).normal(size=(40, 48)).astype(np.float32)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT32, ["batch", length])
        for name in ("attention_mask", "input_ids")
    ]
    nodes = [
        helper.make_node("Gather", ["words", "input_ids"], ["vectors"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["weights"]),
        helper.make_node("Mul", ["vectors", "weights"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "tokens_axis"], ["text_embeds"], keepdims=0),
    ]
    constants = {"words": words, "last": np.array([2]), "tokens_axis": np.array([1])}
    graph = helper.make_graph(
        nodes,
        "text",
        inputs,
        [
            helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["a", "b", "c"]),
            helper.make_tensor_value_info("text_embeds", TensorProto.FLOAT, ["a", "c"]),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "mine.onnx")
    found = checked(tmp_path, tower=tmp_path / "mine.onnx")
    assert found == {
        "ids": "input_ids",
        "type": "int32",
        "output": "text_embeds",
        "length": None if length == "tokens" else 12,
        "mask": "attention_mask",
    }
    names = json.loads((PAIR / "tokenizer.json").read_text())["model"]["vocab"]
    expected = words[[names[word] for word in ("<start>", "a", "red", "circle", "<end>")]].sum(0)
    embedding = TextEncoder(tmp_path / "text").embedding("a red circle", TextInputs(**found))
    np.testing.assert_allclose(embedding, expected / np.linalg.norm(expected), rtol=1e-4, atol=1e-6)
