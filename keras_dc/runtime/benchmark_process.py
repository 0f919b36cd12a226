"""The process in which `benchmark` loads and runs one file.

It reads a JSON object a line and answers with one: first what to load, then how often to
invoke, at last "finish". Nothing else is in the process but the runtime, so that what the
memory grows by is the model's.
"""

import functools
import json
import os
import sys
import time
import warnings

import numpy as np

from keras_dc.runtime.batches import Batcher
from keras_dc.runtime.interpreter import Interpreter, import_runtime
from keras_dc.runtime.program import Program
from keras_dc.runtime.sample_inputs import open_sizes, random_sample
from keras_dc.support import machine

_MOST_TRIES = 8
# In a file of samples, the name of an array that was given without one.
ONE_ARRAY = "keras_dc_array"


def load(request):
    """Make an interpreter that is ready, and invoke it once.

    Args:
        request: dict of `path`, `runtime`, `num_threads`, `low_memory`, `batch_size` and
            `samples`, the path of an .npz file or None.

    Returns:
        tuple `(interpreter, milliseconds, (resident bytes before, now))`.
    """
    import_runtime(request["runtime"])
    machine.forget_peak()
    before, _ = machine.resident_bytes()
    make = functools.partial(
        Interpreter,
        request["path"],
        runtime=request["runtime"],
        num_threads=request["num_threads"],
        low_memory=request["low_memory"],
    )
    failure = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf.lite warns that it is deprecated
        for place in range(_MOST_TRIES):
            begin = time.perf_counter()
            interpreter = make()
            made_ms = 1e3 * (time.perf_counter() - begin)
            specs, indices = _inputs_of(interpreter)
            samples = list(_samples(specs, request))
            try:
                ready_ms = _prepare(interpreter, specs, indices, samples[place])
                interpreter.invoke()
            except (RuntimeError, ValueError) as error:
                failure = failure or error
                if place + 1 == len(samples):
                    break
                continue
            return interpreter, made_ms + ready_ms, (before, machine.resident_bytes()[0])
    inputs = "random inputs; give `samples`" if request["samples"] is None else "the samples"
    raise RuntimeError(f"the runtime cannot run the model on {inputs}: {failure}")


def _inputs_of(interpreter):
    """The InputSpecs, and the index of each by name.

    The program goes at once: as long as its signature's runner lives, an interpreter refuses
    to allocate.
    """
    program = Program.main(interpreter)
    return program.inputs, program.input_indices


def _prepare(interpreter, specs, indices, sample):
    """Allocate the tensors for a sample and set it; the milliseconds that allocating takes."""
    begin = time.perf_counter()
    for spec in specs:
        if sample[spec.name].shape != tuple(abs(size) for size in spec.shape):
            interpreter.resize_tensor_input(indices[spec.name], sample[spec.name].shape)
    interpreter.allocate_tensors()
    milliseconds = 1e3 * (time.perf_counter() - begin)
    for name, values in sample.items():
        interpreter.set_tensor(indices[name], values)
    return milliseconds


def _samples(specs, request):
    """Yield the inputs to try: the user's, or random ones for each size of open axes."""
    batch_size = request["batch_size"]
    if request["samples"] is not None:
        is_open = any(spec.shape[:1] == (-1,) for spec in specs)
        with np.load(request["samples"]) as arrays:
            given = {name: arrays[name] for name in arrays.files}
        given = given[ONE_ARRAY] if set(given) == {ONE_ARRAY} else given
        batcher = Batcher([specs], batch_size or (1 if is_open else None))
        yield next(batcher.batches(given))[0][0]
        return
    for open_size in open_sizes(specs):
        rng = np.random.default_rng(0)
        sample = random_sample(specs, num_rows=2, open_size=open_size, rng=rng)
        yield {
            name: np.resize(values, (batch_size or values.shape[0], *values.shape[1:]))
            if values.ndim
            else values
            for name, values in sample.items()
        }


def invoke(interpreter, count):
    """Invoke so many times; a list of nanoseconds."""
    found = []
    for _ in range(count):
        begin = time.perf_counter_ns()
        interpreter.invoke()
        found.append(time.perf_counter_ns() - begin)
    return found


def memory_figures(before, after, peak):
    """What the memory grew by, from resident bytes, or None where they are not known."""
    if before is None or peak is None:
        return {"memory_bytes": None, "peak_memory_bytes": None}
    added = max(after - before, 0)
    # Linux counts the peak a little later than the memory.
    return {"memory_bytes": added, "peak_memory_bytes": max(peak - before, added)}


def main():
    # What the runtime prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value):
        print(json.dumps(value), file=answers, flush=True)

    try:
        interpreter, milliseconds, resident = load(json.loads(sys.stdin.readline()))
        answer({"load_ms": milliseconds})
        for line in sys.stdin:
            request = json.loads(line)
            if request == "finish":
                break
            answer(invoke(interpreter, request))
        before, after = resident
        answer(memory_figures(before, after, machine.resident_bytes()[1]))
    except Exception as error:
        answer({"error": f"{type(error).__name__}: {error}"})
