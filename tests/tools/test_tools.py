"""tools/: what builds and checks the wheels. The building itself is a stage of .ci/run."""

import importlib
import pathlib
import re
import subprocess
import tarfile
import zipfile

import pytest

import keras_dc as dc
from keras_dc.codec import library

ROOT = pathlib.Path(__file__).parents[2]
OPS = ROOT / "tflite_ops"


@pytest.fixture
def tool(monkeypatch):
    """Imports a module of tools/; the package that is tested is imported before."""
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: importlib.import_module(f"tools.{name}")


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """The program that runs the golden files, compiled for this machine."""
    path = tmp_path_factory.mktemp("program") / "golden_files"
    source = ROOT / "tools/golden_files.c"
    command = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-I{OPS / 'include'}", source,
               "-o", path, "-ldl"]  # fmt: skip
    subprocess.run(command, check=True)
    return path


def test_golden_files_are_run_without_python(tool, program, tmp_path):
    count, again, isa = tool("golden_files").check([program], dc.op_library_path(), tmp_path)
    cases = ["golden/*.blob", "golden_errors/*.blob", "golden_packs/*.kdc",
             "golden_packs/errors/*.kdc"]  # fmt: skip
    assert count == sum(len(list((ROOT / "tests").glob(pattern))) for pattern in cases)
    assert len(again) == 64
    assert isa == library.instruction_set()


def test_another_digest_or_status_is_found(tool, program, tmp_path, monkeypatch):
    golden_files = tool("golden_files")
    cases = list(golden_files._cases())
    blob, error = cases[0], next(case for case in cases if case[4] != 0)
    for case, sentence in [
        ((*blob[:3], "[1] 00", 0), r"must decode to \[1\] 00\. Received: \["),
        ((*error[:3], None, 3), rf"must give status 3\. Received: {error[4]}"),
        ((*error[:4], 0), "must give status 0"),
    ]:
        monkeypatch.setattr(golden_files, "_cases", lambda case=case: [case])
        with pytest.raises(RuntimeError, match=sentence):
            golden_files.check([program], dc.op_library_path(), tmp_path)


def test_a_library_that_does_not_load_is_an_error(tool, program, tmp_path):
    (tmp_path / "none.so").touch()
    with pytest.raises(RuntimeError, match=r"exit status 2 after 0 of \d+ files: .*none.so"):
        tool("golden_files").check([program], tmp_path / "none.so", tmp_path)


def test_wheels_hold_the_library_by_the_name_that_python_looks_for(tool):
    names = tool("check_wheels").LIBRARY_NAMES
    assert names == {
        "Linux": "keras_dc/libkeras_dc.so",
        "Windows": f"keras_dc/{library._LIBRARY_NAMES['win32']}",
        "Darwin": f"keras_dc/{library._LIBRARY_NAMES['darwin']}",
    }


def wheel(path, **sizes):
    """A file like a wheel, of names and sizes that do not compress."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, size in sizes.items():
            archive.writestr(name, bytes(size))
    return path


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, r"must hold keras_dc/keras_dc.dll alone. Received: \[\]"),
        ({"keras_dc/keras_dc.dll": 9, "keras_dc/libkeras_dc.dll.a": 9}, "alone"),
        ({"keras_dc/libkeras_dc.so": 9}, "alone"),
        ({"keras_dc/keras_dc.dll": 450_001}, "at most 450,000 bytes. Received: 450,001"),
    ],
)
def test_wheels_with_other_files_or_a_large_library_are_refused(tool, tmp_path, files, sentence):
    target = tool("zig").Target("x86_64-windows-gnu", "Windows", "AMD64")
    checks = tool("check_wheels").Checks(require_all=False)
    path = wheel(tmp_path / "keras_dc-0.1.0-py3-none-win_amd64.whl", **files)
    with pytest.raises(RuntimeError, match=sentence):
        checks.wheel(path, target, tmp_path)


@pytest.mark.parametrize("require_all", [False, True])
def test_what_cannot_be_checked_is_said(tool, tmp_path, capsys, monkeypatch, require_all):
    check_wheels = tool("check_wheels")
    target = tool("zig").Target("x86_64-windows-gnu", "Windows", "AMD64")
    monkeypatch.setattr(check_wheels.shutil, "which", lambda name: None)
    checks = check_wheels.Checks(require_all=require_all)
    checks.wheel(wheel(tmp_path / "w.whl", **{"keras_dc/keras_dc.dll": 9}), target, tmp_path)
    assert checks.summary() == int(require_all)
    printed = capsys.readouterr().out
    assert "NOT CHECKED: golden files on Windows: wine is missing" in printed
    assert printed.endswith("1 passed, 0 failed, 1 skipped\n")


def test_an_sdist_holds_no_corpora(tool, tmp_path):
    checks = tool("check_wheels").Checks(require_all=False)
    needed = ["tflite_ops/CMakeLists.txt", "tflite_ops/cmake/sources.cmake", "pyproject.toml"]
    for extra, is_right in [([], True), (["tests/fuzz/found/op/1"], False)]:
        path = tmp_path / f"{is_right}.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name in [*needed, *extra]:
                archive.addfile(tarfile.TarInfo(f"keras_dc-0.1.0/{name}"))
        if is_right:
            checks.sdist(path)
        else:
            with pytest.raises(RuntimeError, match="tests/fuzz/found/op/1"):
                checks.sdist(path)


def test_links_of_a_userland_stay_in_it(tool, tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/file").write_text("inside")
    (tmp_path / "link").symlink_to("/etc/file")
    (tmp_path / "relative").symlink_to("etc/file")
    tool("userland")._make_links_relative(tmp_path)
    assert (tmp_path / "link").read_text() == "inside"
    assert (tmp_path / "relative").readlink() == pathlib.Path("etc/file")


def test_a_userland_has_one_of_its_alternative_libraries(tool, tmp_path):
    place = tmp_path / "usr/lib/arm-linux-gnueabihf"
    for name in ("blas/libblas.so.3", "other/libother.so.1"):
        (place / name).parent.mkdir(parents=True)
        (place / name).write_text(name)
    tool("userland")._choose_alternatives(tmp_path)
    assert (place / "libblas.so.3").read_text() == "blas/libblas.so.3"
    assert not (place / "libother.so.1").exists()


def test_a_userland_without_its_tools_is_refused(tool, tmp_path, monkeypatch):
    userland = tool("userland")
    monkeypatch.setattr(userland.shutil, "which", lambda name: None)
    assert userland.emulator("aarch64") is None
    with pytest.raises(RuntimeError, match="by apt-get, which is missing"):
        userland.make("arm64", ["libc6"], tmp_path)


def test_every_source_is_in_the_build():
    listed = "".join((OPS / f"cmake/{name}.cmake").read_text()
                     for name in ("sources", "instruction_sets", "web"))  # fmt: skip
    # How a source is compiled does not put it into the build.
    listed = re.sub(r"set_source_files_properties\([^)]*\)|#.*", "", listed)
    names = re.findall(r"[ (](src/\S+\.(?:cc|h))\b", listed)
    found = {str(path.relative_to(OPS)) for path in (OPS / "src").rglob("*.*")}
    assert found - set(names) - {"src/kernels/README.md"} == set()


def test_cmake_and_python_have_one_version():
    (version,) = re.findall(r"^project\(keras_dc VERSION (\S+)", (OPS / "CMakeLists.txt")
                            .read_text(), re.M)  # fmt: skip
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()
    accelerator = (OPS / "src/tflite/litert_accelerator.cc").read_text()
    assert f"*version = {{{version.replace('.', ', ')}}};" in accelerator
