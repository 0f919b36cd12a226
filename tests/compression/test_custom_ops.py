import pytest
from support.tiny_models import conv_net, mlp

from keras_dc.compression import custom_ops
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
