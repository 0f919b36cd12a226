"""`keras-dc benchmark`."""

import click

from keras_dc.cli import answers, files


@answers.command(
    "benchmark",
    options=[
        click.argument("first", type=files.INPUT, metavar="A"),
        click.argument("second", type=files.INPUT, metavar="[B]", required=False),
        click.option(
            "--threads",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="Threads of the runtime.",
        ),
        files.SAMPLES_OPTION,
        files.RUNTIME_OPTION,
        click.option(
            "--low-memory",
            is_flag=True,
            help="Decode weights at every invoke instead of keeping them decoded.",
        ),
        click.option("--batch-size", type=click.IntRange(min=1), help="Examples at once."),
        click.option(
            "--seconds",
            type=click.FloatRange(min=0, min_open=True),
            default=2.0,
            show_default=True,
            help="About how long each file is run.",
        ),
        click.option("--repeats", type=click.IntRange(min=1), help="Exactly so many invokes."),
    ],
)
def benchmark(first, second, threads, samples, runtime, low_memory, batch_size, seconds, repeats):
    """Measure how fast a .tflite file runs and loads, and what memory it takes; or two files.

    p50 is the median time of an invoke in milliseconds, p90 what nine of ten take at most. load
    is the time until the interpreter is ready. memory is what loading and one invoke add to the
    process, peak the most at any time. Each file has a process of its own; two files run by
    turns, so that other work of the machine hits both. Inputs are random without --samples, of
    which the first batch is taken. TensorFlow is not needed.

    Examples:
      keras-dc benchmark model.tflite small.tflite
      keras-dc benchmark small.tflite --threads 4 --low-memory --json
    """
    for path in (first, second):
        if path is not None:
            files.check_tflite(path)
    inputs, _ = files.load_samples(samples)
    import keras_dc

    found = keras_dc.benchmark(
        first,
        second,
        inputs,
        num_threads=threads,
        runtime=runtime,
        low_memory=low_memory,
        batch_size=batch_size,
        seconds=seconds,
        repeats=repeats,
    )
    text = [str(found)]
    values = found.to_dict()
    if second is not None:
        values["speedup"] = found.rows[0].p50_ms / found.rows[1].p50_ms
        text.append(f"{second.name} is {values['speedup']:.2f} times as fast as {first.name}")
    return answers.Answer(values, text)
