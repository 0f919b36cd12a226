"""Python in the README and the docs: it parses, and its calls of keras_dc are possible ones."""

import ast
import inspect
import pathlib
import re
import textwrap

import pytest

import keras_dc

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# What is in `dc`'s place, and what is no argument though there are `**settings`.
UNKNOWN = "unknown"


def blocks():
    """(page, code) of each block of Python."""
    for path in PAGES:
        for code in re.findall(r"^ *```python\n(.*?)^ *```", path.read_text(), re.M | re.S):
            yield path, textwrap.dedent(code)


def named(node):
    """The object that `dc.a.b` stands for, or None for other expressions."""
    if isinstance(node, ast.Name):
        return keras_dc if node.id == "dc" else None
    if isinstance(node, ast.Attribute):
        owner = named(node.value)
        return None if owner is None else getattr(owner, node.attr)
    return None


def check_call(node):
    """Whether the arguments of a call of keras_dc can be given to it; True if it is one."""
    called = named(node.func)
    if called is None or isinstance(node.func, ast.Name):
        return False
    signature = inspect.signature(called)
    names = {keyword.arg for keyword in node.keywords}
    if UNKNOWN in signature.parameters:
        assert names <= set(signature.parameters), ast.unparse(node)
    if not any(isinstance(argument, ast.Starred) for argument in node.args) and None not in names:
        try:
            signature.bind(*node.args, **dict.fromkeys(names))
        except TypeError as error:
            raise AssertionError(f"{ast.unparse(node)}: {error}") from error
    return True


@pytest.mark.parametrize(
    ("path", "code"),
    list(blocks()),
    ids=lambda value: value.name if isinstance(value, pathlib.Path) else "",
)
def test_calls_are_possible(path, code):
    for node in ast.walk(ast.parse(code)):
        named(node)
        if isinstance(node, ast.Call):
            check_call(node)


def test_inline_names_exist():
    """`dc.name` in the text, too."""
    for path in PAGES:
        text = re.sub(r"```.*?```", "", path.read_text(), flags=re.S)
        for dotted in re.findall(r"`dc((?:\.[A-Za-z_]\w*)+)", text):
            owner = keras_dc
            for name in dotted[1:].split("."):
                assert hasattr(owner, name), f"{path.name}: dc{dotted}"
                owner = getattr(owner, name)


def test_wrong_calls_are_found():
    good, wrong, misnamed = (
        ast.parse(code).body[0].value
        for code in ("dc.prune(m, 0.9)", "dc.compress()", "dc.prune(m, pruning_schedule=0.9)")
    )
    assert check_call(good)
    for call in (wrong, misnamed):
        with pytest.raises(AssertionError):
            check_call(call)
    with pytest.raises(AttributeError):
        named(ast.parse("dc.shrink").body[0].value)
