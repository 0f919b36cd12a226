"""A small classifier that can be learned in seconds, and one run of the recipe on it."""

import pytest
from support import recipe_models

import keras_dc as dc


@pytest.fixture(scope="session")
def trained():
    """A trained model that no test changes."""
    return recipe_models.trained_classifier()


@pytest.fixture(scope="session")
def small_run(trained):
    """(the weights of `trained` before the run, the `Result` of a run on it)."""
    before = trained.get_weights(), trained.optimizer.get_config()
    return before, dc.deep_compress(trained, *recipe_models.data(), **recipe_models.QUICK)
