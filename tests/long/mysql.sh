#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes a root that has MySQL's server and client, as Debian's unstable suite has them: other suites have MariaDB alone.
# tests/support/mysql.py starts the servers in it. Part of `./bootstrap check --long`; needs root, and debootstrap.
#
# usage: mysql.sh BUILDDIR     makes BUILDDIR/long/mysql/root, once, and prints the version that is there
set -euo pipefail
export LC_ALL=C.UTF-8
top=$(cd "$(dirname "$0")/../.." && pwd)

die() {
    echo "mysql.sh: $*" >&2
    exit 1
}

. "$top/tests/long/debian.sh"

inside() {
    chroot "$base/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"
}

newest() { # what the names of packages begin with
    inside apt-cache pkgnames "$1" | grep -E "^$1(-[0-9.]+)?\$" | sort -V | tail -n 1
}

servers_install() { # the programs alone: nothing that would start a service
    local package found packages=()
    # Lists of this suite expire within days, and a mirror may be behind. The signature counts; debootstrap asks for no more.
    reach_make "$base/root" && inside apt-get -q -o Acquire::Check-Valid-Until=false update || return
    for package in mysql-server-core mysql-client-core; do
        found=$(newest $package) && [ -n "$found" ] ||
            { echo "no package $package is in Debian's unstable suite now"; return 1; }
        packages+=("$found")
    done
    inside apt-get -q install -y --no-install-recommends "${packages[@]}" && inside apt-get clean
}

build=$(cd "${1:?usage: mysql.sh BUILDDIR}" && pwd)
base=$build/long/mysql archives=$build/long/archives-sid
[ "$(id -u)" = 0 ] || die 'needs root'
command -v debootstrap >/dev/null || die 'needs debootstrap'
base_make unstable sid ca-certificates
if [ ! -e "$base/installed" ]; then
    servers_install >"$base/log" 2>&1 || { tail -n 20 "$base/log" >&2; die "no MySQL could be installed: $base/log"; }
    touch "$base/installed"
fi
inside mysqld --no-defaults --version
