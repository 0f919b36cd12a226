r"""Cycles of inner loops on Arm, by a model of processors: estimates, not measurements.

    python tests/benchmarks/arm_model.py --mca llvm-mca-19 --save \
        --compiler "GCC=aarch64-linux-gnu-g++" \
        --compiler "clang=python -m ziglang c++ -target aarch64-linux-gnu.2.17 -fno-sanitize=all"

The kernels are compiled for AArch64, the innermost loop of each is taken out of the assembly, and
`llvm-mca` of LLVM 17 or newer (older ones take Cortex-A57 for Neoverse N1) runs it 200 times, with
all data in the first cache and every branch predicted. It does not know how long a load waits for
stores of other widths. `--save` writes results/arm_model.json and the table in docs/platforms.md.
"""

import argparse
import json
import os
import pathlib
import re
import shlex
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).parents[2]
SOURCES = ROOT / "tflite_ops"
RESULTS = pathlib.Path(__file__).parent / "results" / "arm_model.json"
PAGE = ROOT / "docs" / "platforms.md"
BEGIN, END = "<!-- arm -->\n", "<!-- /arm -->"
CORES = {"neoverse-n1": "Neoverse N1", "cortex-a55": "Cortex-A55"}
FLAGS = ["-O3", "-std=c++17", "-DKDC_BUILDING", "-DKERAS_DC_NEON_KERNELS",
         "-DKERAS_DC_OWN_TFLITE_ABI=1", f"-I{SOURCES / 'include'}", f"-I{SOURCES / 'src'}",
         "-S", "-g0", "-fno-asynchronous-unwind-tables"]  # fmt: skip
# As cmake/instruction_sets.cmake has it.
GCC_FLAGS = {"kernels/tile/tile_neon.cc": ["-fno-schedule-insns"]}
ITERATIONS = 200
# What is estimated, the file, the function, and what counts the units of an iteration: a pattern,
# and units for each line that it finds.
LOOPS = [
    ("gap walk, portable: a symbol", "decode/gap_walk.cc", "WalkGapsPortable", r"^ldrb\b", 1),
    ("gap walk, NEON: a symbol", "decode/gap_walk_neon.cc", "WalkGapsNeon", r"^cmeq\b.*16b", 16),
    ("sum of gaps, portable: a symbol", "decode/gap_walk.cc", "AddGapsPortable",
     r"^cmeq\b.*4s", 4),
    ("sum of gaps, NEON: a symbol", "decode/gap_walk_neon.cc", "AddGapsNeon", r"^cmeq\b.*16b", 16),
    ("Huffman decoding, portable: a look-up of up to 3 symbols", "decode/symbol_lanes.cc",
     "RunLanes", r"^lsr\s+w\d+, w\d+, #?6$", 1),
    ("`DenseRows`, NEON: a weight, kept or not", "kernels/tile/dense_rows_neon.cc",
     "RunDenseRowsNeon", r"^fmla\b.*4s", 4),
    ("`ProductSums`, portable: a kept weight", "kernels/forms/product_sums.cc", "AddRunILb0",
     r"^fadd\s+s", 1),
    ("tile of 24 vectors, NEON: four products", "kernels/tile/tile_neon.cc",
     r"AddBlock.*CodedWeights.*Lm22ELm23E", r"^fmla\b.*4s", 1),
]  # fmt: skip


def functions(assembly):
    """The lines of each function by its symbol: dict."""
    found, lines = {}, []
    for line in assembly.splitlines():
        name = re.match(r"([A-Za-z_][\w.$]*):", line)
        if name and not line.startswith("."):
            lines = found.setdefault(name.group(1), [])
        else:
            lines.append(line.split("//")[0].rstrip())
    return found


def innermost_loops(lines):
    """The instructions of each loop that has no loop in it: list of lists of str."""
    labels = {
        match.group(1): i for i, line in enumerate(lines) if (match := re.match(r"(\.L\w+):", line))
    }
    spans = []
    for i, line in enumerate(lines):
        jump = re.match(r"\s+(?:b|b\.?\w\w|cbn?z|tbn?z)\s+(?:.*,\s*)?(\.L\w+)$", line)
        if jump and labels.get(jump.group(1), i) < i:
            spans.append((labels[jump.group(1)], i))
    spans = [
        (begin, end)
        for begin, end in spans
        if not any(begin <= b and e <= end and (b, e) != (begin, end) for b, e in spans)
    ]
    return [
        [
            line.strip().replace("\t", " ")
            for line in lines[b : e + 1]
            if re.match(r"\s+[a-z]", line)
        ]
        for b, e in spans
    ]


def units_of(loop, pattern, units):
    """How many units an iteration has."""
    return units * sum(re.search(pattern, line) is not None for line in loop)


def cycles(loop, core, mca):
    """Cycles of an iteration by the model: float."""
    text = ".Lx:\n" + "\n".join(re.sub(r"\.L\w+", ".Lx", line) for line in loop) + "\n"
    options = ["-instruction-info=0", "-resource-pressure=0", f"-iterations={ITERATIONS}"]
    command = [*shlex.split(mca), "-mtriple=aarch64-linux-gnu", f"-mcpu={core}", *options, "-"]
    printed = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    return int(re.search(r"Total Cycles:\s+(\d+)", printed).group(1)) / ITERATIONS


def main_loop(loops, pattern, units, mca):
    """The loop that takes the fewest cycles for a unit: others are for what is left over."""
    first_core = next(iter(CORES))
    counts = [units_of(loop, pattern, units) for loop in loops]
    costs = [cycles(loop, first_core, mca) / count if count else float("inf")
             for loop, count in zip(loops, counts)]  # fmt: skip
    return loops[costs.index(min(costs))]


def assembly_of(source, compiler, more, folder):
    output = folder / "out.s"
    command = [*shlex.split(compiler), *FLAGS, *more, SOURCES / "src" / source, "-o", output]
    subprocess.run(command, check=True, capture_output=True)
    return output.read_text()


def estimate(compilers, mca):
    """Rows of figures: list of dicts."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, compiler in compilers.items():
            for what, source, function, pattern, units in LOOPS:
                more = GCC_FLAGS.get(source, []) if name == "GCC" else []
                assembly = assembly_of(source, compiler, more, pathlib.Path(folder))
                loops = [
                    loop
                    for symbol, lines in functions(assembly).items()
                    if re.search(function, symbol)
                    for loop in innermost_loops(lines)
                ]
                loop = main_loop(loops, pattern, units, mca)
                count = units_of(loop, pattern, units)
                for core in CORES:
                    rows.append(
                        {
                            "what": what,
                            "compiler": name,
                            "core": core,
                            "cycles": round(cycles(loop, core, mca) / count, 3),
                            "units": count,
                            "instructions": len(loop),
                            "stack_accesses": sum("[sp" in line for line in loop),
                        }
                    )
    return rows


def table(results):
    """The page's table: list of lines."""
    rows = results["rows"]
    compilers = list(dict.fromkeys(row["compiler"] for row in rows))
    columns = [(compiler, core) for core in CORES for compiler in compilers]
    lines = [
        "| cycles | " + " | ".join(f"{CORES[core]}, {name}" for name, core in columns) + " |",
        "|---|" + "---:|" * len(columns),
    ]
    for what in dict.fromkeys(row["what"] for row in rows):
        found = {(row["compiler"], row["core"]): row for row in rows if row["what"] == what}
        lines.append(
            f"| {what} | " + " | ".join(f"{found[c]['cycles']:.2f}" for c in columns) + " |"
        )
    return lines


def put(page, lines):
    """The page with these lines between its marks."""
    before, rest = page.split(BEGIN)
    return before + BEGIN + "\n".join(lines) + "\n" + END + rest.split(END)[1]


def version_of(command):
    printed = subprocess.run([*shlex.split(command), "--version"], capture_output=True, text=True)
    return printed.stdout.strip().splitlines()[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mca", default="llvm-mca")
    parser.add_argument("--compiler", action="append", required=True, metavar="NAME=COMMAND")
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    compilers = dict(each.split("=", 1) for each in options.compiler)
    results = {
        "versions": {
            "llvm-mca": version_of(options.mca),
            **{name: version_of(command) for name, command in compilers.items()},
        },
        "rows": estimate(compilers, options.mca),
    }
    for line in table(results):
        print(line)
    if options.save:
        RESULTS.write_text(json.dumps(results, indent=1) + os.linesep)
        PAGE.write_text(put(PAGE.read_text(), table(results)))


if __name__ == "__main__":
    main()
