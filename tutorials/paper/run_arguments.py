"""Command-line arguments that the long experiments share."""

import argparse
import dataclasses
import json
import pathlib


def parser(description, *, seeds, output):
    """A parser with `--seeds`, `--validate`, `--set` and `--output`.

    Args:
        description: str, of which the first line is shown.
        seeds: tuple of ints, the default.
        output: pathlib.Path of the committed results, the default.

    Returns:
        `argparse.ArgumentParser`.
    """
    made = argparse.ArgumentParser(description=description.splitlines()[0])
    made.add_argument("--seeds", nargs="*", type=int, default=seeds)
    made.add_argument("--validate", action="store_true", help="needs --output")
    made.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="of the settings; needs --output"
    )
    made.add_argument("--output", type=pathlib.Path, default=output)
    return made


def add_images(made):
    """Add `--images` to a parser: how many images to learn from and to test on, all by default."""
    made.add_argument("--images", type=int, help="the first ones alone; needs --output")


def parse(made):
    """The arguments of this process.

    Args:
        made: what `parser` made; `arguments.set` is left to `changed`.

    Returns:
        `argparse.Namespace`. Ends the process if `--validate`, `--set` or `--images` would write
        into the committed results.
    """
    arguments = made.parse_args()
    is_try = arguments.validate or arguments.set or getattr(arguments, "images", None)
    if is_try and arguments.output == made.get_default("output"):
        made.error("--validate, --set and --images need an --output of their own")
    return arguments


def changed(settings, arguments):
    """A dataclass of settings with what `--set` asks for."""
    return dataclasses.replace(settings, **changes(arguments))


def changes(arguments):
    """What `--set` asks for: dict from names to values, which are JSON."""
    pairs = (one.split("=", 1) for one in arguments.set)
    return {name: json.loads(value) for name, value in pairs}
