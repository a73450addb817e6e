#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Cross-builds the library for arm64, and runs its tests on Debian's kernel for arm64, in an emulated machine without a
# network. glibc and musl. Run by hand, on amd64, by anybody. Needs gcc-aarch64-linux-gnu, qemu-system-arm, e2fsprogs, cpio.
#
# The arm64 packages, the kernel too, come from where this machine's apt has its own. They are unpacked to
# BUILDDIR/long/arm64, and not installed. They are what is linked with, and the root of the machine. Sources and build are
# copied to a disk of its own, on which the machine leaves the logs: BUILDDIR/long/arm64/logs.
#
# usage: arm64.sh BUILDDIR [TEST...]     without a TEST: all of the library, and the messages and views
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)

die() {
    echo "arm64.sh: $*" >&2
    exit 1
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

packages() { # what is linked with; then what the tests call inside; then the machine
    local msgpack=libmsgpack-dev
    [ "$(. /etc/os-release && echo "$VERSION_ID")" = 12 ] || msgpack=libmsgpack-c-dev
    echo libc6-dev musl-dev libcmocka-dev libc-ares-dev libpq-dev libev-dev "$msgpack" libcyaml-dev libyaml-dev libssl-dev \
        libsodium-dev libjansson-dev
    echo python3 make g++ musl-tools iproute2 libcap2-bin libjemalloc2 valgrind
    echo base-files base-passwd bash dash coreutils sed grep mawk findutils util-linux mount procps libc-bin kmod netbase \
        busybox-static linux-image-arm64
}

root_make() { # once
    local deb
    [ ! -e "$long/made" ] || return 0
    rm -rf "$long"
    apt_make
    arm_apt update
    arm_apt install -y --download-only $(packages)
    mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib"
    ln -s usr/bin usr/sbin usr/lib "$root/"
    for deb in "$apt"/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --keep-directory-symlink --no-same-owner \
            --exclude='./usr/share/'{doc,locale,man}'/*' --exclude='./usr/include/boost'
    done
    root_configure
    disk_make "$root" "$long/root.disk" 3G
    rm -rf "$apt/cache"
    touch "$long/made"
}

root_configure() { # what the packages would do when they are installed, as far as the tests need it
    local modules
    modules=$(echo "$root"/usr/lib/modules/*/kernel)
    find "$modules" -name '*.ko' |
        grep -Ev '_diag\.ko$|/(ext4|jbd2|mbcache|crc16|crc32c_generic|virtio_mmio|virtio_blk|veth)\.ko$' | xargs rm
    mkdir -p "$root"/{proc,sys,dev,tmp,run,root,etc,var/tmp,machine}
    ln -sfn /run "$root/var/run"
    ln -sf dash "$root/usr/bin/sh"
    ln -sf mawk "$root/usr/bin/awk"
    cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
    cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
    echo 'nameserver 127.0.0.1' >"$root/etc/resolv.conf"
    printf '%s: files\n' passwd group hosts services protocols >"$root/etc/nsswitch.conf"
    # No script compiles Python's own modules there. This machine's Python is of the same version.
    /usr/bin/python3 -m compileall -q --invalidation-mode unchecked-hash -s "$root" -p / \
        -x '/python3[^/]*/(test|idlelib|lib2to3|dist-packages)/' "$root"/usr/lib/python3.* >/dev/null || true
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
        "$top/configure" --host=aarch64-linux-gnu --enable-werror CC="$long/cc" MUSL_GCC="$long/musl-gcc" \
        PYTHON3=/usr/bin/python3 AWK=mawk
    make -j"$(nproc)" shim/libhoming.so tests/support/fake_agent tests/shim/probe-glibc tests/shim/probe-musl $programs
}

# --- The machine ---------------------------------------------------------------------------------------

start_make() { # what the kernel starts: it has no driver of its own for the disk
    local start=$long/start modules name number=10
    modules=$(echo "$root"/usr/lib/modules/*/kernel)
    rm -rf "$start"
    mkdir -p "$start"/{bin,dev,disk,modules,root}
    cp "$root/bin/busybox" "$start/bin/"
    for name in crc16 crc32c_generic mbcache jbd2 ext4 virtio_mmio virtio_blk; do # each needs those before it
        cp "$(find "$modules" -name "$name.ko")" "$start/modules/$((number++))-$name.ko"
    done
    cp "$top/tests/long/arm64_start.sh" "$start/init"
    (cd "$start" && find . | cpio -o -H newc --quiet) >"$long/start.cpio"
}

disk_make() { # folder, disk, size
    rm -f "$2"
    truncate -s "$3" "$2"
    mkfs.ext4 -q -F -O ^has_journal -d "$1" "$2"
}

work_make() { # the other disk
    local files=$long/work/files
    rm -rf "$long/work"
    mkdir -p "$files$top" "$files$dir"
    tar -C "$top" --exclude=./build --exclude='./build-*' --exclude=./.git -c . | tar -C "$files$top" -x
    tar -C "$dir" -c . | tar -C "$files$dir" -x
    # The machine has not the headers that these name, and make would compile for each that is missing.
    find "$files$dir" -path '*/.deps/*.Po' -exec truncate -s 0 {} +
    cp "$top/tests/long/arm64_inside.sh" "$long/work/inside.sh"
    printf '%s\n' "$top" "$dir" "$tests" >"$long/work/what"
    disk_make "$long/work" "$long/work.disk" 1G
}

# Its clock goes by the instructions that it has executed, and on to the next timer while it has nothing to do: however busy
# this machine is, a program there has its 20 ms.
machine_run() { # its console is what it prints
    qemu-system-aarch64 -M virt -cpu max,pauth-impdef=on -icount shift=1,sleep=off -m 2048 -smp 2 \
        -nographic -nic none -no-reboot \
        -kernel "$root"/boot/vmlinuz-* -initrd "$long/start.cpio" -append 'console=ttyAMA0 quiet panic=-1' \
        -drive "if=none,id=root,format=raw,snapshot=on,file=$long/root.disk" -device virtio-blk-device,drive=root \
        -drive "if=none,id=work,format=raw,cache=unsafe,file=$long/work.disk" -device virtio-blk-device,drive=work </dev/null |
        sed -u 's/\r//g' | tee "$long/console" | grep --line-buffered -E '^(PASS|FAIL|SKIP|XFAIL|XPASS|ERROR): |^# [a-z]*, |^Linux '
}

totals() { # of each script, from what the machine printed
    awk '/^(PASS|FAIL|SKIP|ERROR): / { if (!seen[$2]++) order[++n] = $2; count[$2, $1]++; count["all", $1]++ }
        function line(name) { printf "%-40s %4d passed %4d failed %4d skipped\n", name, count[name, "PASS:"],
                              count[name, "FAIL:"] + count[name, "ERROR:"], count[name, "SKIP:"] }
        END { for (i = 1; i <= n; i++) line(order[i]); line("all") }' "$long/console"
}

logs_fetch() {
    rm -rf "$long/logs"
    debugfs -R "rdump /logs $long" "$long/work.disk" >/dev/null 2>&1
    [ -e "$long/logs/ended" ] || { tail -n 20 "$long/console" >&2; die "the machine did not come to its end: $long/console"; }
}

# --- What is looked at here ----------------------------------------------------------------------------

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

build=$(cd "${1:?usage: arm64.sh BUILDDIR [TEST...]}" && pwd)
shift
long=$build/long/arm64 root=$long/root apt=$long/apt dir=$build/check/arm64
programs="$(tests_of tests/shim/Makefile.inc SHIM_UNIT_TESTS)
    $(tests_of tests/unit/Makefile.inc UNIT_TESTS | grep ^tests/unit/proto/) tests/shim/next-glibc.t tests/shim/next-musl.t"
tests=$(echo ${*:-$(tests_of tests/shim/Makefile.inc SHIM_TESTS) $programs})
PATH=$PATH:/usr/sbin:/sbin
for program in aarch64-linux-gnu-gcc qemu-system-aarch64 mkfs.ext4 debugfs cpio; do
    type "$program" >/dev/null 2>&1 || die "there is no $program: the head of this file names the packages"
done
root_make
compilers_make
(build_all)
library_checks
start_make
work_make
machine_run || true
logs_fetch
totals
