"""Runs models in a process of its own per runtime.

The runtimes cannot all live in one process (tflite-runtime fails where TensorFlow was
loaded before), and a crash of one must fail a test, not end the session.
"""

import concurrent.futures
import ctypes
import importlib
import multiprocessing
import os
import signal
import threading

import numpy as np

MODULES = {
    "litert": "ai_edge_litert.interpreter",
    "tflite_runtime": "tflite_runtime.interpreter",
    "tensorflow": "tensorflow.lite",
}


class RuntimeProcess:
    """A process for `runtime` that has `library` as its op library."""

    def __init__(self, runtime, library):
        context = multiprocessing.get_context("spawn")
        self._pool = concurrent.futures.ProcessPoolExecutor(1, mp_context=context)
        self._place = runtime, library

    def __call__(self, function, *args, **options):
        """The result of `function(runtime, library, *args, **options)` over there."""
        return self._pool.submit(function, *self._place, *args, **options).result()

    def close(self):
        self._pool.shutdown()


def classes(runtime):
    """(Interpreter, load_delegate) of a runtime."""
    if runtime == "tensorflow":
        import tensorflow as tf

        return tf.lite.Interpreter, tf.lite.experimental.load_delegate
    module = importlib.import_module(MODULES[runtime])
    return module.Interpreter, module.load_delegate


def _open(runtime, library, model, delegate=None, resolver=None, **options):
    interpreter_class, load_delegate = classes(runtime)
    delegates = [] if library is None else [delegate or load_delegate(library)]
    if resolver is not None:
        types = importlib.import_module(interpreter_class.__module__).OpResolverType
        options["experimental_op_resolver_type"] = types[resolver]
    return interpreter_class(model_content=model, experimental_delegates=delegates, **options)


def _feed(interpreter, inputs):
    details = interpreter.get_input_details()
    for detail, values in zip(details, inputs, strict=True):
        interpreter.resize_tensor_input(detail["index"], values.shape)
    interpreter.allocate_tensors()
    for detail, values in zip(details, inputs, strict=True):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def run(runtime, library, model, *feeds, **options):
    """The outputs of one interpreter for each feed (a list of input arrays) in turn.

    `options` are the Interpreter's; `resolver` is the name of an OpResolverType.
    """
    interpreter = _open(runtime, library, model, **options)
    return [_feed(interpreter, inputs) for inputs in feeds]


def count_delegates(runtime, library, model):
    """How many nodes of delegates the runtime made of a model."""
    interpreter = _open(runtime, library, model)
    interpreter.allocate_tensors()
    return [detail["op_name"] for detail in interpreter._get_ops_details()].count("DELEGATE")


def count_delegates_of_the_runtime(runtime, _library, model):
    """As `count_delegates`, without the op library."""
    return count_delegates(runtime, None, model)


def run_with_options(runtime, library, delegate_options, model, *feeds):
    """As `run`, with options for the delegate."""
    _, load_delegate = classes(runtime)
    interpreter = _open(runtime, library, model, load_delegate(library, delegate_options))
    return [_feed(interpreter, inputs) for inputs in feeds]


def run_after_damage(runtime, library, delegate_options, model, begin, size, inputs):
    """The outputs, where `size` bytes of the model from `begin` on are zero after allocation.

    Weights that are kept decoded give the right outputs; those that are decoded at every
    invoke give an error: its text is returned.
    """
    _, load_delegate = classes(runtime)
    held = bytes(bytearray(model))
    interpreter = _open(runtime, library, held, load_delegate(library, delegate_options))
    interpreter.allocate_tensors()
    for detail, values in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], values)
    # The runtimes read the bytes where they lie.
    address = np.frombuffer(held, np.uint8).ctypes.data
    ctypes.memset(address + begin, 0, size)
    try:
        interpreter.invoke()
    except (RuntimeError, ValueError) as error:
        return str(error)
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def run_plain(runtime, _library, model, *feeds, **options):
    """As `run`, without the op library."""
    return run(runtime, None, model, *feeds, **options)


def run_signature(runtime, library, model, key, inputs):
    """The outputs of a signature by name."""
    return _open(runtime, library, model).get_signature_runner(key)(**inputs)


def allocation_error(runtime, library, model):
    """What `allocate_tensors` raises, as text; None if it raises nothing."""
    try:
        _open(runtime, library, model).allocate_tensors()
    except (RuntimeError, ValueError) as error:
        return str(error)
    return None


def interpreter_error(runtime, _library, model):
    """What keras_dc's own Interpreter raises, as text; None if it raises nothing."""
    import keras_dc

    try:
        keras_dc.Interpreter(model_content=model, runtime=runtime).allocate_tensors()
    except (RuntimeError, ValueError) as error:
        return str(error)
    return None


def running_error(runtime, library, model):
    """What `allocate_tensors` or `invoke` raises, as text; None if they raise nothing."""
    try:
        interpreter = _open(runtime, library, model)
        interpreter.allocate_tensors()
        interpreter.invoke()
    except (RuntimeError, ValueError) as error:
        return str(error)
    return None


def fatal_signals(runtime, library, models, *, seconds=20):
    """The signal that each model kills a process with, 0 for none: list of int.

    Each model is opened, allocated and invoked in a fork of this process, which may last
    for `seconds`. `library` may be None.
    """
    classes(runtime)
    return [_fatal_signal(runtime, library, model, seconds) for model in models]


def fatal_signals_of_the_runtime(runtime, _library, models):
    """As `fatal_signals`, without the op library."""
    return fatal_signals(runtime, None, models)


def _fatal_signal(runtime, library, model, seconds):
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(seconds)
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            interpreter = _open(runtime, library, model)
            interpreter.allocate_tensors()
            interpreter.invoke()
            del interpreter
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return 0 if code == signal.SIGALRM else code


def option_error(runtime, library, options):
    """What `load_delegate` raises for these options, as text."""
    _, load_delegate = classes(runtime)
    try:
        load_delegate(library, options)
    except (RuntimeError, ValueError) as error:
        return str(error)
    return None


def run_interleaved(runtime, library, models, feeds):
    """Interpreters of several models alive at once, one delegate for all, fed in turn."""
    _, load_delegate = classes(runtime)
    delegate = load_delegate(library)
    interpreters = [_open(runtime, library, model, delegate) for model in models]
    results = [[] for _ in models]
    for inputs in feeds:
        for interpreter, outputs in zip(interpreters, results, strict=True):
            outputs.append(_feed(interpreter, inputs))
    return results


def run_in_sequence(runtime, library, models, inputs):
    """Interpreters opened and closed one after the other, one delegate for all."""
    _, load_delegate = classes(runtime)
    delegate = load_delegate(library)
    return [_feed(_open(runtime, library, model, delegate), inputs) for model in models]


def run_in_threads(runtime, library, model, feeds, repeats):
    """An interpreter per thread, a thread per feed; the last outputs of each."""
    results = [None] * len(feeds)

    def work(i):
        for _ in range(repeats):
            interpreter = _open(runtime, library, model)
            for _ in range(repeats):
                results[i] = _feed(interpreter, feeds[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(feeds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def read_after_resize(runtime, library, model, tensor_index, shape):
    """Tensor `tensor_index` as read after allocation and after a resize and allocation."""
    interpreter = _open(runtime, library, model)
    values = []
    for _ in range(2):
        interpreter.allocate_tensors()
        values.append(interpreter.get_tensor(tensor_index))
        interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], shape)
    return values


def compress(runtime, _library, model, samples, **options):
    """`keras_dc.compress` of a model from samples, which the runtime runs on them."""
    import keras_dc

    return bytes(keras_dc.compress(model, samples=samples, runtime=runtime, **options))
