"""Estimates for Arm: loops are found in assembly, and the page has the table of the results."""

import importlib
import json

import pytest

ASSEMBLY = """\
\t.text
_Z4WalkPh:
.LFB1:
\tmov\tx1, 0
.L4:
\tldr\tx2, [x0]
.L3:
\tldrb\tw3, [x0], 1  // a symbol
\tadd\tw4, w4, w3
\tstr\tw4, [sp, 8]
\tcmp\tx0, x5
\tbne\t.L3
\tcbnz\tx2, .L4
\tb\t.L9
.L9:
\tret
_Z5OtherPh:
.LBB1_1:
\tfadd\ts0, s0, s1
\tb.ne\t.LBB1_1
"""


@pytest.fixture
def arm_model():
    return importlib.import_module("arm_model")


def test_innermost_loops_are_found(arm_model):
    found = arm_model.functions(ASSEMBLY)
    assert set(found) == {"_Z4WalkPh", "_Z5OtherPh"}
    assert arm_model.innermost_loops(found["_Z4WalkPh"]) == [
        ["ldrb w3, [x0], 1", "add w4, w4, w3", "str w4, [sp, 8]", "cmp x0, x5", "bne .L3"]
    ]
    assert arm_model.innermost_loops(found["_Z5OtherPh"]) == [["fadd s0, s0, s1", "b.ne .LBB1_1"]]


def test_the_main_loop_takes_the_fewest_cycles_for_a_unit(arm_model, tmp_path):
    program = tmp_path / "mca"
    # A cycle for each line that it reads: the label and the instructions.
    program.write_text('#!/bin/sh\necho "Total Cycles: $((200 * $(wc -l)))"\n')
    program.chmod(0o755)
    one, two = ["ldrb w1, [x0]", "b .L1"], ["ldrb w1, [x0]", "ldrb w2, [x0]", "b .L2"]
    assert arm_model.cycles(one, "neoverse-n1", str(program)) == 3
    assert arm_model.main_loop([one, ["b .L3"], two], "^ldrb", 1, str(program)) is two
    assert arm_model.units_of(two, "^ldrb", 4) == 8


def test_the_page_has_the_table_of_the_results(arm_model):
    results = json.loads(arm_model.RESULTS.read_text())
    page = arm_model.PAGE.read_text()
    assert arm_model.put(page, arm_model.table(results)) == page
    assert len(results["rows"]) == 2 * 2 * len(arm_model.LOOPS)
    stack = [row["stack_accesses"] for row in results["rows"] if "tile" in row["what"]]
    assert stack == [0, 0, 0, 0]
