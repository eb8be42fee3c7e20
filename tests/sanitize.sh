#!/usr/bin/env bash
# Runs tests in a build under sanitizers: with "address" (and undefined behaviour) the kernels' check in C
# and all tests in Python that can work there, with "thread" those of the pool, the kept memory and forks.
# Usage: tests/sanitize.sh address|thread [PYTHON [OPTION OF PYTEST...]]
# PYTHON has pip and the packages of the "test" extra; python3 if it is not given. With "thread" it
# may be a CPython configured with --disable-gil --with-thread-sanitizer: then more races are seen.
set -euo pipefail
shopt -s nullglob

case ${1:-} in
address)
    sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
    libraries="libasan.so libubsan.so"
    ;;
thread)
    sanitizers=-fsanitize=thread
    libraries=libtsan.so
    ;;
*)
    sed -n 's/^# Usage/Usage/p' "$0" >&2
    exit 2
    ;;
esac
python=$(command -v "${2:-python3}")
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A build of its own from a copy: setuptools would take up what an earlier build left in build/. Line numbers
# are all that reports need of debug information; all of it takes half as long again to compile.
mkdir "$work/source" "$work/run"
cp -r pyproject.toml setup.py README.md LICENSE csrc fastrelu "$work/source"
rm -f "$work"/source/fastrelu/{*.so,_core.c}
cat >"$work/build.cfg" <<END
[build]
build_temp = $work/objects
[build_ext]
parallel = $(nproc)
END
CC=gcc CFLAGS="$sanitizers -fno-omit-frame-pointer -g -g1" LDFLAGS="$sanitizers" DIST_EXTRA_CONFIG=$work/build.cfg \
    "$python" -m pip install -q --no-deps --target "$work/installed" "$work/source"

if [[ $1 == address ]]; then
    OBJECTS=$work/objects CC="gcc $sanitizers -g1" bash tests/kernels/check_kernels.sh \
        --options "--one-of 60" native
fi

# Away from the sources, which would hide the build.
cp -r tests pyproject.toml "$work/run"
cd "$work/run"
export PYTHONPATH="$work/installed" PYTHONSAFEPATH=1
"$python" -c 'import sys; sys.exit(sys._is_gil_enabled())' 2>/dev/null || export PYTHONMALLOC=malloc
export ASAN_OPTIONS=detect_leaks=0:handle_segv=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=0:exitcode=66:die_after_fork=0:log_path=$work/races
TSAN_OPTIONS+=:suppressions=$work/run/tests/races_of_others.txt

sanitized() {
    local library preload=()
    for library in $libraries; do
        preload+=("$(gcc -print-file-name="$library")")
    done
    LD_PRELOAD="${preload[*]}" "$@"
}

pytest() {
    sanitized "$python" -m pytest -q -p no:cacheprovider "$@"
}

if [[ $1 == address ]]; then
    # Not what the check in C does. Not test_memory.py: freed memory stays in quarantine, and the process
    # grows. Not test_main.py, which watches a clock, nor what has no C of its own, nor what starts one
    # process after another: forks are tested under "thread".
    left_out=(--ignore=tests/{tool,proofs/{faults,predicates},runtime/test_{memory,threads}.py,ufunc/test_{reference,semantics}.py,kernels/test_{dispatch,kernels,values}.py})
    pytest "${left_out[@]}" -k "not fork" "${@:3}"
else
    # What has threads or forks, of one type: a test takes ten times as long here.
    chosen="(f4 or -f]) and (contiguous or mask or strided or in_place or threads)
        or busy or fork or exit or at_once or undoing"
    failed=0
    pytest -k "(${chosen//$'\n'/}) and not again" tests/runtime/test_{pool,blocks,threads,free_threading}.py "${@:3}" ||
        failed=1
    # Of a child that ends by itself, or a passed test, pytest shows nothing.
    for report in "$work"/races.*; do
        cat "$report"
        failed=1
    done
    ((!failed))
fi
