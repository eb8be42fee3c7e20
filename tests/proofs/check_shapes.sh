#!/usr/bin/env bash
# Checks every shape up to a bound: overlap, axes.
set -euo pipefail

parts=(overlap axes)

usage() {
    cat <<'END'
usage: tests/proofs/check_shapes.sh [--larger] [PART...]

Builds tests/proofs/shapes/ with csrc/runtime, by $CC or else gcc, and runs it:

    overlap   no laxer order than overlap.h demands is safe, and its order is
    axes      strides.c keeps each element of the output with its inputs

--larger: to a larger bound. Each part prints what it covered. Exit status: 0 if there are no
findings, 1 if there are some, 2 if the call was wrong.
END
}

cd "$(dirname "$0")/../.."
options=()
wanted=()
while (($#)); do
    case $1 in
    --help) usage && exit ;;
    --larger) options=(--larger) ;;
    overlap | axes) wanted+=("$1") ;;
    *) usage >&2 && exit 2 ;;
    esac
    shift
done
((${#wanted[@]})) || wanted=("${parts[@]}")

# The flags of the extension.
mapfile -t flags < <(sed -n '/^UNIX_FLAGS/,/^]/s/.*"\(.*\)".*/\1/p' setup.py)
((${#flags[@]})) || { echo "setup.py has no UNIX_FLAGS" >&2 && exit 2; }
read -ra compiler <<<"${CC:-gcc}"
command -v "${compiler[0]}" >/dev/null || { echo "there is no ${compiler[0]}" >&2 && exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# compile SOURCE...: one object for each, so that ccache knows them.
compile() {
    local objects=("${@/#/$folder/}")
    mkdir -p "${objects[@]%/*}"
    printf '%s\0' "$@" | xargs -0 -P "$(nproc)" -I SOURCE \
        "${compiler[@]}" "${flags[@]}" -Werror -Icsrc -c SOURCE -o "$folder/SOURCE.o"
}

status=0
for part in "${wanted[@]}"; do
    sources=("tests/proofs/shapes/$part.c")
    case $part in
    axes) sources+=(csrc/runtime/strides.c) ;;
    esac
    compile "${sources[@]}"
    objects=("${sources[@]/#/$folder/}")
    "${compiler[@]}" "${objects[@]/%/.o}" -o "$folder/$part" -lm
    "$folder/$part" "${options[@]}" || status=1
done
exit "$status"
