#!/usr/bin/env bash
# Builds for AArch64, and runs the self-check and a choice of the tests there, emulated by qemu-user.
# Usage: tests/aarch64.sh [FOLDER [OPTION OF PYTEST...]]
# FOLDER keeps Python and the libraries for the next run, and FOLDER/python starts it; by default
# all is temporary. Options replace the self-check and the choice of tests. PYTHON (python3) has
# pip. RELEASE is another Debian release than this machine's. WHEEL is a file to test instead of a
# build from these sources.
set -euo pipefail

python=$(command -v "${PYTHON:-python3}")
compiler=${CC:-aarch64-linux-gnu-gcc}
wheel=${WHEEL:+$(realpath "$WHEEL")}
if (($#)); then
    mkdir -p "$1"
    work=$(realpath "$1")
    shift
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi
: "${work:?}"
cd "$(dirname "$0")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
unset PYTHONPATH FASTRELU_ISA

# The default CPU computes pointer authentication at every return: five times the time.
export QEMU_CPU=neoverse-n1 QEMU_LD_PREFIX=$work/root

stop() {
    echo "${0##*/}: $*" >&2
    exit 2
}

for command in apt-get dpkg-deb qemu-aarch64-static "${compiler##* }"; do
    command -v "$command" >/dev/null || stop "$command is not found. It needs Debian with" \
        "qemu-user-static, gcc-aarch64-linux-gnu and libc6-dev-arm64-cross"
done

# Python's packages for arm64, from where apt has this machine's. They are unpacked, not installed.
unpack_python() {
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg root=$work/unpacked own file folder
    own=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    rm -rf "$root" "$work/apt"
    mkdir -p "$work"/apt/{lists,archives}/partial "$root"/usr/{bin,lib,sbin}
    cat >"$work/apt/conf" <<-END
		APT::Architecture "arm64";
		APT::Architectures { "arm64"; };
		APT::Sandbox::User "";
		Acquire::Languages "none";
		Dir::Cache "$work/apt";
		Dir::Etc::SourceList "$work/apt/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::State::Lists "$work/apt/lists";
		Dir::State::Status "/dev/null";
	END
    apt-get indextargets "Created-By: Packages" "Origin: Debian" "Codename: $own" --format \
        "deb [signed-by=$keyring] \$(REPO_URI) ${RELEASE:-$own} \$(COMPONENT)" \
        >"$work/apt/sources.list"
    [[ -s $work/apt/sources.list ]] || stop "apt has no list of Debian $own: run apt-get update"
    local -x APT_CONFIG=$work/apt/conf
    apt-get -qq update
    apt-get -qq install --download-only --no-install-recommends python3 libstdc++6
    cd "$work/apt/archives"
    file=$(echo python3.*-minimal_*.deb)
    apt-get -qq download "lib${file%%-minimal*}-dev"
    for folder in bin lib sbin; do
        ln -s "usr/$folder" "$root"
    done
    for file in *.deb; do
        dpkg-deb --extract "$file" "$root"
    done
    cd "$OLDPWD"
    mv "$root" "$work/root"
}
[[ -d $work/root ]] || unpack_python
libraries=$work/root/usr/lib/python3/dist-packages
version=$(basename "$work"/root/usr/include/python3.*)
version=${version#python}

# Tests start child processes by this name, so that the system need not know of qemu.
cat >"$work/python" <<END
#!/bin/sh
QEMU_CPU=$QEMU_CPU QEMU_LD_PREFIX=$QEMU_LD_PREFIX exec qemu-aarch64-static \\
    $work/root/usr/bin/python$version "\$@"
END
chmod +x "$work/python"
rm -f "$work/root/usr/lib/python$version/sitecustomize.py"
echo "import sys; sys.executable = '$work/python'" >"$libraries/sitecustomize.py"

if [[ ! -d $libraries/numpy ]]; then
    "$python" -m pip install -q --target "$libraries" --no-compile --only-binary=:all: \
        --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
        --platform manylinux2014_aarch64 --implementation cp --python-version "$version" \
        numpy ml_dtypes hypothesis pytest pytest-xdist threadpoolctl
    # Bytecode is the same on every machine, and slow to make under emulation.
    if [[ $("$python" -c "import sys; print('%d.%d' % sys.version_info[:2])") == "$version" ]]; then
        "$python" -m compileall -q -x "/tests?/" "$work"/root/usr/lib/python{3,"$version"}
    fi
fi

# By setup.py, which finds the headers of the other machine before those that it asks for.
build() {
    local include=$work/include numpy=$work/include/numpy multiarch=aarch64-linux-gnu
    [[ -d $work/host ]] || "$python" -m pip install -q --target "$work/host" cython setuptools
    rm -rf "$work"/{include,source}
    mkdir -p "$include/$multiarch" "$numpy/_core" "$work/source"
    cp -r "$work/root/usr/include/python$version" "$include"
    cp -r "$work/root/usr/include/$multiarch/python$version" "$include/$multiarch"
    cp "$libraries"/numpy/*.pxd "$numpy"
    cp -r "$libraries/numpy/_core/include" "$numpy/_core"
    echo "def get_include(): return '$numpy/_core/include'" >"$numpy/__init__.py"
    cp -r csrc fastrelu pyproject.toml setup.py README.md LICENSE "$work/source"
    rm -f "$work"/source/fastrelu/_core.{c,*so}
    (
        cd "$work/source"
        CC=$compiler LDSHARED="$compiler -shared" SETUPTOOLS_EXT_SUFFIX=.so \
            CFLAGS="-I$include/python$version -I$include -g0 -Werror" \
            PYTHONPATH=$work/host:$include \
            "$python" setup.py -q build_ext --inplace
    )
    cp -r "$work/source/fastrelu" "$libraries"
}
rm -rf "$libraries"/fastrelu{,-*} "$work/run"
if [[ $wheel ]]; then
    "$python" -m zipfile --extract "$wheel" "$libraries"
else
    build
fi

# Away from the sources, where nothing is compiled.
mkdir "$work/run"
cp -r tests pyproject.toml "$work/run"
cd "$work/run"
pytest() {
    "$work/python" -P -m pytest -q -p no:cacheprovider "$@"
}
if (($#)); then
    pytest "$@"
    exit
fi

# The kernels have a check in C; these are what may differ on another machine around them.
files=(tests/kernels/test_{dispatch,masks}.py tests/runtime/test_{limits,threads}.py
    tests/ufunc/test_{fast_call,fpstatus,private_members,patch,patch_probes,patched_clip}.py)
left_out="no_other_thread or g-40003 or f2-40003 or f8-40003 or (masks and python)
    or (fast_call and (leaky or clipped or soft))"
"$work/python" -P -m fastrelu check >"$work/check.log" 2>&1 &
status=0
pytest -n 2 --dist loadgroup -k "not (${left_out//$'\n'/})" "${files[@]}" || status=1
wait $! || status=1
cat "$work/check.log"
exit "$status"
