"""Where the step comes from: loops of one's own, with any optimizer or none, and GANs."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.dense_models import X, Y, dense_model
from support.own_loops import train_step

import keras_dc as dc
from keras_dc.training.pruning import PrunedLayer, sparsity_of
from keras_dc.wrapping.layer_tree import layers_of_class

BACKEND = keras.backend.backend()
SCHEDULE = dc.PolynomialDecay(0.0, 0.8, begin_step=0, end_step=20, frequency=2)


def pruned_model(schedule=SCHEDULE, **options):
    return dc.prune(dense_model(), schedule, **options)


def sparsity(model):
    return sparsity_of(layers_of_class(model, PrunedLayer))


def driven(model, callback=None, *, steps, optimizer=None):
    """`steps` steps by the README's two lines; gives the sparsity after each."""
    optimizer = keras.optimizers.Adam(0.01) if optimizer is None else optimizer
    callback = dc.PruningCallback() if callback is None else callback
    callback.set_model(model)
    found = []
    for _ in range(steps):
        callback.on_train_batch_begin(0)
        train_step(model, optimizer, X, Y)
        found.append(sparsity(model))
    return found


@pytest.mark.parametrize("compiled", [False, True])
def test_another_optimizer_than_that_of_the_model_or_none(compiled):
    model = pruned_model()
    if compiled:
        model.compile("adam", "mse")
    found = driven(model, steps=22)
    # At step 10, halfway: 0.8 - 0.8 / 8. The model has 80 weights.
    assert found[10] == pytest.approx(0.7)
    assert found[9] < found[10]
    assert found[20] == pytest.approx(0.8)
    kernels = [layer.get_weights()[0] for layer in dc.strip(model).layers]
    assert [int(np.count_nonzero(kernel == 0)) for kernel in kernels] == [48, 16]


def test_the_optimizer_of_the_model_counts_where_it_moves():
    model = pruned_model()
    model.compile(keras.optimizers.Adam(0.01, gradient_accumulation_steps=4), "mse")
    model.optimizer.build(model.trainable_variables)
    found = driven(model, steps=42, optimizer=model.optimizer)
    assert found[39] < found[40] == pytest.approx(0.7)


def test_steps_that_a_loop_runs_in_one_call_are_not_missed():
    """The callback sees one batch, the optimizer makes ten steps."""
    model = pruned_model(dc.ConstantSparsity(0.5, begin_step=50, frequency=50))
    model.compile("sgd", "mse")
    callback = dc.PruningCallback()
    callback.set_model(model)
    found = []
    for _ in range(7):
        callback.on_train_batch_begin(0)
        for _ in range(10):
            train_step(model, model.optimizer, X, Y)
        found.append(sparsity(model))
    assert found == [0.0] * 5 + [0.5] * 2


def test_the_step_can_be_given():
    model, optimizer = pruned_model(), keras.optimizers.Adam(0.01)
    found = driven(
        model, dc.PruningCallback(step=lambda: optimizer.iterations), optimizer=optimizer, steps=22
    )
    assert found[20] == pytest.approx(0.8)
    model = pruned_model()
    assert driven(model, dc.PruningCallback(step=lambda: 10), steps=3) == pytest.approx([0.7] * 3)


@pytest.mark.parametrize(
    ("step", "message"),
    [(7, "Received: step=7"), (lambda: "x", "Received: step.*'x'"), (lambda: -1, "step.*=-1")],
)
def test_a_step_that_is_none_is_refused(step, message):
    with pytest.raises((TypeError, ValueError), match=message):
        driven(pruned_model(), dc.PruningCallback(step=step), steps=1)


def test_a_loop_that_begins_no_step_is_an_error():
    model = pruned_model()
    dc.PruningCallback().set_model(model)
    callback = dc.PruningCallback()
    callback.set_model(model)
    with pytest.raises(RuntimeError, match="`on_train_batch_begin"):
        train_step(model, keras.optimizers.SGD(), X, Y)


@pytest.mark.parametrize("compiled", [False, True])
def test_short_runs_with_new_callbacks_add_up(compiled):
    """Each is shorter than the frequency of the schedule."""
    model = pruned_model(dc.ConstantSparsity(0.5, begin_step=10))
    if compiled:
        model.compile("sgd", "mse")
    found = [driven(model, steps=4)[-1] for _ in range(4)]
    assert found == [0.0, 0.0, 0.5, 0.5]


def test_the_callbacks_of_keras_in_a_loop_of_ones_own():
    model, optimizer = pruned_model(), keras.optimizers.Adam(0.01)
    callbacks = keras.callbacks.CallbackList([dc.PruningCallback()], model=model)
    callbacks.on_train_begin()
    for epoch in range(3):
        callbacks.on_epoch_begin(epoch)
        for batch in range(8):
            callbacks.on_train_batch_begin(batch)
            train_step(model, optimizer, X, Y)
            callbacks.on_train_batch_end(batch)
        callbacks.on_epoch_end(epoch)
    callbacks.on_train_end()
    assert sparsity(model) == pytest.approx(0.8)


def test_weights_are_reassigned_in_any_loop():
    shared = dc.share_weights(dense_model(), 4, reassign_frequency=2)
    before = [ops.convert_to_numpy(layer.indices[0]) for layer in shared.layers]
    callback = dc.WeightSharingCallback()
    callback.set_model(shared)
    optimizer = keras.optimizers.Adam(0.05)
    for _ in range(12):
        callback.on_train_batch_begin(0)
        train_step(shared, optimizer, X, Y)
    after = [ops.convert_to_numpy(layer.indices[0]) for layer in shared.layers]
    assert any(not np.array_equal(old, new) for old, new in zip(before, after))


def test_a_call_inside_of_a_compiled_function_is_an_error():
    callback = dc.PruningCallback()
    callback.set_model(pruned_model())

    def step(x):
        callback.on_train_batch_begin(0)
        return x

    if BACKEND == "tensorflow":
        import tensorflow as tf

        compiled = tf.function(step)
    elif BACKEND == "jax":
        import jax

        compiled = jax.jit(step)
    else:
        pytest.skip("torch runs it at each step")
    with pytest.raises(RuntimeError, match="outside of compiled functions"):
        compiled(ops.ones(3))


# GANs


class Gan(keras.Model):
    """Two nets with an optimizer each, as in the examples of keras.io."""

    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator

    def compile(self, own, other):
        super().compile()
        self.own, self.other = own, other

    def call(self, x):
        return self.discriminator(self.generator(x))

    def train_step(self, data):
        train_step(self.discriminator, self.other, self.generator(data, training=True), data)
        train_step(self.generator, self.own, data, data)
        return {"zero": ops.zeros(())}


@pytest.mark.skipif(BACKEND == "jax", reason="on JAX a train step carries its variables itself")
@pytest.mark.parametrize("options", [{}, {"step": True}])
def test_a_gan_with_two_optimizers_of_its_own(options):
    nets = [keras.Sequential([keras.Input((6,)), layers.Dense(6)]) for _ in range(2)]
    schedule = dc.PolynomialDecay(0.0, 0.75, begin_step=0, end_step=20, frequency=1)
    gan = Gan(dc.prune(nets[0], schedule), nets[1])
    gan.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    if options:
        options = {"step": lambda: gan.own.iterations}
    logs = []
    for epochs in (2, 1):
        callbacks = [dc.PruningCallback(**options)]
        history = gan.fit(X, batch_size=8, epochs=epochs, verbose=0, callbacks=callbacks)
        logs += history.history["sparsity"]
    # After 8 steps 0.75 - 0.75 * 0.6 ** 3 = 0.588, of 36 weights.
    assert logs == pytest.approx([21 / 36, 27 / 36, 27 / 36], abs=1 / 36)


# Loops on JAX that carry the values of the variables themselves


def stateless_loop(model, callback, *, steps, begin):
    import jax

    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)
    callback.set_model(model)

    def loss_of(trainable, non_trainable):
        outputs, non_trainable = model.stateless_call(trainable, non_trainable, X, training=True)
        return ops.mean((outputs - Y) ** 2), non_trainable

    @jax.jit
    def step(trainable, non_trainable, moments):
        gradient = jax.value_and_grad(loss_of, has_aux=True)
        (_, non_trainable), gradients = gradient(trainable, non_trainable)
        trainable, moments = optimizer.stateless_apply(moments, gradients, trainable)
        return trainable, non_trainable, moments

    trainable = [variable.value for variable in model.trainable_variables]
    non_trainable = [variable.value for variable in model.non_trainable_variables]
    moments = [variable.value for variable in optimizer.variables]
    for _ in range(steps):
        if begin == "stateless":
            trainable, non_trainable = callback.begin_stateless_step(trainable, non_trainable)
        else:
            callback.on_train_batch_begin(0)
        trainable, non_trainable, moments = step(trainable, non_trainable, moments)
    for variable, value in zip(model.trainable_variables, trainable, strict=True):
        variable.assign(value)
    for variable, value in zip(model.non_trainable_variables, non_trainable, strict=True):
        variable.assign(value)


on_jax = pytest.mark.skipif(BACKEND != "jax", reason="such loops are those of JAX")


@on_jax
@pytest.mark.parametrize("compiled", [False, True])
def test_a_stateless_loop(compiled):
    stateless, stateful = pruned_model(), pruned_model()
    if compiled:
        stateless.compile("adam", "mse")
    stateless_loop(stateless, dc.PruningCallback(), steps=22, begin="stateless")
    assert sparsity(stateless) == pytest.approx(0.8)
    driven(stateful, steps=22)
    for one, other in zip(dc.strip(stateless).get_weights(), dc.strip(stateful).get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@on_jax
def test_a_stateless_loop_of_shared_weights():
    shared = dc.share_weights(dense_model(), 4, reassign_frequency=2)
    before = [ops.convert_to_numpy(layer.indices[0]) for layer in shared.layers]
    stateless_loop(shared, dc.WeightSharingCallback(), steps=20, begin="stateless")
    after = [ops.convert_to_numpy(layer.indices[0]) for layer in shared.layers]
    assert any(not np.array_equal(old, new) for old, new in zip(before, after))


@on_jax
@pytest.mark.parametrize("frequency", [1, 100])
def test_a_stateless_loop_that_no_update_reaches_is_an_error(frequency):
    model = pruned_model(dc.ConstantSparsity(0.5, begin_step=0, frequency=frequency))
    with pytest.raises(RuntimeError, match="begin_stateless_step"):
        stateless_loop(model, dc.PruningCallback(), steps=120, begin="stateful")
