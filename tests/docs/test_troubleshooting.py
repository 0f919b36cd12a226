"""Troubleshooting: each error, op and status has its line; messages are those of the code."""

import ast
import inspect
import pathlib
import re

import pytest

from keras_dc import errors
from keras_dc.codec import library

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
HEADINGS = re.findall(r"^#+ (.+)$", PAGE, re.M)
# The messages of the page: a line of code, and below it what to do.
MESSAGES = re.findall(r"^(`+) ?(.+?) ?\1\n:   ", PAGE, re.M)
# Runtimes say these, not we.
OF_RUNTIMES = {"Encountered unresolved custom op: KerasDc...", "Failed to allocate tensors"}


def python_messages():
    """All strings of the package, with "..." for what differs each time."""
    for path in sorted((ROOT / "keras_dc").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(
                    part.value if isinstance(part, ast.Constant) else "..." for part in node.values
                )


def cpp_messages():
    """All strings of the library."""
    sources = ROOT / "tflite_ops" / "src"
    for path in sorted([*sources.rglob("*.cc"), *sources.rglob("*.h")]):
        for run in re.findall(r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*', path.read_text()):
            yield "".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', run))


def pattern_of(message):
    """What finds a message in the code: anything may stand for each "..."."""
    return ".*".join(map(re.escape, message.strip(". ").split("...")))


ALL = "\n".join(text.replace("\n", " ") for text in [*python_messages(), *cpp_messages()])


def test_every_public_error_has_its_section():
    classes = [
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, Exception) and not name.startswith("_")
    ]
    assert len(classes) >= 6
    for name in classes:
        assert HEADINGS.count(name) == 1, name


def test_every_op_has_its_section():
    ops = set(re.findall(r"\bKerasDc[A-Z]\w+", ALL))
    assert {"KerasDcFullyConnected", "KerasDcConv2D", "KerasDcDecode", "KerasDcMaxPool2D"} <= ops
    for name in ops:
        assert HEADINGS.count(name) == 1, name


def test_every_status_has_its_line():
    header = (ROOT / "tflite_ops" / "include" / "keras_dc" / "codec.h").read_text()
    [names] = re.findall(r"typedef enum kdc_status {(.*?)}", header, re.S)
    statuses = {int(number): name for name, number in re.findall(r"(KDC_\w+) = (\d+)", names)}
    assert len(statuses) >= 16
    rows = re.findall(r"^\| (\d+) \| `(KDC_\w+)` \| (.+?) \| (.+) \|$", PAGE, re.M)
    assert {int(number): name for number, name, _, _ in rows} == {
        number: name for number, name in statuses.items() if number
    }
    for number, _, message, way_out in rows:
        said = library.library().kdc_status_message(int(number)).decode()
        assert said.startswith(message)
        assert way_out.strip()


@pytest.mark.parametrize("message", [text for _, text in MESSAGES])
def test_a_message_is_one_of_the_code(message):
    if message in OF_RUNTIMES:
        return
    assert re.search(pattern_of(message), ALL), message


def test_there_are_messages():
    assert len(MESSAGES) > 60
    assert {text for _, text in MESSAGES} >= OF_RUNTIMES
