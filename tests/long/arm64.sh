#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Cross-builds the library for arm64 and runs its tests under qemu-user, on glibc and musl. Run by hand,
# on amd64. Needs gcc-aarch64-linux-gnu, qemu-user-static, and a kernel (6.7 or later) on which a user namespace
# has formats of binaries of its own: this machine learns to run arm64 programs in the namespace of the tests alone.
#
# The arm64 packages come from where this machine's apt has its own. They are unpacked to BUILDDIR/long/arm64, and not
# installed. What qemu-user cannot do is listed below, and is skipped by name.
#
# usage: arm64.sh BUILDDIR
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
formats=/usr/lib/binfmt.d/qemu-aarch64.conf

die() {
    echo "arm64.sh: $*" >&2
    exit 1
}

# What fails under qemu-user whatever the library does: the test, and what the emulator lacks.
known() {
    cat <<'LIST'
tests/shim/names.py readers take turns|qemu-user does not clear memory at a fork (MADV_WIPEONFORK)
tests/shim/attach.py a reply with two descriptors|qemu-user makes room for more descriptors than the program has
tests/shim/behind a_thread_whose_clock_is_behind|qemu-user has no SO_COOKIE
LIST
}

# What is not run there: it needs what qemu-user lacks, as SO_COOKIE, seccomp, ptrace, SIGBUS in place of EFAULT, or the
# library of this machine; or it has not been looked into why it fails there.
left_out() {
    printf 'tests/shim/%s\n' no_memory tags tags_midway renew.py process.py families.py assume.py connect.py permit.py \
        byways.py not_looking.py unwind.py charge.py sandbox.py strangers.py ahead.py
}

# --- The arm64 system ----------------------------------------------------------------------------------

arm_apt() {
    APT_CONFIG=$apt/conf apt-get -q "$@"
}

apt_make() { # an apt of its own, which knows nothing of this machine's packages
    local suite mirror
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
    [ -n "$mirror" ] || die "this machine's apt knows no source of Debian"
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/etc/apt.conf.d" "$apt/etc/preferences.d"
    : >"$apt/state/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$apt/etc/sources.list"
    {
        apt-config dump 2>/dev/null | grep -E '^Acquire::(http|https|ftp|Retries|ForceIPv)[^ ]* "[^"]+' || true
        printf '%s "%s";\n' Dir::Etc "$apt/etc" Dir::Etc::SourceParts /dev/null Dir::State "$apt/state" \
            Dir::State::status "$apt/state/status" Dir::Cache "$apt/cache" APT::Architecture arm64 \
            APT::Architectures:: arm64 APT::Install-Recommends false Debug::NoLocking 1 APT::Sandbox::User root
    } >"$apt/conf"
}

root_make() { # once
    local msgpack=libmsgpack-dev deb
    [ ! -e "$long/made" ] || return 0
    rm -rf "$long"
    apt_make
    [ "$(. /etc/os-release && echo "$VERSION_ID")" = 12 ] || msgpack=libmsgpack-c-dev
    arm_apt update
    arm_apt install -y --download-only libc6-dev musl-dev libcmocka-dev libc-ares-dev libpq-dev libev-dev "$msgpack" \
        libcyaml-dev libyaml-dev libssl-dev libsodium-dev libjansson-dev
    mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib"
    ln -s usr/bin usr/sbin usr/lib "$root/"
    for deb in "$apt"/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --keep-directory-symlink --no-same-owner
    done
    rm -rf "$apt/cache"
    touch "$long/made"
}

# --- The build -----------------------------------------------------------------------------------------

compilers_make() {
    local specs=$root/usr/lib/aarch64-linux-musl/musl-gcc.specs
    printf '#!/bin/sh\nexec aarch64-linux-gnu-gcc --sysroot=%s "$@"\n' "$root" >"$long/cc"
    sed -E "s#/usr/(include|lib)/aarch64-linux-musl#$root&#g" "$specs" >"$long/musl.specs"
    printf '#!/bin/sh\nexec aarch64-linux-gnu-gcc "$@" -specs %s\n' "$long/musl.specs" >"$long/musl-gcc"
    chmod +x "$long/cc" "$long/musl-gcc"
}

tests_of() { # file, variable
    sed -n "s/^$2 += //p" "$top/$1"
}

build_all() {
    mkdir -p "$dir"
    cd "$dir"
    [ -e Makefile ] || PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH='' \
        PKG_CONFIG_LIBDIR=$root/usr/lib/aarch64-linux-gnu/pkgconfig:$root/usr/share/pkgconfig \
        "$top/configure" --host=aarch64-linux-gnu --enable-werror CC="$long/cc" MUSL_GCC="$long/musl-gcc"
    make -j"$(nproc)" shim/libhoming.so tests/support/fake_agent tests/shim/probe-glibc tests/shim/probe-musl $programs
}

# --- What is looked at ---------------------------------------------------------------------------------

check() { # a sentence, command…
    local what=$1
    shift
    if "$@" >/dev/null; then echo "PASS: tests/long/arm64.sh - $what"; else echo "FAIL: tests/long/arm64.sh - $what"; fi
}

has_no_needed() {
    ! readelf -dW "$library" | grep NEEDED
}

exports_are_the_list() { # libhoming.map's
    local listed
    listed=$(sed -n '/global:/,/local:/p' "$top/shim/libhoming.map" | grep -o '[a-z_0-9]*;' | tr -d ';' | sort)
    [ "$(nm -D --defined-only "$library" | awk '{ print $3 }' | sed 's/@.*//' | sort)" = "$listed" ]
}

library_checks() {
    library=$dir/shim/libhoming.so
    check 'the library has landing pads and signed returns' grep -q 'AArch64 feature: BTI, PAC' <(readelf -nW "$library")
    check 'the library needs no other one' has_no_needed
    check 'the library exports what its list says' exports_are_the_list
    check 'the library has a table to unwind by' grep -q GNU_EH_FRAME <(readelf -lW "$library")
}

# What is known to fail is skipped by name; a script that failed for that alone has not failed.
judge() { # log
    known | awk -F'|' 'NR == FNR { why[$1] = $2; next }
        /^FAIL: / { name = $0; sub(/^FAIL: /, "", name); split(name, word, " "); sub(/ [0-9]+ -/, "", name)
                    for (k in why) if (index(name, k) == 1) { print "SKIP: " substr($0, 7) ": " why[k]; known[word[1]] = 1; next }
                    bad[word[1]] = 1 }
        /^ERROR: .* - exited with status 1$/ { split($0, word, " "); late[word[2]] = $0; next }
        { print }
        END { for (test in late) if (bad[test] || !known[test]) print late[test] }' - "$1"
}

enter() { # in a user namespace and a mount namespace of its own
    mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
    cat "$formats" >/proc/sys/fs/binfmt_misc/register
    mount -t overlay -o "lowerdir=/usr/lib:$root/usr/lib" overlay /usr/lib
    make -C "$dir" -k check-TESTS TESTS="$tests"
}

build=$(cd "${1:?usage: arm64.sh BUILDDIR}" && pwd)
long=$build/long/arm64 root=$long/root apt=$long/apt dir=$build/check/arm64
programs="$(tests_of tests/shim/Makefile.inc SHIM_UNIT_TESTS | grep -vxFf <(left_out))
    $(tests_of tests/unit/Makefile.inc UNIT_TESTS | grep ^tests/unit/proto/) tests/shim/next-glibc.t tests/shim/next-musl.t"
scripts=$(tests_of tests/shim/Makefile.inc SHIM_TESTS | grep -vxFf <(left_out))
tests=$(echo $programs $scripts)
if [ -n "${HOMING_ARM64:-}" ]; then
    unset HOMING_ARM64
    enter
    exit
fi
[ -e $formats ] || die 'needs qemu-user-static'
root_make
compilers_make
(build_all)
library_checks
HOMING_ARM64=1 unshare --user --map-root-user --mount "$0" "$build" >"$dir/tests.log" 2>&1 || true
grep -q '^PASS: ' "$dir/tests.log" || { tail -n 20 "$dir/tests.log" >&2; die 'no test ran'; }
left_out | sed 's/.*/SKIP: & - not run under qemu-user/'
judge "$dir/tests.log"
