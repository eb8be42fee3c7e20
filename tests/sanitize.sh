#!/usr/bin/env bash
# Runs the tests and the self-check under AddressSanitizer and UndefinedBehaviorSanitizer.
# Usage: tests/sanitize.sh [PYTHON [OPTION OF PYTEST...]]
# PYTHON has pip and the packages of the "test" extra; python3 if it is not given.
set -euo pipefail

python=$(command -v "${1:-python3}")
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A build of its own from a copy: setuptools would take up what an earlier build left in build/.
mkdir -p "$work/source/fastrelu" "$work/run"
cp -r pyproject.toml setup.py README.md LICENSE csrc "$work/source"
cp fastrelu/*.py fastrelu/*.pyx fastrelu/*.pyi fastrelu/py.typed "$work/source/fastrelu"
sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
CC=gcc CFLAGS="$sanitizers -fno-omit-frame-pointer -g" LDFLAGS="$sanitizers" \
    "$python" -m pip install -q --no-deps --target "$work/installed" "$work/source"

# Away from the sources, which would hide the build.
cp -r tests pyproject.toml "$work/run"
cd "$work/run"
export PYTHONPATH="$work/installed" PYTHONSAFEPATH=1 PYTHONMALLOC=malloc
export ASAN_OPTIONS=detect_leaks=0:handle_segv=0 UBSAN_OPTIONS=print_stacktrace=1

sanitized() {
    LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" "$@"
}

# Not test_memory.py: freed memory stays in quarantine, and the process grows. Not test_main.py: it
# watches a clock, and the command line has no C of its own.
sanitized "$python" -m pytest -q -p no:cacheprovider -m "not slow" \
    --ignore tests/test_memory.py --ignore tests/test_main.py "${@:2}"
sanitized "$python" -m fastrelu check
