import types

import numpy as np
from support import recipe_models

import keras_dc as dc
from keras_dc.recipe.journal import Journal
from keras_dc.recipe.settings import Settings
from keras_dc.recipe.stages import Shared
from keras_dc.recipe.trimming import _least, trimmed


def stages_of(model):
    return types.SimpleNamespace(
        settings=Settings(),
        journal=Journal(None, {}),
        judge=types.SimpleNamespace(score=lambda logs: logs, of_file=lambda tflite: 0.5),
        plain=lambda pruned, shared: dc.strip(model),
        convert=lambda model: dc.convert(model, verify=False),
    )


def test_the_smallest_weights_go_until_it_fits():
    model = dc.strip(dc.share_weights(recipe_models.classifier(), 8))
    whole = dc.convert(model, verify=False)
    shared = Shared("share", whole, model.get_weights(), 0.9, 8, 0, {})
    found = trimmed(stages_of(model), None, shared, len(whole))
    assert found.size_bytes <= len(whole)
    assert found.score == 0.5
    before, after = model.get_weights()[0], found.weights[0]
    gone = (before != 0) & (after == 0)
    np.testing.assert_array_equal(after[~gone], before[~gone])
    assert np.abs(before[gone]).max(initial=0) <= np.abs(after[after != 0]).min()


def test_what_cannot_fit_is_left():
    model = dc.strip(dc.share_weights(recipe_models.classifier(), 8))
    shared = Shared("share", b"", model.get_weights(), 0.9, 8, 0, {})
    stages = stages_of(model)
    stages.convert = lambda model: bytes(200)
    assert trimmed(stages, None, shared, 199) is None


def test_no_more_goes_than_must():
    for needed in (0.004, 0.03, 0.16):
        share, found = _least(lambda share, needed=needed: share if share >= needed else None)
        assert found == share
        assert needed <= share <= needed + 0.04 / 16
    assert _least(lambda share: None) == (None, None)
