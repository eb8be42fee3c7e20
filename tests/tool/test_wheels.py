"""tools/wheels.py: what it refuses, before it builds anything. CI builds wheels with it."""

import io
import runpy
import sys
import tarfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "wheels.py"
PLATFORM = ["--targets", "manylinux_x86_64"]

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="only the tests are here")


@pytest.fixture
def wheels(monkeypatch):
    monkeypatch.setattr(sys, "argv", [SCRIPT.name])
    return runpy.run_path(str(SCRIPT))


def archive(path, *names):
    with tarfile.open(path, "w:gz") as file:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 1 << 16
            file.addfile(member, io.BytesIO(bytes(range(256)) * 256))
    return path


@pytest.fixture
def sdist(tmp_path):
    return archive(tmp_path / "fastrelu-0.1.0.tar.gz", "fastrelu-0.1.0/setup.py")


@pytest.fixture
def refusal(wheels, tmp_path, capsys):
    """Return a function that runs the script with arguments, and returns what it says."""

    def run(*arguments):
        out = tmp_path / "out"
        with pytest.raises(SystemExit) as stopped:
            wheels["main"]([*map(str, arguments), "--out", str(out)])
        assert stopped.value.code != 0
        assert not out.exists() or list(out.iterdir()) == []
        return capsys.readouterr().err

    return run


def test_no_sdist(refusal, tmp_path):
    assert "No such file" in refusal(tmp_path / "missing.tar.gz")
    assert "one folder" in refusal(archive(tmp_path / "two.tar.gz", "setup.py", "a/setup.py"))
    assert "one folder" in refusal(archive(tmp_path / "empty.tar.gz"))
    assert "one folder" in refusal(archive(tmp_path / "other.tar.gz", "a/b"))


@pytest.mark.parametrize("size", [0, 5, 60, -10])
def test_a_part_of_an_sdist(refusal, sdist, size):
    sdist.write_bytes(sdist.read_bytes()[:size])
    assert refusal(sdist).startswith("wheels.py: ")


@pytest.mark.parametrize("python", ["3.12", "cp27", "cp311-abi3", "cp313-abi3", "cp314t-abi3"])
def test_a_python_that_is_none(refusal, sdist, python):
    assert "not a Python such as cp311" in refusal(sdist, *PLATFORM, "--pythons", python)


def test_missing_headers(refusal, sdist):
    assert "no headers of Python 3.99" in refusal(sdist, *PLATFORM, "--pythons", "cp399")
    here = f"cp3{sys.version_info.minor}"
    given = ["--headers", f"{here}={sdist.parent}", "--pythons", here]
    assert "not KEY=FOLDER" in refusal(sdist, *PLATFORM, *given)
    (sdist.parent / "pyconfig.h").touch()
    assert "--headers win=FOLDER" in refusal(sdist, "--targets", "win_amd64", *given)


def test_a_wheel_is_written_whole_or_not_at_all(wheels, tmp_path):
    path, files = tmp_path / "a.whl", {"b": b"", "a": b"1"}
    with pytest.raises(TypeError):
        wheels["write_wheel"](path, files | {"c": 0}, "a.dist-info")
    assert list(tmp_path.iterdir()) == []
    wheels["write_wheel"](path, files, "a.dist-info")
    assert list(tmp_path.iterdir()) == [path]
