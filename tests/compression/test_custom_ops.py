import pytest
from support.tiny_models import conv_net, mlp

from keras_dc.compression import custom_ops
from keras_dc.errors import ModelFormatError
from keras_dc.tflite.graph import Graph, OpRef


def form(graph, version):
    graph.model.operatorCodes[0].version = version
    return custom_ops.fused_form(Graph(graph.model), OpRef(0, 0))


@pytest.mark.parametrize("make", [mlp, conv_net])
@pytest.mark.parametrize("version", [1, 2, 256])
def test_a_fused_form_remembers_the_version(make, version):
    fused = form(make(), version)
    code, _, options = custom_ops.builtin_form(fused.name, fused.custom_options)
    assert code.version == version
    assert vars(options) == vars(make().subgraph.operators[0].builtinOptions)


@pytest.mark.parametrize("make", [mlp, conv_net])
@pytest.mark.parametrize("version", [-1, 0, 257])
def test_versions_that_a_byte_does_not_hold_have_no_fused_form(make, version):
    assert form(make(), version) is None


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (custom_ops.FULLY_CONNECTED, b"\xff"),
        (custom_ops.FULLY_CONNECTED, b"\x06\x00\x00"),
        (custom_ops.CONV_2D, b"\x05"),
        (custom_ops.CONV_2D, b"\x00\x02"),
    ],
)
def test_options_that_no_op_has_are_refused(name, options):
    with pytest.raises(ModelFormatError, match=f"{name}.*Received: {options.hex()}00"):
        custom_ops.builtin_form(name, options)
