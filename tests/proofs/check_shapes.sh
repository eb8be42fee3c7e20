#!/usr/bin/env bash
# Checks every shape up to a bound: what lies around operands, overlap, axes, chunks.
set -euo pipefail

usage() {
    cat <<'END'
usage: tests/proofs/check_shapes.sh [--larger] [PART...]

Builds tests/proofs/shapes/ with csrc/kernels and csrc/runtime, by $CC or else gcc, and runs it on
Linux:

    overlap   the order that overlap.h demands is safe, and no laxer one is
    axes      strides.c keeps each element of the output with its inputs
    chunks    chunks of rows and of masks take every element once
    panels    tiles, panels and short rows do
    reductions
              the leaves, columns and chunks of a reduction do
    bounds    kernels touch no byte outside their operands

--larger: to a larger bound, in minutes for each part. Each part says what it covered.
Exit status: 0 if there are no findings, 1 if there are some, 2 if it cannot run.
END
}

cd "$(dirname "$0")/../.."
options=()
parts=()
while (($#)); do
    case $1 in
    --help) usage && exit ;;
    --larger) options=(--larger) ;;
    overlap | axes | chunks | panels | reductions | bounds) parts+=("$1") ;;
    *) usage >&2 && exit 2 ;;
    esac
    shift
done
((${#parts[@]})) || parts=(overlap axes chunks panels reductions bounds)

# The flags of the extension.
mapfile -t flags < <(sed -n '/^UNIX_FLAGS/,/^]/s/.*"\(.*\)".*/\1/p' setup.py)
((${#flags[@]})) || { echo "setup.py has no UNIX_FLAGS" >&2 && exit 2; }
read -ra compiler <<<"${CC:-gcc}"
command -v "${compiler[0]}" >/dev/null || { echo "there is no ${compiler[0]}" >&2 && exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# build PART SOURCE...: one object for each source, so that ccache knows them.
build() {
    local sources=("tests/proofs/shapes/$1.c" "${@:2}") objects
    objects=("${sources[@]/#/$folder/}")
    mkdir -p "${objects[@]%/*}"
    printf '%s\0' "${sources[@]}" | xargs -0 -P "$(nproc)" -I SOURCE \
        "${compiler[@]}" "${flags[@]}" -Werror -Icsrc -c SOURCE -o "$folder/SOURCE.o"
    "${compiler[@]}" "${objects[@]/%/.o}" -o "$folder/$1" -lm
}

kernels=(csrc/kernels/*.c csrc/kernels/isa/*.c)

build_part() {
    case $1 in
    overlap) build overlap ;;
    axes) build axes csrc/runtime/strides.c ;;
    chunks) build chunks csrc/runtime/{strides,transpose,short_rows}.c ;;
    reductions)
        build reductions csrc/runtime/{reduce*,execute,strides,transpose,short_rows}.c "${kernels[@]}"
        ;;
    panels) build panels csrc/runtime/{strides,transpose,short_rows,execute}.c "${kernels[@]}" ;;
    bounds) build bounds "${kernels[@]}" ;;
    esac
}

status=0
for part in "${parts[@]}"; do
    echo "==> $part"
    build_part "$part" || exit 2
    "$folder/$part" "${options[@]}" || status=1
done
exit "$status"
