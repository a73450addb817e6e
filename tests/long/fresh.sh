#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs ./bootstrap on a fresh machine: a Debian that was just made by debootstrap, with its usual /etc/hosts, mounted as
# `/` in namespaces of its own. As its root, or (--user) as an ordinary user who has sudo. Packages come from where this
# machine's apt has them. Part of `./bootstrap check --long`; needs root, and debootstrap.
#
# usage: fresh.sh BUILDDIR 12|13 [--user] COMMAND...     COMMAND is for ./bootstrap: check --yes
#
# BUILDDIR/long keeps what was downloaded, and the logs of the last run: BUILDDIR/long/log-13.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)

die() {
    echo "fresh.sh: $*" >&2
    exit 1
}

. "$top/tests/long/debian.sh"

# --- The new machine -----------------------------------------------------------------------------------

root_make() {
    rm -rf "$root"
    cp -a "$base/root" "$root"
    printf '%s\n' '127.0.0.1 localhost' '127.0.1.1 fresh' '::1 localhost ip6-localhost ip6-loopback' 'ff02::1 ip6-allnodes' \
        'ff02::2 ip6-allrouters' >"$root/etc/hosts"
    echo fresh >"$root/etc/hostname"
    reach_make "$root"
    # What was downloaded is kept for the next run.
    echo 'Binary::apt-get::APT::Keep-Downloaded-Packages "true";' >>"$root/etc/apt/apt.conf.d/90machine"
    sources_copy
    servers_copy
}

servers_copy() { # that this machine has fetched with npm, which the new one then does not need
    local number place=tools/postgresql
    for number in $("$top/tests/support/postgresql.sh" "$build" list ends); do
        [ -d "$build/$place/$number" ] || continue
        mkdir -p "$root/homing/build/$place"
        cp -r "$build/$place/$number" "$root/homing/build/$place"
    done
}

sources_copy() { # what git would have, also if not committed yet; of a tarball, all but what was built
    mkdir "$root/homing"
    if [ -e "$top/.git" ] && command -v git >/dev/null; then
        git -C "$top" ls-files -z --cached --others --exclude-standard | (cd "$top" && while IFS= read -r -d '' file; do
            [ ! -e "$file" ] || printf '%s\0' "$file"; done)
    else
        (cd "$top" && find . -path ./build -prune -o -type f -print0)
    fi | tar -C "$top" --null --files-from=- -cf - | tar -C "$root/homing" --no-same-owner -xf -
}

user_make() { # whom nobody asks for a password
    chroot "$root" useradd --create-home --shell /bin/bash somebody
    echo 'somebody ALL=(ALL:ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/somebody"
    chroot "$root" chown -R somebody: /homing
}

# --- Inside its namespaces -----------------------------------------------------------------------------

enter() {
    local old=$root/mnt
    hostname fresh
    mount --bind "$root" "$root"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
    mount -t tmpfs -o mode=1777 none "$root/dev/shm"
    mount -t proc proc "$root/proc"
    mount -t tmpfs -o mode=755 none "$root/run"
    mount --bind "$archives" "$root/var/cache/apt/archives"
    cd "$root"
    pivot_root . "$old"
    cd /
    umount -l /mnt
    cd /homing
    local -a as=()
    [ -z "$user" ] || as=(setpriv --reuid=somebody --regid=somebody --init-groups)
    exec "${as[@]}" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM="${TERM:-dumb}" \
        HOME="$([ -n "$user" ] && echo /home/somebody || echo /root)" USER="${user:-root}" CI="${CI:-true}" ./bootstrap "$@"
}

# --- Outside -------------------------------------------------------------------------------------------

take_logs() {
    rm -rf "$long/log-$version"
    [ ! -d "$root/homing/build/log" ] || cp -r "$root/homing/build/log" "$long/log-$version"
    rm -rf "$root"
}

build=$(cd "${1:?usage: fresh.sh BUILDDIR 12|13 [--user] COMMAND...}" && pwd)
version=${2:?}
shift 2
user=
[ "${1:-}" != --user ] || { user=somebody; shift; }
case $version in
12) suite=bookworm ;;
13) suite=trixie ;;
*) die "no Debian $version is known here" ;;
esac
long=$build/long base=$build/long/debian-$version root=$build/long/root-$version archives=$build/long/archives-$version
if [ -n "${HOMING_FRESH:-}" ]; then
    unset HOMING_FRESH
    enter "$@"
fi
[ "$(id -u)" = 0 ] || die 'needs root'
command -v debootstrap >/dev/null || die 'needs debootstrap'
base_make "$version" "$suite" ca-certificates,sudo
trap take_logs EXIT
root_make
[ -z "$user" ] || user_make
HOMING_FRESH=1 unshare --mount --uts --ipc --pid --fork --kill-child "$0" "$build" "$version" ${user:+--user} "$@"
