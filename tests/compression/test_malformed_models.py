"""Models that parse and are wrong end in the documented errors, whatever is wrong."""

import numpy as np
import pytest
from support import float16_models, sparse_models, tiny_models
from support.mutants import mutants

import keras_dc as dc
from keras_dc import errors

BUILDERS = [
    tiny_models.mlp,
    tiny_models.conv_net,
    tiny_models.int4,
    tiny_models.lookup,
    tiny_models.mixed_readers,
    tiny_models.quantized,
    tiny_models.shared_weights,
    tiny_models.two_subgraphs,
    sparse_models.densified,
    sparse_models.densified_float16,
    sparse_models.densified_float16_table,
    sparse_models.densified_twice,
    float16_models.embedding,
    float16_models.read_by_two_ops,
    float16_models.small_bias,
    sparse_models.read_directly,
]
FUNCTIONS = {
    "compress": dc.compress,
    "expand": dc.expand,
    "inspect": dc.inspect,
    "report": lambda content: str(dc.compress(content, return_report=True)[1]),
    "cluster": lambda content: dc.compress(content, num_clusters=4),
}


def outcome(function, content):
    """Whether a model is taken; other errors than the documented ones are not caught."""
    try:
        function(content)
    except errors.KerasDcError:
        return False
    except ValueError as error:
        if "Received: " not in str(error):
            raise
        return False
    return True


def check_mutants(build, count):
    graph = build()
    plain = (graph[0] if isinstance(graph, tuple) else graph).serialize()
    taken = [
        outcome(function, mutant)
        for content in (plain, dc.compress(plain))
        for mutant in mutants(content, np.random.default_rng(0), count)
        for function in FUNCTIONS.values()
    ]
    # Some changes are harmless, and some are not.
    assert 0 < sum(taken) < len(taken)


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_documented_errors_alone(build):
    check_mutants(build, 12)


@pytest.mark.slow
@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_documented_errors_alone_for_many(build):
    check_mutants(build, 420)
