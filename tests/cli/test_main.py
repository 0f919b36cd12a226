import json
import os
import re
import subprocess
import sys

import click
import pytest

import keras_dc as dc
from keras_dc.cli import main as cli_main
from keras_dc.cli import terminal

COMMANDS = list(cli_main._MODULES)
HEAVY = {"keras", "tensorflow", "tf_keras", "jax", "torch", "rich", "matplotlib"}


def process(*arguments, **options):
    """`python -m keras_dc` with these arguments."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, **options
    )


def test_no_arguments_are_help(folder):
    assert folder.run() == 0
    assert "Start here:" in folder.out
    assert all(f"\n  {name} " in folder.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_worth_reading(folder, name):
    assert folder.run(name, "--help") == 0
    assert f"Usage: keras-dc {name} " in folder.out
    assert "--json" in folder.out
    assert "--debug" in folder.out
    assert re.search(rf"^    .*keras-dc {name}", folder.out, re.MULTILINE)


def test_the_version_is_told(folder):
    assert folder.run("--version") == 0
    assert folder.out == f"keras-dc, version {dc.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["frob"], "No such command 'frob'"),
        (["inspect"], "Missing argument 'FILE'"),
        (["inspect", "small.tflite", "--frob"], "No such option"),
        (["compress", "model.tflite"], "Missing option '-o' / '--output'"),
        (["benchmark", "model.tflite", "--threads", "0"], "0 is not in the range x>=1"),
        (["benchmark", "model.tflite", "--runtime", "onnx"], "'onnx' is not one of 'litert'"),
        (["benchmark", "model.tflite", "--seconds", "0"], "0.0 is not in the range x>0"),
        (["completion", "tcsh"], "'tcsh' is not one of"),
    ],
)
def test_wrong_usage_is_a_sentence_and_2(folder, arguments, sentence):
    assert folder.run(*arguments) == 2
    assert folder.out == ""
    assert re.fullmatch(r"keras-dc: error: .*; see `keras-dc( \w+)? --help`\n", folder.err)
    assert sentence in folder.err
    assert folder.run(*arguments, "--json") == 2
    assert json.loads(folder.out)["error"]["kind"] == "UsageError"


NO_FILE = "there is no file nothing.tflite"
FOLDER = "is a folder, where a file was expected"
TEXT = "text.tflite is not a .tflite file: it lacks 'TFL3' at byte 4"
CUT = "cut.tflite: the TFLite model is damaged or cut short"


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress", "{}", "-o", "o.tflite"],
        ["expand", "{}", "-o", "o.tflite"],
        ["explore", "{}"],
        ["inspect", "{}"],
        ["verify", "{}", "small.tflite"],
        ["verify", "model.tflite", "{}"],
        ["diff", "{}", "model.tflite"],
        ["diff", "model.tflite", "{}"],
        ["benchmark", "{}"],
        ["benchmark", "model.tflite", "{}"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nothing.tflite", NO_FILE),
        (".", FOLDER),
        ("text.tflite", TEXT),
        ("empty.tflite", "empty.tflite is empty"),
        ("cut.tflite", CUT),
    ],
)
def test_what_is_no_model_is_a_sentence_and_1(folder, arguments, name, sentence):
    before = folder.names()
    if name == "." and (arguments[0] == "compress" or arguments[1:] == ["{}", "small.tflite"]):
        sentence = "is no SavedModel: it has no saved_model.pb"
    arguments = [each.format(name) for each in arguments]
    assert folder.run(*arguments) == 1
    assert folder.err.startswith("keras-dc: error: ")
    assert sentence in folder.err
    assert folder.err.count("\n") == 1
    assert folder.out == ""
    assert folder.names() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress", "model.tflite"],
        ["expand", "small.tflite"],
        ["pack", "model.tflite"],
        ["unpack", "packed.kdc"],
        ["unpack", "patch.kdc", "--base", "model.tflite"],
    ],
    ids=" ".join,
)
def test_output_goes_nowhere_else(folder, arguments):
    source = folder.path / arguments[1]
    content = source.read_bytes()
    for output, sentence in [
        ("absent/o.tflite", "the folder of absent/o.tflite does not exist"),
        (".", "is a folder; name a file in it"),
        ("/dev/null", "/dev/null is a pipe or a device"),
        (f"./{source.name}", f"{source.name} would overwrite the input"),
        (arguments[-1], "would overwrite the input"),
    ]:
        assert folder.run(*arguments, "-o", output) == 1
        assert sentence in folder.err
    assert source.read_bytes() == content
    os.link(source, folder.path / "link.tflite")
    assert folder.run(*arguments, "-o", "link.tflite") == 1
    assert folder.run(*arguments, "-o", "new.tflite") == 0


def test_an_error_leaves_the_old_output(folder, monkeypatch):
    (folder.path / "out.tflite").write_bytes(b"old")
    before = folder.names()
    assert folder.run("compress", "cut.tflite", "-o", "out.tflite") == 1

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert folder.run("compress", "model.tflite", "-o", "out.tflite") == 1
    assert folder.err == "keras-dc: error: [Errno 28] No space left on device\n"
    assert (folder.path / "out.tflite").read_bytes() == b"old"
    assert folder.names() == before


@pytest.mark.parametrize(
    ("error", "code", "printed"),
    [
        (KeyError("fault"), 1, "unexpected KeyError: 'fault'; see it by --debug"),
        (RuntimeError("two\nlines"), 1, "two lines"),
        (MemoryError(), 1, "the memory is full"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.Abort(), 130, "interrupted"),
    ],
)
def test_whatever_goes_wrong_is_one_line(folder, monkeypatch, error, code, printed):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(dc, "inspect", fail)
    assert folder.run("inspect", "small.tflite") == code
    # click ends the line in which ^C stands.
    assert folder.err.removeprefix("\n") == f"keras-dc: error: {printed}\n"
    if code == 1:
        with pytest.raises(type(error)):
            cli_main.main(["inspect", "small.tflite", "--debug"])


def test_a_reader_that_has_enough_is_no_error(folder, monkeypatch):
    def fail(*_):
        raise BrokenPipeError

    monkeypatch.setattr(terminal, "show", fail)
    kept = sys.stdout
    assert folder.run("inspect", "small.tflite") == 0
    monkeypatch.setattr(sys, "stdout", kept)
    assert folder.err == ""


def test_warnings_are_a_line_on_stderr(folder, monkeypatch):
    import warnings

    right = dc.inspect

    def warn(*arguments, **options):
        warnings.warn("mind\nthis", stacklevel=1)
        return right(*arguments, **options)

    monkeypatch.setattr(dc, "inspect", warn)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert folder.run("inspect", "small.tflite") == 0
    assert set(folder.err.splitlines()) == {"keras-dc: warning: mind this"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect", "small.tflite"],
        ["inspect", "model.tflite", "--json"],
        ["--help"],
        ["diff", "model.tflite", "small.tflite"],
        ["compress", "model.tflite", "-o", "new.tflite"],
        ["verify", "model.tflite", "small.tflite", "--json"],
        ["doctor", "--json"],
    ],
    ids=" ".join,
)
def test_no_framework_is_imported(folder, arguments):
    code = f"""
import sys
from keras_dc.cli.main import main
main({arguments})
print({HEAVY} & set(sys.modules), file=sys.stderr)
"""
    done = process("-c", code, cwd=folder.path)
    assert done.stderr == "set()\n", done.stderr


def test_the_module_is_the_command(folder):
    done = process("-m", "keras_dc", "inspect", "text.tflite", cwd=folder.path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"keras-dc: error: {TEXT}\n"
    done = process("-m", "keras_dc", "verify", "model.tflite", "small.tflite", cwd=folder.path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script(folder, shell):
    assert folder.run("completion", shell) == 0
    assert "_KERAS_DC_COMPLETE" in folder.out
    printed = folder.out
    assert folder.json("completion", shell)["script"] == printed.removesuffix("\n")


def test_completion_knows_commands_and_options(folder):
    def complete(words, place):
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "_KERAS_DC_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(place),
        }
        code = "from keras_dc.cli.main import main; main()"
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=environment, capture_output=True, text=True).stdout

    assert complete("keras-dc ex", 1).split() == ["plain,expand", "plain,explore"]
    assert "plain,--measured" in complete("keras-dc inspect --m", 2)
    assert "plain,arithmetic" in complete("keras-dc compress --coder a", 3)
