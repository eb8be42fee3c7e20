#!/usr/bin/env bash
# Checks every kernel without Python, here and on other machines by emulation.
set -euo pipefail

usage() {
    cat <<'END'
usage: tests/kernels/check_kernels.sh [--options "..."] [TARGET...]

Builds tests/kernels/driver/ with csrc/kernels, csrc/runtime and csrc/check, and runs it.

    native     this machine (the default), with $CC, else gcc
    aarch64, s390x, riscv64, ppc64le
               Linux, with Debian's cross compilers, by qemu-user
    windows    x86-64, with clang, by Wine
    windows-zig
               the same with zig: $PYTHON -m ziglang

--options: what the driver takes, as "--set neon --one-of 1". --options --help lists it.
KEEP=folder keeps what was built there. OBJECTS=folder has csrc compiled, as FOLDER/csrc/kernels/plain.o and
so on: then the driver alone is compiled.
END
}

cd "$(dirname "$0")/../.."

# The flags of the extension.
mapfile -t flags < <(sed -n '/^UNIX_FLAGS/,/^]/s/.*"\(.*\)".*/\1/p' setup.py)
((${#flags[@]})) || { echo "setup.py has no UNIX_FLAGS" >&2 && exit 2; }
flags+=(-Werror -Icsrc)
sources=(csrc/kernels/*.c csrc/kernels/isa/*.c csrc/runtime/*.c csrc/check/*.c)
compiled=()
if [[ ${OBJECTS:-} ]]; then
    compiled=("${sources[@]/#/$OBJECTS/}")
    compiled=("${compiled[@]/%.c/.o}")
    sources=()
fi
sources+=(tests/kernels/driver/*.c)

# need COMMAND PACKAGE
need() {
    command -v "$1" >/dev/null && return
    echo "tests/kernels/check_kernels.sh: there is no $1: on Debian, apt-get install $2" >&2
    exit 2
}

# build OUTPUT COMPILER...: one object for each source, so that ccache knows them.
build() {
    local output=$1 objects
    shift
    objects=("${sources[@]/#/$output.objects/}")
    mkdir -p "${objects[@]%/*}"
    printf '%s\0' "${sources[@]}" | xargs -0 -P "$(nproc)" -I SOURCE \
        "$@" "${flags[@]}" -c SOURCE -o "$output.objects/SOURCE.o"
    "${linker[@]:-$@}" "${objects[@]/%/.o}" "${compiled[@]}" "${libraries[@]}" -o "$output"
}

# The CPUs are those that qemu emulates fastest, or that have what a set needs.
emulate() {
    local triple=$1 machine=$2 cpu=$3 packages=$4
    need "$triple-gcc" "$packages"
    need "qemu-$machine-static" qemu-user-static
    build "$folder/$machine" "$triple-gcc"
    QEMU_CPU=$cpu "qemu-$machine-static" -L "/usr/$triple" "$folder/$machine" "${options[@]}"
}

# gcc does not align AVX registers on the stack of 64-bit Windows (its bug 54412): it only links.
windows() {
    local wine
    for wine in wine64 /usr/lib/wine/wine64 wine; do
        command -v "$wine" >/dev/null && break
    done
    need "$wine" wine64
    build "$folder/$target.exe" "$@"
    # Without /dev/null and cat Wine waits for a terminal.
    WINEDEBUG=-all WINEPREFIX=$folder/wine "$wine" "$folder/$target.exe" "${options[@]}" \
        </dev/null 2>/dev/null | cat
}

run_target() {
    local libraries=(-lm -lpthread) linker=()
    case $1 in
    native)
        read -ra compiler <<<"${CC:-gcc}"
        need "${compiler[0]}" "gcc libc6-dev"
        build "$folder/native" "${compiler[@]}"
        "$folder/native" "${options[@]}"
        ;;
    aarch64) emulate aarch64-linux-gnu aarch64 neoverse-n1 "gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;;
    s390x) emulate s390x-linux-gnu s390x max "gcc-s390x-linux-gnu libc6-dev-s390x-cross" ;;
    riscv64) emulate riscv64-linux-gnu riscv64 rv64 "gcc-riscv64-linux-gnu libc6-dev-riscv64-cross" ;;
    ppc64le) emulate powerpc64le-linux-gnu ppc64le power9 "gcc-powerpc64le-linux-gnu libc6-dev-ppc64el-cross" ;;
    windows)
        need clang clang
        need x86_64-w64-mingw32-gcc gcc-mingw-w64-x86-64
        linker=(x86_64-w64-mingw32-gcc -static)
        libraries=(-lsynchronization)
        windows clang --target=x86_64-w64-mingw32
        ;;
    windows-zig)
        "$python" -m ziglang version >/dev/null || { echo "pip install ziglang" >&2 && exit 2; }
        libraries=(-lapi-ms-win-core-synch-l1-2-0) # zig has no -lsynchronization
        windows "$python" -m ziglang cc -target x86_64-windows-gnu -fno-sanitize=all
        ;;
    *) usage >&2 && exit 2 ;;
    esac
}

python=${PYTHON:-python3}
options=()
targets=()
while (($#)); do
    case $1 in
    --help) usage && exit ;;
    --options) read -ra options <<<"$2" && shift ;;
    *) targets+=("$1") ;;
    esac
    shift
done
((${#targets[@]})) || targets=(native)

folder=${KEEP:-$(mktemp -d)}
[[ ${KEEP:-} ]] || trap 'rm -rf "$folder"' EXIT
for target in "${targets[@]}"; do
    echo "==> $target"
    run_target "$target"
done
