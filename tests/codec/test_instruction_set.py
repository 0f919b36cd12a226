import os
import subprocess
import sys

import pytest

from keras_dc.codec import library

PRINT = "from keras_dc.codec import library; print(library.instruction_set())"


def answer(isa):
    environment = {**os.environ, "KERAS_DC_ISA": isa, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", PRINT], env=environment, capture_output=True, text=True
    )


def test_the_library_says_what_it_computes_with():
    assert library.instruction_set() in ("portable", "neon", "avx2", "avx512")
    assert answer("portable").stdout == "portable\n"


@pytest.mark.parametrize("isa", ["sse9", "PORTABLE"])
def test_an_instruction_set_that_is_not_there_is_refused(isa):
    sentence = f"must name an instruction set of this machine. Received: KERAS_DC_ISA='{isa}'"
    assert sentence in answer(isa).stderr
