"""KerasDcFullyConnected against XNNPACK's dense float32 layer.

    python tests/benchmarks/fully_connected.py [--repeats N] [--threads N ...]

Layers of AlexNet and VGG-16 at the paper's densities: random masks, 31 centroids.
Figures are those of one thread: how many times faster than dense float32. The
environment variable KERAS_DC_ISA picks other kernels than the fastest.
"""

import argparse

import kernel_benchmark
from kernel_benchmark import Case, Network

# Key, units, inputs, density, batch.
LAYERS = [
    ("fc6_4", 4096, 25088, 0.04, 1),
    ("fc_9216_9", 4096, 9216, 0.09, 1),
    ("fc_4096_9", 4096, 4096, 0.09, 1),
    ("fc_1000_25", 1000, 4096, 0.25, 1),
    ("fc6_4_b32", 4096, 25088, 0.04, 32),
    ("fc6_9_b32", 4096, 25088, 0.09, 32),
]


def layer(weights, batch, *, int8=False):
    network = Network([batch, weights.shape[1]])
    network.fully_connected(weights, int8=int8)
    return network.pack()


def cases(only):
    for key, units, inputs, density, batch in LAYERS:
        if only and key not in only:
            continue
        weights = kernel_benchmark.sparse_weights((units, inputs), density, num_clusters=31)
        label = f"{inputs}x{units}, {density:.0%} kept, batch {batch}"
        plain, int8 = layer(weights, batch), layer(weights, batch, int8=True)
        yield Case(key, label, plain, int8, cold=batch == 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", nargs="+", choices=[layer[0] for layer in LAYERS])
    parser.add_argument("--save", action="store_true", help="into results/")
    args = parser.parse_args()
    kernel_benchmark.run(
        "Fully connected",
        cases(args.only),
        repeats=args.repeats,
        threads=args.threads,
        save_as="fully_connected" if args.save else None,
    )


if __name__ == "__main__":
    main()
