#!/usr/bin/env bash
# Runs the tests of threads on a Python without the GIL, and its stress. Without such a Python it
# says what has not been tested, and succeeds.
# Usage: tests/free_threading.sh [OPTION OF PYTEST...]
# The newest of python3.*t on PATH and of pyenv is taken. With FASTRELU_BUILD_FREE_THREADED=1 and none
# found, CPython is built from the newest source package of Debian that can be had: it takes root,
# and 4 minutes on an idle core. FASTRELU_FREE_THREADED names a folder that keeps it.
set -euo pipefail
shopt -s nullglob

cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kept=${FASTRELU_FREE_THREADED:-$work/python}

found() {
    local python
    for python in $(compgen -c python3. | grep -E '^python3\.[0-9]+t$' | sort -ruV) \
        $(printf '%s\n' {~/.pyenv/versions/*,"$kept"}/bin/python3.*t | sort -rV); do
        if "$python" -c 'import sys; sys.exit(sys._is_gil_enabled())' 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
}

build() {
    local packages="gcc make xz-utils libc6-dev libffi-dev libssl-dev zlib1g-dev" as_root=()
    ((EUID == 0)) || as_root=(sudo)
    if ! dpkg --status $packages >/dev/null; then
        "${as_root[@]}" apt-get update -qq
        "${as_root[@]}" apt-get install -qq -y --no-install-recommends $packages
    fi

    local mirror
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' |
        grep -m 1 'debian/$')
    mkdir -p "$work"/apt/{lists,archives}/partial "$work/build"
    cat >"$work/apt/debian.sources" <<SOURCES
Types: deb-src
URIs: $mirror
Suites: sid forky trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
    cat >"$work/apt/options" <<OPTIONS
Dir::Etc::sourcelist "$work/apt/debian.sources";
Dir::Etc::sourceparts "-";
Dir::State::lists "$work/apt/lists";
Dir::Cache "$work/apt";
OPTIONS
    export APT_CONFIG=$work/apt/options # without the lists of the system
    apt-get update -qq
    local version archive=
    cd "$work/build"
    for version in $(apt-cache showsrc python3.14 python3.13 | sed -n 's/^Version: //p' | sort -ruV); do
        apt-get source -qq --download-only "python${version%.*}=$version" 2>/dev/null &&
            archive=$(echo python3.*.orig.tar.xz) && break
    done
    unset APT_CONFIG
    [[ $archive ]] || return 0
    tar xf "$archive"
    mkdir objects
    cd objects
    ../Python-*/configure --disable-gil --disable-test-modules --prefix="$kept" CFLAGS=-O2 &&
        make -j"$(nproc)" && make install
}

python=$(found)
if [[ -z $python && ${FASTRELU_BUILD_FREE_THREADED:-} == 1 ]]; then
    (build) >"$work/build.log" 2>&1 || { tail -20 "$work/build.log" && exit 1; }
    python=$(found)
fi
if [[ -z $python ]]; then
    echo "No Python without the GIL is here: not tested are its threads (tests/free_threading.sh)."
    exit 0
fi

"$python" -m venv "$work/env"
python=$work/env/bin/python
"$python" -VV
"$python" -m pip install -q --disable-pip-version-check --only-binary=:all: \
    numpy "cython>=3.1" setuptools "pytest>=8,<9.2" hypothesis threadpoolctl ml_dtypes
mkdir "$work/source"
cp -r pyproject.toml setup.py README.md LICENSE csrc fastrelu tests "$work/source"
cd "$work/source"
rm -f fastrelu/*.so fastrelu/_core.c
"$python" setup.py -q build_ext --inplace
export PYTHONSAFEPATH=1 PYTHONPATH=$PWD
"$python" -m pytest -q -p no:cacheprovider "$@" tests/runtime/test_{free_threading,threads,memory}.py \
    tests/ufunc/test_{fast_call,patch}.py \
    tests/ecosystem/test_ml_dtypes.py -k "not test_ml_dtypes or meeting or together"
