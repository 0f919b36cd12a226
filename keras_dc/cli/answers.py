"""What every command shares: it returns an Answer, which is printed as text or as JSON."""

import dataclasses
import functools
import inspect
import json
import sys
from typing import Any

import click

from keras_dc.cli import terminal

# `verify` and `diff` end with it where files differ; 1 is an error and 2 wrong usage.
DIFFERENT = 3


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a command found.

    Attributes:
        values: dict that JSON holds, for `--json`.
        text: list of str and `terminal.Table`, for people.
        exit_code: int.
    """

    values: dict[str, Any]
    text: list[Any]
    exit_code: int = 0


def command(name, *, options=()):
    """Make a function that returns an Answer a command with `--json` and `--debug`.

    Args:
        name: str, of the command; its help is the function's docstring.
        options: list of decorators of click, in the order of the help.

    Returns:
        decorator.
    """

    def decorate(function):
        @functools.wraps(function)
        def run(as_json, debug, **arguments):
            del debug  # `main` looks for it
            with terminal.progress_shown(is_hidden=as_json):
                answer = function(**arguments)
            if as_json:
                # NaN and infinities are no JSON.
                print(json.dumps(_finite(answer.values), allow_nan=False))
            else:
                terminal.show(*answer.text)
            sys.stdout.flush()
            click.get_current_context().exit(answer.exit_code)

        for option in reversed([*options, *_SHARED]):
            run = option(run)
        text = inspect.cleandoc(function.__doc__)
        first = " ".join(text.split("\n\n")[0].split())
        return click.command(name, help=help_of(text), short_help=first.rstrip("."))(run)

    return decorate


def help_of(text):
    """A docstring as click takes it: paragraphs with indented lines are not wrapped anew."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    # A backspace on a line of its own is click's sign for it.
    return "\n\n".join(
        f"\b\n{paragraph}" if "\n  " in paragraph else paragraph for paragraph in paragraphs
    )


_SHARED = [
    click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else."
    ),
    click.option("--debug", is_flag=True, help="Show tracebacks, and all that runtimes print."),
]


def _finite(value):
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return str(value)
    return value


def size(count):
    """A number of bytes for people: "7,424 bytes", "7.3 KB" or "1.2 MB"."""
    if count < 10_000:
        return f"{count:,} bytes"
    return f"{count / 1024:,.1f} KB" if count < 10 * 2**20 else f"{count / 2**20:,.1f} MB"


def change(before, after):
    """Two sizes and their ratio for people."""
    ratio = f", {before / after:,.2f} times smaller" if 0 < after < before else ""
    return f"{size(before)} -> {size(after)}{ratio}"


def percent(fraction):
    """A fraction for people, "-" for None."""
    return "-" if fraction is None else f"{100 * fraction:.3g} %"
