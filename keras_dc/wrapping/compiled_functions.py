"""Functions of tensors that run as one where running them op by op takes its time."""

import functools

import keras


def compiled_on_jax(*static):
    """Decorator: JAX compiles the function; on other backends it runs as it is.

    JAX takes a tenth of a millisecond and more to start an operation outside of a compiled
    function, on a GPU as long as the operation itself takes for millions of values.

    Args:
        *static: str, names of keyword arguments that are no tensors. For others of their
            values, and for tensors of another shape or dtype, it is compiled anew.
    """

    def decorate(function):
        @functools.cache
        def compiled():
            import jax

            return jax.jit(function, static_argnames=static)

        @functools.wraps(function)
        def call(*args, **kwargs):
            on_jax = keras.backend.backend() == "jax"
            return (compiled() if on_jax else function)(*args, **kwargs)

        return call

    return decorate
