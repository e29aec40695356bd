"""Reading Caffe models: both formats of both files, layers that are left out, and damaged files."""

from __future__ import annotations

import random
import sys
import tracemalloc
from contextlib import contextmanager

import numpy as np
import pytest
from caffemodel import blob, caffemodel, length_field, varint, varint_field
from faults import mutated

from dreamkit.convert.caffe import protobuf, schema
from dreamkit.convert.caffe.caffemodel import read_mean
from dreamkit.convert.caffe.protobuf import Enum, Field
from dreamkit.convert.caffe.reader import read_net
from dreamkit.convert.caffe.text_format import parse_text
from dreamkit.convert.caffe.wire_format import parse_wire
from dreamkit.errors import ConvertError

INPUT = 'input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }\n'
CONV = """name: "small"
input: "data"
input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layer {
  name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  param { lr_mult: 1 decay_mult: 1 }
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" std: 0.1 } }
}
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { kernel_size: 2 stride: 2 } }
"""
WEIGHTS = {
    "conv1": [np.arange(108, dtype=np.float32).reshape(4, 3, 3, 3) / 7, np.arange(4, dtype=np.float32)]
}


@pytest.fixture
def net(tmp_path):
    """Reads a prototxt, and weights if they are given, as bytes or by layer."""

    def net(text, weights=None, **form):
        prototxt, model = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
        prototxt.write_bytes(text if isinstance(text, bytes) else text.encode())
        if weights is None:
            return read_net(prototxt, None)
        model.write_bytes(weights if isinstance(weights, bytes) else caffemodel(weights, **form))
        return read_net(prototxt, model)

    return net


def error_of(read, *arguments, **options):
    """The message of the error that reading ends with: one line."""
    with pytest.raises(ConvertError) as caught:
        read(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message


# ------------------------------------------------------------------------------------------- the text format

MESSAGE = {
    "words": Field(1, "string", repeated=True),
    "floats": Field(2, "float", repeated=True),
    "whole": Field(3, "int64", repeated=True),
    "small": Field(4, "uint32", repeated=True),
    "flags": Field(5, "bool", repeated=True),
    "kinds": Field(6, Enum({"MAX": 0, "AVE": 1}), repeated=True),
    "one": Field(7, {"deep": Field(1, "int32", default=5)}),
    "*_param": Field(0, "skip"),
}


def text(source):
    return parse_text(source, MESSAGE, "it")


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("floats: 1e-3f floats: .5 floats: 5. floats: -2 floats: 0x10", [0.001, 0.5, 5, -2, 16]),
        ("floats: inf, floats: -Infinity; floats: 1E+3F", [float("inf"), float("-inf"), 1000]),
        ("floats: [1, 2.5, -3e2]", [1, 2.5, -300]),
        ("floats: []", []),
        ('floats:1#a comment: { " \nfloats : 2 # another', [1, 2]),
    ],
)
def test_floats(source, values):
    assert text(source)["floats"] == values


def test_not_a_number():
    assert np.isnan(text("floats: nan")["floats"][0])


def test_whole_numbers_in_all_bases():
    assert text("whole: 0x1F whole: 017 whole: -3 whole: 0")["whole"] == [31, 15, -3, 0]


def test_adjacent_strings_in_either_quotes_with_escapes():
    source = r"""words: "a'b" 'c"d'  "\n\t\\\"" words: "\303\251\x41\u" words: 'é'"""
    assert text(source)["words"] == ['a\'bc"d\n\t\\"', "éAu", "é"]


def test_enumerations_by_name_and_by_number():
    assert text("kinds: MAX kinds: 1")["kinds"] == ["MAX", "AVE"]


def test_flags_in_all_their_spellings():
    assert text("flags: true flags: f flags: True flags: 0")["flags"] == [True, False, True, False]


@pytest.mark.parametrize(
    "source", ["one { deep: 3 }", "one: { deep: 3; }", "one < deep: 3 >", "one:<deep:3,>;"]
)
def test_messages_in_either_brackets(source):
    assert text(source)["one"] == {"deep": 3}


def test_skipped_fields_are_parsed():
    source = 'any_param { a: "}" b < c: -1 d: [x, 2] > [a.b/c]: 3 e { } f: "a" "b" } words: "on"'
    assert text(source) == {"words": ["on"]}


def test_defaults_fill_missing_fields():
    filled = protobuf.with_defaults(text("one { } words: 'a'"), MESSAGE)
    assert filled["one"] == {"deep": 5}
    assert filled["words"] == ["a"]
    assert filled["floats"] == []
    assert "*_param" not in filled


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("wrods: 'a'", "line 1: unknown field wrods; did you mean words?"),
        ("\n\nkinds: MIN", "line 3: kinds: MIN is not one of MAX, AVE"),
        ("kinds: 7", "kinds: 7 is not one of MAX, AVE"),
        ("small: -1", "small: -1 is not a whole number from 0 to 4294967295"),
        ("whole: 9223372036854775808", "is not a whole number"),
        ("whole: 1.5", "whole: 1.5 is not a whole number"),
        ("whole: 09", "whole: 09 is not a whole number"),
        ("whole: 3x", "cannot read '3x'"),
        ("floats: fast", "floats: fast is not a number"),
        ("flags: 2", "flags: 2 is not true or false"),
        ("words: a", "words takes a string in quotes; found a"),
        ("words: 'a", "cannot read"),
        ("words 'a'", "expected : after words instead of 'a'"),
        ("one: 3", "one takes fields in { }; found 3"),
        ("one { deep: 3 } one { }", "one is given twice"),
        ("one {\n deep: 3", "line 2: '}' is missing at the end of what began in line 1"),
        ("one { deep: 3 >", "expected the name of a field instead of >"),
        ("one { deep: [1, 2] }", "deep takes one value, not 2"),
        ("}", "expected the name of a field instead of }"),
        ("whole: [1 2]", "expected , or ] instead of 2"),
        ("whole: ", "whole has no value; found the end of the file"),
        ("[a", "expected ] instead of the end of the file"),
        ("@", "cannot read '@'"),
        ("x_param {" * 100, "messages are nested more than 64 deep"),
    ],
)
def test_a_wrong_text_is_an_error_with_its_line(source, message):
    assert message in error_of(text, source)


# ------------------------------------------------------------------------------------------- the wire format


def wire(data, message=MESSAGE):
    return parse_wire(memoryview(data), message, "it")


def test_the_wire_format():
    data = (
        length_field(1, "é")
        + length_field(3, varint(300) + varint(-2))
        + varint_field(3, 7)
        + varint_field(5, 1)
        + varint_field(6, 1)
    )
    data += (
        length_field(7, varint_field(1, -1))
        + length_field(2, np.float32([1, 2]).tobytes())
        + length_field(99, "unknown")
        + varint_field(98, 3)
    )
    read = wire(data)
    assert list(read.pop("floats")) == [1, 2]
    assert read == {
        "words": ["é"],
        "whole": [300, -2, 7],
        "flags": [True],
        "kinds": ["AVE"],
        "one": {"deep": -1},
    }


def test_packed_and_single_floats_keep_their_order():
    loose = [varint(2 << 3 | 5) + np.float32(value).tobytes() for value in range(50)]
    data = (
        loose[0]
        + varint_field(98, 3)
        + b"".join(loose[1:40])
        + length_field(2, np.float32([40, 41]).tobytes())
    )
    assert list(wire(data)["floats"]) == list(range(42))


def test_groups_are_skipped():
    group = (
        varint(9 << 3 | 3) + varint_field(3, 5) + varint(8 << 3 | 3) + varint(8 << 3 | 4) + varint(9 << 3 | 4)
    )
    assert wire(group + varint_field(3, 6)) == {"whole": [6]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80", "at byte 0, a number has no end"),
        (b"\xff" * 12, "at byte 0, a number has no end"),
        (length_field(1, "abc")[:-1], "at byte 0, a field of 3 bytes has 2 bytes left"),
        (varint(1 << 3 | 2) + varint(1 << 62), "bytes has 0 bytes left"),
        (varint(2 << 3 | 5) + b"abc", "a field of 4 bytes has 3 bytes left"),
        (length_field(2, b"abc"), "3 bytes are not a whole number of floats"),
        (b"\x0f", "there is no field"),
        (varint(9 << 3 | 3), "a group has no end"),
        (varint(9 << 3 | 4), "there is no field"),
        (varint(9 << 3 | 3) * 100, "there is no field"),
    ],
)
def test_damage_is_an_error_with_its_byte(data, message):
    line = error_of(wire, data)
    assert message in line
    assert line.endswith("; download it again")


# ------------------------------------------------------------------------------------------------- networks


def test_a_small_network(net):
    read = net(CONV, WEIGHTS)
    assert read.name == "small"
    assert read.inputs == {"data": (1, 3, 8, 8)}
    conv, relu, pool = read.layers
    assert (conv.name, conv.type, conv.line, conv.bottoms) == ("conv1", "Convolution", 4, ("data",))
    assert conv.params["kernel_size"] == [3]
    assert conv.params["group"] == 1
    assert conv.params["bias_term"] is True
    assert "weight_filler" not in conv.params
    for got, want in zip(conv.weights, WEIGHTS["conv1"], strict=True):
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, want)
    assert relu.weights == ()
    assert relu.params == {"negative_slope": 0.0}
    assert pool.params["pool"] == "MAX"


def test_values_of_in_place_layers_get_names_and_the_last_keeps_the_blobs(net):
    conv, relu, pool = net(CONV).layers
    assert conv.tops == ("conv1@conv1",)
    assert relu.bottoms == ("conv1@conv1",)
    assert relu.tops == pool.bottoms == ("conv1",)


def test_names_of_in_place_values_do_not_collide(net):
    read = net(
        INPUT
        + """layer { name: "a" type: "ReLU" bottom: "data" top: "x@a" }
        layer { name: "a" type: "ReLU" bottom: "x@a" top: "x" }
        layer { name: "a" type: "ReLU" bottom: "x" top: "x" }
        layer { name: "a" type: "ReLU" bottom: "x" top: "x" }"""
    )
    assert read.blobs == ("x@a", "x@a@2", "x@a@3", "x")


def test_an_input_changed_in_place_is_renamed(net):
    read = net(INPUT + 'layer { name: "mean" type: "Power" bottom: "data" top: "data" }')
    assert list(read.inputs) == ["data@input"]
    assert read.blobs == ("data",)


@pytest.mark.parametrize(
    "text",
    [
        'layer { type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }',
        'layer { name: "in" type: "Input" top: "data" top: "b" input_param { shape { dim: [2, 3, 4, 5] } } }',
        'layer { type: "DummyData" top: "data" dummy_data_param { num: 2 channels: 3 height: 4 width: 5 } }',
        'layer { type: "DummyData" top: "data" dummy_data_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }',
        'layer { type: "MemoryData" top: "data" top: "label" memory_data_param '
        "{ batch_size: 2 channels: 3 height: 4 width: 5 } }",
        'layers { type: MEMORY_DATA top: "data" memory_data_param '
        "{ batch_size: 2 channels: 3 height: 4 width: 5 } }",
        'layer { type: "ImageData" top: "data" image_data_param '
        '{ source: "x" batch_size: 2 new_height: 4 new_width: 5 } }',
        'input: "data" input_shape { dim: 2 dim: 3 dim: 4 dim: 5 }',
        'input: "data" input_dim: [2, 3, 4, 5]',
        'input: "label" input: "data" input_shape { dim: 9 } input_shape { dim: 2 dim: 3 dim: 4 dim: 5 }',
    ],
)
def test_inputs_in_all_their_forms(net, text):
    kind = 'layers { type: RELU bottom: "data" top: "out" }' if "layers" in text else ""
    kind = kind or 'layer { type: "ReLU" bottom: "data" top: "out" }'
    assert net(text + "\n" + kind).inputs == {"data": (2, 3, 4, 5)}


def test_of_two_data_layers_the_one_for_testing_is_read(net):
    data = (
        'layer {{ name: "d" type: "Data" top: "data" top: "label" include {{ phase: {0} }} transform_param '
    )
    data += (
        '{{ crop_size: {1} mean_file: "x" }} data_param {{ source: "y" batch_size: 2 backend: LMDB }} }}\n'
    )
    read = net(
        data.format("TRAIN", 9)
        + data.format("TEST", 8)
        + """layer { name: "r" type: "ReLU" bottom: "data" top: "out" }
        layer { type: "Accuracy" bottom: "out" bottom: "label" top: "acc" include { phase: TEST } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "out" bottom: "label" top: "loss"
                loss_param { ignore_label: 255 } }
        layer { name: "labels" type: "Slice" bottom: "label" top: "one" top: "two" }"""
    )
    assert read.inputs == {"data": (2, 3, 8, 8)}
    assert read.blobs == ("out",)


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("include { phase: TRAIN }", False),
        ("include { phase: TEST }", True),
        ("include: { phase: 0 }", False),
        ("exclude { phase: TEST }", False),
        ("exclude { phase: TRAIN }", True),
        ("include { phase: TRAIN } include { phase: TEST }", True),
        ("include { phase: TEST stage: 'val' }", False),
        ("include { phase: TEST not_stage: 'val' }", True),
        ("include { min_level: 1 }", False),
        ("include { max_level: 1 }", True),
    ],
)
def test_layers_of_the_training_phase_are_left_out(net, rule, kept):
    read = net(
        INPUT
        + f"""layer {{ name: "a" type: "ReLU" bottom: "data" top: "a" {rule} }}
        layer {{ name: "b" type: "ReLU" bottom: "data" top: "b" }}"""
    )
    assert read.blobs == (("a", "b") if kept else ("b",))


def test_a_layer_of_the_nets_own_stage_is_kept(net):
    text = 'state { stage: "deploy" } ' + INPUT
    text += 'layer { type: "ReLU" bottom: "data" top: "a" include { stage: "deploy" } }'
    assert net(text).blobs == ("a",)


V1 = (
    INPUT
    + """layers { name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1" blobs_lr: 1 blobs_lr: 2
      weight_decay: 1 convolution_param { num_output: 4 kernel_size: 3 } }
    layers { name: "relu1" type: 18 bottom: "conv1" top: "conv1" }
    layers { name: "loss" type: SOFTMAX_LOSS bottom: "conv1" bottom: "data" top: "loss" }"""
)


@pytest.mark.parametrize("v1", [True, False])
@pytest.mark.parametrize("form", ["packed", "unpacked", "double", "loose", "legacy"])
@pytest.mark.parametrize("text", [V1, CONV])
def test_weights_in_all_their_forms(net, text, form, v1):
    layer = net(text, WEIGHTS, form=form, v1=v1).layers[0]
    assert layer.type == "Convolution"
    kernel, bias = layer.weights
    np.testing.assert_array_equal(kernel, WEIGHTS["conv1"][0])
    np.testing.assert_array_equal(bias.ravel(), WEIGHTS["conv1"][1])
    assert bias.dtype == np.float32


def test_every_v1_type_has_its_number_and_name():
    numbers = [number for number, _ in schema.V1_TYPES.values()]
    assert sorted(numbers) == list(range(40))  # no number twice, none missing
    squeezed = {name.lower() for name in schema.PARAM_FIELDS}
    known = {name.replace("_", "").lower() for name in schema.V1_TYPES} & squeezed
    assert {name.lower() for _, name in schema.V1_TYPES.values()} >= known


def test_a_layer_of_unknown_type_is_read_with_its_weights(net):
    text = INPUT + 'layer { name: "odd" type: "Interp" bottom: "data" top: "out" interp_param { zoom: 2 } }'
    (layer,) = net(text, {"odd": [np.ones(3)]}).layers
    assert (layer.type, layer.params, layer.weights[0].shape) == ("Interp", {}, (3,))


def test_a_byte_order_mark_semicolons_and_old_encodings_are_accepted(net):
    text = b"\xef\xbb\xbf" + CONV.replace("}", "};\r\n").encode() + b"# caf\xe9\n"
    assert len(net(text).layers) == 3


WRONG_TEXTS = {
    "nothing": ("", "is empty; download it again"),
    "only a comment": ("# a net", "has no layers that can be computed"),
    "no input": ('layer { name: "a" type: "ReLU" top: "x" }', "has no input that a layer reads"),
    "no such blob": (
        INPUT + 'layer { name: "a" type: "ReLU" bottom: "date" top: "x" }',
        "line 2: layer a reads blob date, which is not written before; did you mean data?",
    ),
    "a loss's blob": (
        INPUT + 'layer { name: "l" type: "EuclideanLoss" bottom: "data" top: "l" }\n'
        'layer { name: "a" type: "ReLU" bottom: "l" top: "x" }',
        "no layers that can be computed; layer l, line 2, a EuclideanLoss, is only for training",
    ),
    "data of no size": (
        'layer { name: "d" type: "HDF5Data" top: "data" }\nlayer { type: "ReLU" bottom: "data" top: "x" }',
        "layer d, line 1, a HDF5Data, gives no shape; write it as an Input",
    ),
    "a blob twice": (
        INPUT + 'layer { name: "a" type: "ReLU" bottom: "data" top: "x" }\n'
        'layer { name: "b" type: "TanH" bottom: "data" top: "x" }',
        "line 3: layer b writes blob x, which is already written",
    ),
    "a top without a name": (
        INPUT + 'layer { name: "a" type: "ReLU" bottom: "data" top: "" }',
        "without a name",
    ),
    "no type": (INPUT + 'layer { name: "a" bottom: "data" top: "x" }', "line 2: layer a has no type"),
    "both formats": (INPUT + "layer { }\nlayers { }", "line 3: the file has both layer and layers"),
    "the oldest format": (
        INPUT + 'layers { layer { name: "conv1" type: "conv" num_output: 4 } bottom: "data" top: "x" }',
        "line 2: this layer is in the V0 format of 2013",
    ),
    "an old type in quotes": (INPUT + 'layers { type: "RELU" }', 'type has no value; found "RELU"'),
    "a new type without": (INPUT + "layer { type: RELU }", "type takes a string in quotes; found RELU"),
    "a misspelt field": (
        INPUT + 'layer { type: "Pooling" pooling_param {\nkernel_sise: 3 } }',
        "line 3: unknown field kernel_sise; did you mean kernel_size",
    ),
    "a shape too few": ('input: "a" input: "b" input_shape { dim: 1 }', "2 inputs have 1 shapes"),
    "sizes too few": ('input: "a" input_dim: 1 input_dim: 3', "1 inputs have 1 shapes"),
    "no shape": ('input: "a"', "input a has no shape"),
    "a size of nothing": ('input: "a" input_shape { dim: 1 dim: 0 }', "input a has the shape 1 x 0"),
    "an input twice": (INPUT + INPUT, "blob data is written twice"),
    "a caffemodel": (b"\x0a\x00\x00", "is not a text file; give the prototxt first"),
    "too much": (b"#" * (9 << 20), "is too large for a prototxt"),
}


@pytest.mark.parametrize("name", WRONG_TEXTS)
def test_a_wrong_prototxt(net, name):
    source, message = WRONG_TEXTS[name]
    assert message in error_of(net, source)


HUGE = varint(4) + varint(1 << 40)
WRONG_MODELS = {
    "empty": (b"", "is empty; download it again"),
    "another layer's": ({"conv_1": WEIGHTS["conv1"]}, "needs 2 arrays of weights; caffemodel"),
    "a similar name": ({"conv_1": WEIGHTS["conv1"]}, "has none under that name; did you mean conv_1?"),
    "no bias": (
        {"conv1": WEIGHTS["conv1"][:1]},
        "layer conv1, line 4, a Convolution, needs 2 arrays of weights;",
    ),
    "no bias, as found": ({"conv1": WEIGHTS["conv1"][:1]}, "has 1"),
    "no weights": ({"conv1": []}, "has no weights at all"),
    "no layers": (length_field(1, "a network"), "has no layers; give a caffemodel"),
    "a prototxt": (CONV.encode(), "is a prototxt; run: dreamkit convert caffe "),
    "hdf5": (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
    "a zip file": (b"PK\3\4", "is a zip file"),
    "text": (b"404", "is damaged or not a Caffe file"),
    "a page": (b"<html>404</html>", "is an HTML page"),
    "the oldest format": (
        length_field(2, length_field(1, length_field(1, "conv1"))),
        "is in the V0 format of 2013",
    ),
    "cut off": (caffemodel(WEIGHTS)[:-1], "bytes left"),
    "fewer numbers than its shape": (
        length_field(
            100,
            length_field(1, "conv1")
            + length_field(7, length_field(7, length_field(1, HUGE)) + length_field(5, bytes(16)))
            + length_field(7, blob([1.0])),
        ),
        "array 0 of layer conv1 should be 4 x 1099511627776 and has 4 numbers",
    ),
}


@pytest.mark.parametrize("name", WRONG_MODELS)
def test_a_wrong_caffemodel(net, name):
    weights, message = WRONG_MODELS[name]
    assert message in error_of(net, CONV, weights)


def test_missing_files(tmp_path, net):
    with pytest.raises(ConvertError, match="cannot read prototxt .*No such file"):
        read_net(tmp_path / "none", None)
    with pytest.raises(ConvertError, match="is a folder; give the prototxt of a Caffe network"):
        read_net(tmp_path, None)
    net(CONV)
    with pytest.raises(ConvertError, match="cannot read caffemodel"):
        read_net(tmp_path / "net.prototxt", tmp_path / "none")
    with pytest.raises(ConvertError, match="is a folder; give a caffemodel"):
        read_net(tmp_path / "net.prototxt", tmp_path)


def test_control_characters_in_a_file_do_not_reach_an_error_message(net):
    name = "a\\n\\033[31m" + "x" * 500
    message = error_of(net, INPUT + f'layer {{ name: "{name}" type: "ReLU" bottom: "{name}" top: "x" }}')
    assert "\x1b" not in message


# --------------------------------------------------------------------------------------- mutated files

EVERYTHING = CONV + "".join(
    f'layer {{ name: "{kind}" type: "{kind}" bottom: "pool1" top: "{kind}" {param} {{ }} }}\n'
    for kind, param in schema.PARAM_FIELDS.items()
    if param
    and kind not in ("Convolution", "Deconvolution", "InnerProduct", "BatchNorm", "PReLU", "Bias", "Scale")
    and "Data" not in kind
    and kind != "Input"
)


def peak_memory():
    """The most memory that this process has used, in bytes."""
    resource = pytest.importorskip("resource")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def damaged(data, draw):
    """A prototxt or a caffemodel with random changes."""
    numbers = [varint(1 << draw.randrange(64)), b"9" * 5000, b"\xff" * 11]
    return mutated(data, draw, numbers, [b"{", b"x_param{", b"[", b"}", b'"', b"\x0b", b"\x0c", b"\x0d\x0d"])


@pytest.mark.heavy
def test_mutated_files_are_errors_or_read_in_little_memory(net, tmp_path):
    draw = random.Random(0)
    models = [
        caffemodel(WEIGHTS, form=form, v1=v1) for form in ("packed", "unpacked", "legacy") for v1 in (0, 1)
    ]
    texts = [CONV.encode(), V1.encode(), EVERYTHING.encode()]
    successes, messages = 0, []
    net(EVERYTHING, models[0])
    before = peak_memory()
    for turn in range(2000):
        text, model = draw.choice(texts), draw.choice(models)
        text, model = (damaged(text, draw), None) if turn % 2 else (text, damaged(model, draw))
        try:
            net(text, model)
            successes += 1
        except ConvertError as error:
            messages.append(str(error))
    assert peak_memory() - before < 32 << 20
    assert not any("\n" in message for message in messages)
    assert 100 < successes < 1900  # some mutations are harmless and some are fatal


def test_a_mean_image_is_averaged_by_channel(tmp_path):
    image = np.arange(2 * 3 * 4, dtype=np.float32).reshape(1, 2, 3, 4)
    for form in ("packed", "unpacked", "double", "legacy"):
        (tmp_path / "mean.binaryproto").write_bytes(blob(image, form=form))
        assert read_mean(tmp_path / "mean.binaryproto") == (5.5, 17.5)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty; download it again"),
        (length_field(5, b""), "holds an array of 0; give one image"),
        (b"name: 'net'", "is damaged or not a Caffe file"),
        (blob(np.zeros((2, 3, 4, 4))), "holds an array of 2 x 3 x 4 x 4; give one image"),
        (blob(np.zeros((3, 4, 4)))[:-4], "is damaged or not a Caffe file"),
        (
            length_field(7, length_field(1, b"\xff\xff\xff\xff\x0f\x03")) + length_field(5, b"abcd"),
            "has 1 numbers",
        ),
    ],
)
def test_a_wrong_mean_image_is_an_error_in_one_line(data, message, tmp_path):
    (tmp_path / "mean.binaryproto").write_bytes(data)
    with pytest.raises(ConvertError, match=message) as wrong:
        read_mean(tmp_path / "mean.binaryproto")
    assert "\n" not in str(wrong.value)


LARGE = 100_000
LONG = {
    "digits": b"name: " + b"9" * LARGE + b"x",
    "dots": b"input_dim: " + b".1" * LARGE,
    "exponents": b"input_dim: " + b"1e" * LARGE,
    "spaces": b" " * LARGE + b"@",
    "comments": b"#\n" * LARGE + b"@",
    "an open string": b'name: "' + b"\\'" * LARGE,
    "strings": b"name: " + b'"a"' * LARGE,
    "names": b"a" * LARGE,
    "skipped fields": b"layer { x_param { " + b"".join(b"a%d: 1 " % n for n in range(LARGE // 8)),
    "messages": b"layer { x_param {" + b"a{}" * LARGE,
    "nesting": b"layer { x_param {" + b"a{" * LARGE,
    "brackets": b"input: " + b"[" * LARGE,
    "layers": INPUT.encode() + b'layer{type:"ReLU" bottom:"data" top:"data"}' * (LARGE // 40),
}
WIRES = {
    "messages": length_field(100, b"") * LARGE,
    "arrays": length_field(100, length_field(1, "conv1") + length_field(7, b"") * LARGE),
    "alternating": length_field(
        100,
        length_field(1, "conv1")
        + length_field(7, (varint(45) + b"abcd" + varint(53) + b"abcd") * (LARGE // 8)),
    ),
    "groups": varint(9 << 3 | 3) * LARGE,
    "axes": length_field(
        100,
        length_field(1, "conv1")
        + length_field(7, length_field(7, length_field(1, b"\1" * LARGE)) + length_field(5, b"abcd")),
    ),
    "skipped fields": varint_field(50, 1) * LARGE,
}


def test_the_number_of_values_is_limited(net, monkeypatch):
    monkeypatch.setattr(protobuf, "MAX_VALUES", 20)
    assert "more than 20 values; this does not describe a network" in error_of(net, CONV)
    assert "more than 20 values besides the weights" in error_of(wire, varint_field(3, 1) * 21)


@contextmanager
def memory_below(limit):
    """Fails if the block allocates `limit` bytes or more at a time."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit


# A reader whose time is not proportional to the length would take minutes.
@pytest.mark.heavy
@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", LONG)
def test_the_time_for_a_long_text_is_proportional_to_its_length(net, name):
    with memory_below(128 << 20):
        error_of(net, LONG[name] + b" @")


@pytest.mark.heavy
@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", WIRES)
def test_the_time_for_a_long_file_is_proportional_to_its_length(net, name):
    with memory_below(128 << 20):
        error_of(net, CONV, WIRES[name])


def test_large_weights_are_copied_once(tmp_path, net):
    kernel = np.zeros((512, 64, 16, 16), np.float32)  # 32 MB
    text = INPUT.replace("dim: 3", "dim: 64") + CONV[CONV.index("layer") :].replace(
        "num_output: 4", "num_output: 512"
    )
    net(text, {"conv1": [kernel, np.zeros(512)]})
    with memory_below(1.1 * kernel.nbytes):
        kept, _ = read_net(tmp_path / "net.prototxt", tmp_path / "net.caffemodel").layers[0].weights
    assert kept.shape == kernel.shape
