"""Two threads against one, ours and XNNPACK's dense float32, on one layer.

    python tests/benchmarks/threads.py [--repeats N] [--rounds N] [--only KEY ...]

All interpreters of a layer are invoked in turn; a figure is the best of several rounds'
medians, since whatever else runs on the machine takes from two threads first. The JSON has
how many times faster ours is on two threads than on one.
"""

import argparse
import json
import sys

import conv2d
import fully_connected
import kernel_benchmark
import processor
from ai_edge_litert.interpreter import Interpreter
from rich.console import Console
from rich.table import Table

import keras_dc

# Invokes per timing, so that threads are awake as they are inside of a network.
INVOKES = 8
LAYERS = {"fc6_4": fully_connected, "fc_9216_9": fully_connected, "conv3x3_35": conv2d}


def best_seconds(case, repeats, rounds):
    """The least of the rounds' median seconds by (who, threads)."""
    x = kernel_benchmark.input_of(case.plain)
    interpreters = {
        (who, threads): kernel_benchmark.open_interpreter(make, model, threads, x)
        for who, make, model in (
            ("ours", keras_dc.Interpreter, case.compressed),
            ("dense", Interpreter, case.plain),
        )
        for threads in (1, 2)
    }
    for interpreter in interpreters.values():
        kernel_benchmark.check_outputs(interpreter, interpreters["dense", 1])
    medians = [
        kernel_benchmark.seconds_in_turn(interpreters, repeats, invokes=INVOKES)
        for _ in range(rounds)
    ]
    return {key: min(median[key] for median in medians) for key in interpreters}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=31)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="+", choices=LAYERS, default=LAYERS)
    args = parser.parse_args()
    print(processor.line())
    table = Table(title="Threads")
    for column in ["layer", "who", "1 thread ms", "2 threads ms", "faster"]:
        table.add_column(column, justify="left" if column in ("layer", "who") else "right")
    figures = {}
    for key in args.only:
        [case] = LAYERS[key].cases([key])
        seconds = best_seconds(case, args.repeats, args.rounds)
        for who in ("ours", "dense"):
            one, two = seconds[who, 1], seconds[who, 2]
            times = f"{one * 1e3:.3f}", f"{two * 1e3:.3f}", f"{one / two:.2f}x"
            table.add_row(case.label, who, *times)
        figures[key] = round(seconds["ours", 1] / seconds["ours", 2], 2)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
