"""Cross-compiles the wheels of every platform from the sdist alone, with ziglang."""

import argparse
import base64
import contextlib
import hashlib
import os
import re
import runpy
import shlex
import shutil
import struct
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

DESCRIPTION = """\
Build wheels from an sdist: for other machines too, by ziglang's compiler, with the headers of the
NumPy that each of them has. `pip install --group wheels` installs what this needs, and pip fetches
the headers of NumPy. Each wheel is written whole or not at all.
"""
EPILOG = """\
A Python's headers are those of the one that runs this, of ~/.pyenv/versions, or of --headers. A
build for Windows needs its pyconfig.h beside them: --headers win=FOLDER, the include folder of any
CPython for Windows; what it links against is made from the names that the code asks for.

    python -m build --sdist
    python tools/wheels.py dist/*.tar.gz --targets manylinux_x86_64 macosx_arm64
    python tools/wheels.py dist/*.tar.gz --check

The first build for a target builds its C library and takes minutes. Nothing that is built here is
run: tests are those of an installed wheel.
"""

NUMPY = (
    "2.5.5"  # whose headers are taken; its API is that of setup.py, the oldest that is supported
)
PYTHONS = ("cp311", "cp312-abi3", "cp314t")
ZIG_LIBRARIES = {"synchronization": "api-ms-win-core-synch-l1-2-0"}
MOST_BYTES = 700_000
EPOCH = (2020, 1, 1, 0, 0, 0)  # the time of every file in a wheel


@dataclass(frozen=True)
class Target:
    """What a platform is called by zig, by NumPy's wheels, in our wheels and in extensions."""

    zig: str
    numpy: str
    tags: tuple
    suffix: str  # of an extension, behind the tag of the Python

    @property
    def platform(self):
        """The name in sys.platform."""
        return {"macos": "darwin", "windows": "win32"}.get(
            self.zig.split("-")[1].split(".")[0], "linux"
        )


TARGETS = {
    "manylinux_x86_64": Target(
        "x86_64-linux-gnu.2.17",
        "manylinux_2_28_x86_64",
        ("manylinux2014_x86_64", "manylinux_2_17_x86_64"),
        "x86_64-linux-gnu.so",
    ),
    "manylinux_aarch64": Target(
        "aarch64-linux-gnu.2.17",
        "manylinux_2_28_aarch64",
        ("manylinux2014_aarch64", "manylinux_2_17_aarch64"),
        "aarch64-linux-gnu.so",
    ),
    "musllinux_x86_64": Target(
        "x86_64-linux-musl",
        "musllinux_1_2_x86_64",
        ("musllinux_1_2_x86_64",),
        "x86_64-linux-musl.so",
    ),
    "musllinux_aarch64": Target(
        "aarch64-linux-musl",
        "musllinux_1_2_aarch64",
        ("musllinux_1_2_aarch64",),
        "aarch64-linux-musl.so",
    ),
    "macosx_arm64": Target(
        "aarch64-macos.11.0", "macosx_14_0_arm64", ("macosx_11_0_arm64",), "darwin.so"
    ),
    "macosx_x86_64": Target(
        "x86_64-macos.11.0", "macosx_14_0_x86_64", ("macosx_11_0_x86_64",), "darwin.so"
    ),
    "win_amd64": Target("x86_64-windows-gnu", "win_amd64", ("win_amd64",), "win_amd64.pyd"),
    "win_arm64": Target("aarch64-windows-gnu", "win_arm64", ("win_arm64",), "win_arm64.pyd"),
}


class BuildError(Exception):
    """A build that cannot be done, with the reason for a person."""


def run(command, **options):
    """Run a command; its output is the error's where it fails."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, **options
    )
    if done.returncode:
        raise BuildError(f"{shlex.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def zig(*arguments, **options):
    return run([sys.executable, "-m", "ziglang", *arguments], **options)


def is_abi3(python):
    return python.endswith("-abi3")


def version_of(python):
    """Return "3.14t" for cp314t, "3.12" for cp312-abi3."""
    found = re.fullmatch(r"cp3(\d+)(t?)(-abi3)?", python)
    if not found or (found[3] and python not in PYTHONS):
        raise BuildError(f"{python}: not a Python such as {', '.join(PYTHONS)}")
    return f"3.{found[1]}{found[2]}"


def python_headers(python, given):
    """Return the folder with the Python.h that a Python, or a later one for abi3, is built with."""
    if python in given:
        return given[python]
    version = version_of(python)
    folders = [Path(sysconfig.get_path("include"))]
    folders += sorted(Path.home().glob(".pyenv/versions/*/include/python3.*"))
    wanted = re.compile(rf"python{re.escape(version)}")
    if is_abi3(python):
        oldest = int(version.split(".")[1])
        folders = [
            f
            for f in folders
            if (n := re.fullmatch(r"python3\.(\d+)", f.name)) and int(n[1]) >= oldest
        ]
    else:
        folders = [f for f in folders if wanted.fullmatch(f.name)]
    for folder in folders:
        if (folder / "Python.h").exists():
            return folder
    raise BuildError(f"no headers of Python {version}: give --headers {python}=FOLDER")


def numpy_headers(target, work):
    """Return the folder of what is compiled against NumPy's wheel for a target."""
    folder = work / "numpy" / target.numpy
    if not folder.exists():
        download = work / "numpy" / f"{target.numpy}.download"
        pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
        pip += ["--no-deps", "--only-binary", ":all:", "--platform", target.numpy]
        run([*pip, "--python-version", "3.13", "-d", download, f"numpy=={NUMPY}"])
        with zipfile.ZipFile(next(download.glob("*.whl"))) as wheel:
            for name in wheel.namelist():
                if name.startswith("numpy/_core/include/") or name.endswith(".pxd"):
                    wheel.extract(name, download)
        download.rename(folder)
    return folder


def undefined_symbols(path):
    """Return the names that an object file for Windows (COFF) expects from elsewhere."""
    data = path.read_bytes()
    table, n = struct.unpack_from("<II", data, 8)
    names, i = set(), 0
    while i < n:
        name, _, section, _, storage, more = struct.unpack_from("<8sIhHBB", data, table + 18 * i)
        if name[:4] == bytes(4):
            start = table + 18 * n + struct.unpack("<I", name[4:])[0]
            name = data[start : data.index(b"\0", start)]
        if section == 0 and storage == 2:
            names.add(name.rstrip(b"\0").decode())
        i += 1 + more
    return names


def import_library(target, python, objects, work):
    """Make what links the names of Python in objects against its DLL."""
    names = {name for path in objects for name in undefined_symbols(path)}
    called = {name for name in names if name.startswith(("Py", "_Py"))}
    imported = {name.removeprefix("__imp_") for name in names if name.startswith("__imp_")}
    data = {name for name in imported - called if name.startswith(("Py", "_Py"))}
    dll = "python3" if is_abi3(python) else f"python{version_of(python).replace('.', '')}"
    definition, library = work / f"{dll}.def", work / f"{dll}.lib"
    lines = [f"LIBRARY {dll}.dll", "EXPORTS", *(f"    {name}" for name in sorted(called))]
    lines += [f"    {name} DATA" for name in sorted(data)]
    definition.write_text("\n".join(lines) + "\n")
    machine = "arm64" if target.zig.startswith("aarch64") else "i386:x86-64"
    zig("dlltool", "-m", machine, "-D", f"{dll}.dll", "-d", definition, "-l", library)
    return library


def extension_name(target, python):
    digits = version_of(python).replace(".", "")
    if target.platform == "win32":
        return "_core.pyd" if is_abi3(python) else f"_core.cp{digits}-{target.suffix}"
    return "_core.abi3.so" if is_abi3(python) else f"_core.cpython-{digits}-{target.suffix}"


def compile_extension(source, target, python, options, work):
    """Return the extension for a target, built in a folder."""
    numpy = numpy_headers(target, options.cache)
    headers = [python_headers(python, options.headers)]
    if target.platform == "win32":
        shutil.copy(options.headers["win"] / "pyconfig.h", work)
        headers = [work, *headers]
    with contextlib.chdir(source):
        make_extension = runpy.run_path("setup.py", run_name="setup")["make_extension"]
        extension = make_extension(
            target.platform, is_abi3(python), str(numpy / "numpy/_core/include")
        )
        cython = [sys.executable, "-m", "cython", "-3", "-I", numpy, extension.sources[0]]
        run([*cython, "-o", work / "_core.c"])
        flags = [flag.removeprefix("/clang:") for flag in extension.extra_compile_args]
        compiler = ["cc", "-target", target.zig, "-g0", *flags]
        compiler += [f"-D{name}={value}" for name, value in extension.define_macros]
        compiler += [f"-I{folder}" for folder in [*extension.include_dirs, *headers]]
        if target.platform != "win32":
            compiler.append("-fPIC")
        if python.endswith("t") and target.platform == "win32":
            compiler.append("-DPy_GIL_DISABLED=1")
        objects = {work / "_core.o": os.path.relpath(work / "_core.c")}
        for path in extension.sources[1:]:
            objects[work / (path.replace(os.sep, "_") + ".o")] = path
        slowest_first = sorted(objects, key=lambda o: "isa" not in o.name)
        with ThreadPoolExecutor(options.jobs) as pool:
            list(
                pool.map(
                    lambda o: zig(
                        *compiler,
                        *(["-Werror"] if o.name != "_core.o" else []),
                        "-c",
                        objects[o],
                        "-o",
                        o,
                    ),
                    slowest_first,
                )
            )
    link = ["cc", "-target", target.zig, "-shared", *objects, *extension.extra_link_args]
    link += [f"-l{ZIG_LIBRARIES.get(name, name)}" for name in extension.libraries]
    if target.platform == "darwin":
        link += ["-undefined", "dynamic_lookup"]
    if target.platform == "win32":
        link += [import_library(target, python, objects, work), "-s"]
    built = work / extension_name(target, python)
    zig(*link, "-o", built)
    return built


def record_line(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}"


@contextlib.contextmanager
def whole(path):
    """Yield the path of a file that gets the name of `path` when it has been written."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_wheel(path, files, dist_info):
    """Write a wheel of files by their names, in one order, with one time."""
    record = f"{dist_info}/RECORD"
    lines = [record_line(name, data) for name, data in sorted(files.items())]
    files = dict(sorted(files.items())) | {record: "\n".join([*lines, f"{record},,", ""]).encode()}
    with (
        whole(path) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as wheel,
    ):
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever this runs
            entry.external_attr = (0o100755 if "_core." in name else 0o100644) << 16
            wheel.writestr(entry, data)


def contents(folder):
    return {
        str(path.relative_to(folder).as_posix()): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def build_wheel(source, name, python, options, out):
    """Build the wheel of one target and Python, and return its path."""
    target = TARGETS[name]
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        work = Path(folder)
        setup = [sys.executable, "setup.py", "-q"]
        environment = os.environ | {"FASTRELU_ABI3": str(int(is_abi3(python)))}
        run([*setup, "build_py", "--build-lib", work / "lib"], cwd=source, env=environment)
        (work / "info").mkdir()
        run([*setup, "dist_info", "--output-dir", work / "info"], cwd=source, env=environment)
        files = contents(work / "lib") | contents(work / "info")
        built = compile_extension(source, target, python, options, work)
        files[f"fastrelu/{built.name}"] = built.read_bytes()
    dist_info = next(path.split("/")[0] for path in files if path.endswith("/METADATA"))
    metadata = HeaderParser().parsestr(files[f"{dist_info}/METADATA"].decode())
    tag = python if is_abi3(python) else f"{python.removesuffix('t')}-{python}"
    generated = ["Wheel-Version: 1.0", "Generator: fastrelu", "Root-Is-Purelib: false"]
    generated += [f"Tag: {tag}-{platform}" for platform in target.tags]
    files[f"{dist_info}/WHEEL"] = "\n".join([*generated, ""]).encode()
    path = out / f"fastrelu-{metadata['Version']}-{tag}-{'.'.join(target.tags)}.whl"
    write_wheel(path, files, dist_info)
    return path


def unpack(sdist, folder):
    try:
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
    except (EOFError, OSError, tarfile.TarError, zlib.error) as error:
        raise BuildError(f"{sdist}: {error}") from None
    unpacked = list(folder.iterdir())
    if len(unpacked) != 1 or not (unpacked[0] / "setup.py").exists():
        raise BuildError(f"{sdist}: not an sdist, which has one folder with a setup.py")
    return unpacked[0]


def check_contents(path):
    """What no other program looks at."""
    size = path.stat().st_size
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
    wrong = [name for name in names if name.endswith((".pyx", ".c", ".h"))]
    if wrong:
        raise BuildError(f"{path.name} has {', '.join(wrong)}")
    if not any(name.endswith(".dist-info/sboms/fastrelu.cdx.json") for name in names):
        raise BuildError(f"{path.name} has no bill of materials")
    if size > MOST_BYTES:
        raise BuildError(f"{path.name} has {size:,} bytes, which is more than {MOST_BYTES:,}")


def audit(path):
    """Let the programs that know wheels look at one."""
    check_contents(path)
    python = [sys.executable, "-m"]
    if "manylinux" in path.name:
        shown = run([*python, "auditwheel", "show", path])
        wanted = re.search(r"manylinux_2_17_\w+?(?=\.whl|\.)", path.name)[0]
        if f'platform tag:\n"{wanted}"' not in shown and f'"{wanted}"' not in shown:
            raise BuildError(f"{path.name}: auditwheel finds another platform\n{shown}")
    if "abi3" in path.name:
        run([*python, "abi3audit", "--strict", path])
    run([*python, "check_wheel_contents", path])
    run([*python, "twine", "check", "--strict", path])


def check(options):
    """Build one wheel twice, in folders of other names; compare and audit it."""
    python, target = "cp312-abi3", "manylinux_x86_64"
    made = []
    for name in ("first", "another_folder"):
        folder = options.folder / name
        folder.mkdir()
        source = unpack(options.sdist, folder)
        print(f"{target} {python}, in {folder}", flush=True)
        made.append(build_wheel(source, target, python, options, folder))
    one, other = (path.read_bytes() for path in made)
    if one != other:
        raise BuildError("two builds differ")
    audit(made[0])
    print(f"{made[0].name}: {len(one):,} bytes, the same twice; all audits passed")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        with whole(options.out / made[0].name) as part:
            shutil.copy(made[0], part)


def key_and_folder(text):
    key, _, folder = text.partition("=")
    if not Path(folder, "pyconfig.h").exists():
        raise argparse.ArgumentTypeError(f"{text}: not KEY=FOLDER, of a folder with pyconfig.h")
    return key, Path(folder).resolve()


def parse(argv):
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sdist", type=Path)
    parser.add_argument(
        "--targets",
        nargs="+",
        choices=TARGETS,
        default=list(TARGETS),
        metavar="TARGET",
        help=f"default: all, {', '.join(TARGETS)}",
    )
    parser.add_argument(
        "--pythons",
        nargs="+",
        default=list(PYTHONS),
        metavar="PYTHON",
        help=f"default: {', '.join(PYTHONS)}",
    )
    parser.add_argument(
        "--headers",
        type=key_and_folder,
        action="append",
        default=[],
        metavar="PYTHON=FOLDER",
        help="the include folder of a Python, or of win",
    )
    parser.add_argument("--out", type=Path, help="default: dist/ beside this script's folder")
    parser.add_argument(
        "--cache", type=Path, help="where NumPy's headers are kept; default: a temporary folder"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="compilers at a time")
    parser.add_argument(
        "--check",
        action="store_true",
        help="build one wheel twice, compare its bytes, and audit it",
    )
    parser.add_argument("--audit", action="store_true", help="audit each wheel that is built")
    options = parser.parse_args(argv)
    if options.jobs < 1:
        parser.error("--jobs: from 1 up")
    options.headers = dict(options.headers)
    options.sdist = options.sdist.resolve()
    return parser, options


def check_headers(options):
    """What is missing is missed before the first build, which takes minutes."""
    for python in options.pythons:
        python_headers(python, options.headers)
    for_windows = any(TARGETS[target].platform == "win32" for target in options.targets)
    if for_windows and "win" not in options.headers:
        raise BuildError("a build for Windows needs --headers win=FOLDER, see --help")


def build_all(options):
    source = unpack(options.sdist, options.folder / "source")
    check_headers(options)
    out = options.out or Path(__file__).resolve().parents[1] / "dist"
    out.mkdir(parents=True, exist_ok=True)
    jobs = [(target, python) for target in options.targets for python in options.pythons]
    for number, (target, python) in enumerate(jobs, 1):
        print(f"{number}/{len(jobs)} {target} {python}", flush=True)
        path = build_wheel(source, target, python, options, out)
        if options.audit:
            audit(path)
        print(f"    {path.name}: {path.stat().st_size:,} bytes", flush=True)


def main(argv=None):
    parser, options = parse(argv)
    with tempfile.TemporaryDirectory() as folder:
        options.folder = Path(folder)
        options.cache = (options.cache or options.folder / "cache").resolve()
        (options.folder / "source").mkdir()
        try:
            for python in options.pythons:
                version_of(python)
            check(options) if options.check else build_all(options)
        except BuildError as error:
            parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
