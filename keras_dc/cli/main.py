"""`keras-dc`: all commands, and what becomes of an error."""

import importlib
import json
import sys

import click

import keras_dc
from keras_dc.cli import answers, terminal

_MODULES = {
    "compress": "compress",
    "expand": "expand",
    "explore": "explore",
    "pack": "packing",
    "unpack": "packing",
    "inspect": "inspect",
    "verify": "verify",
    "diff": "diff",
    "benchmark": "benchmark",
    "doctor": "doctor",
    "completion": "completion",
}
# Errors whose message is a sentence for the caller; others are faults of ours.
_EXPECTED = (
    keras_dc.errors.KerasDcError, OSError, ValueError, TypeError, RuntimeError, ImportError
)  # fmt: skip


class _Commands(click.Group):
    """A group whose commands are imported when they are asked for, and listed in our order."""

    def list_commands(self, ctx):
        return list(_MODULES)

    def get_command(self, ctx, cmd_name):
        if cmd_name not in _MODULES:
            return None
        module = importlib.import_module(f"keras_dc.cli.{_MODULES[cmd_name]}")
        return getattr(module, cmd_name)


_HELP = """Make neural networks small: compress, inspect, check and run .tflite files.

Start here:
  keras-dc doctor                               what is installed, what is missing
  keras-dc explore model.tflite                 what could be made of a file
  keras-dc compress model.keras -o small.tflite --coder arithmetic
  keras-dc inspect small.tflite                 what is in it
  keras-dc benchmark model.tflite small.tflite  how fast each one is

A compressed file runs in TFLite interpreters with the ops of keras_dc (in Python
keras_dc.Interpreter); `expand` gives the ordinary file back. A packed file is for transport
alone: `unpack` gives the same bytes back.

Every command has --json for machines and --debug for tracebacks. Sizes are in bytes; KB
are 1024 bytes and MB 1024 KB.

Exit status: 0 good, 1 error, 2 wrong usage,
             3 the files differ (verify, diff), 130 interrupted.
Tab completion: keras-dc completion --help"""


@click.group(
    cls=_Commands,
    help=answers.help_of(_HELP),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(keras_dc.__version__, prog_name="keras-dc")
def cli():
    """All commands."""


def main(arguments=None):
    """Run the command line.

    Args:
        arguments: list of str; those of the process if None.

    Returns:
        int, the exit status.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    arguments = arguments or ["--help"]
    flags = arguments[: arguments.index("--")] if "--" in arguments else arguments
    is_debug, as_json = "--debug" in flags, "--json" in flags

    def fail(kind, message, code):
        sentence = terminal.one_line(message)
        if as_json:
            print(json.dumps({"error": {"kind": kind, "message": sentence}}), flush=True)
        print(f"keras-dc: error: {sentence}", file=sys.stderr)
        return code

    with terminal.quiet_runtimes(is_debug):
        try:
            code = cli.main(arguments, prog_name="keras-dc", standalone_mode=False)
            return code if isinstance(code, int) else 0
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else "keras-dc"
            message = f"{error.format_message().rstrip('.')}; see `{path} --help`"
            return fail("UsageError", message, 2)
        except (click.Abort, KeyboardInterrupt):
            return fail("KeyboardInterrupt", "interrupted", 130)
        except BrokenPipeError:
            # Whoever read us has enough. Python would complain when it closes stdout.
            sys.stdout = None  # type: ignore[assignment]
            return 0
        except Exception as error:
            if is_debug:
                raise
            kind = type(error).__name__
            if isinstance(error, click.ClickException):
                return fail(kind, error.format_message(), 1)
            if isinstance(error, MemoryError):
                return fail(kind, "the memory is full", 1)
            if isinstance(error, _EXPECTED) and str(error):
                return fail(kind, error, 1)
            return fail(kind, f"unexpected {kind}: {error}; see it by --debug", 1)
