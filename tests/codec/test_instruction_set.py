import os
import subprocess

import pytest

from keras_dc.codec import library
from keras_dc.support import machine

PRINT = "from keras_dc.codec import library; print(library.instruction_set())"


def answer(isa):
    return subprocess.run(
        machine.child_command(PRINT),
        env={**os.environ, "KERAS_DC_ISA": isa},
        capture_output=True,
        text=True,
    )


def test_the_library_says_what_it_computes_with():
    assert library.instruction_set() in ("portable", "neon", "avx2", "avx512", "amx")
    assert answer("portable").stdout == "portable\n"


@pytest.mark.parametrize("isa", ["neon", "avx2", "avx512", "amx"])
def test_a_name_is_taken_or_refused(isa):
    told = answer(isa)
    assert told.stdout == f"{isa}\n" or f"Received: KERAS_DC_ISA='{isa}'" in told.stderr


@pytest.mark.parametrize("isa", ["sse9", "PORTABLE"])
def test_an_instruction_set_that_is_not_there_is_refused(isa):
    sentence = f"must name an instruction set of this machine. Received: KERAS_DC_ISA='{isa}'"
    assert sentence in answer(isa).stderr
