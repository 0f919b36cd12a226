"""KerasDcConv2D against XNNPACK's dense float32 convolution.

    python tests/benchmarks/conv2d.py [--repeats N] [--threads N ...]

Random masks, 255 centroids. Figures are those of one thread: how many times faster than
dense float32. The environment variable KERAS_DC_ISA picks other kernels than the fastest.
"""

import argparse

import kernel_benchmark
from kernel_benchmark import Case, Network

# Key, height and width, channels in and out, kernel size, density.
LAYERS = [
    ("conv3x3_24", 56, 256, 3, 0.24),
    ("conv3x3_35", 56, 256, 3, 0.35),
    ("conv1x1_10", 14, 512, 1, 0.10),
    ("conv1x1_30", 14, 512, 1, 0.30),
]


def layer(kernel, size, *, int8=False):
    network = Network([1, size, size, kernel.shape[3]])
    network.conv_2d(kernel, int8=int8)
    return network.pack()


def cases(only):
    for key, size, channels, reach, density in LAYERS:
        if only and key not in only:
            continue
        shape = channels, reach, reach, channels
        kernel = kernel_benchmark.sparse_weights(shape, density, num_clusters=255)
        label = f"{reach}x{reach}, {size}x{size}x{channels}->{channels}, {density:.0%} kept"
        yield Case(key, label, layer(kernel, size), layer(kernel, size, int8=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=31)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", nargs="+", choices=[layer[0] for layer in LAYERS])
    parser.add_argument("--save", action="store_true", help="into results/")
    args = parser.parse_args()
    kernel_benchmark.run(
        "Conv2D",
        cases(args.only),
        repeats=args.repeats,
        threads=args.threads,
        save_as="conv2d" if args.save else None,
    )


if __name__ == "__main__":
    main()
