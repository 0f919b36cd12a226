import keras  # noqa: F401 (first: keras_dc registers its layers with it)
import pytest

from keras_dc.recipe.allocation import CodedSizes
from keras_dc.recipe.choosing import clusters_for, with_clusters_for

SIZES = CodedSizes({"fc": 100_000}, 8, factor=1.0, other_bytes=0)


@pytest.mark.parametrize(
    ("density", "clusters"), [(0.01, 8), (0.06, 8), (0.1, 16), (0.2, 16), (0.5, 32), (1.0, 32)]
)
def test_dense_layers_get_more_clusters(density, clusters):
    assert clusters_for(density) == clusters


@pytest.mark.parametrize(("size", "clusters"), [(2_000, 8), (10_000, 16), (40_000, 32)])
def test_a_size_tells_the_clusters(size, clusters):
    # Of 100,000 weights 2,000 bytes keep 1 %, 10,000 bytes some 12 %.
    assert with_clusters_for(SIZES, size).num_clusters == clusters
