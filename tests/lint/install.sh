#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What `make install` puts where, that it works there, and that `make uninstall` leaves nothing.
set -u
unset MAKEFLAGS MFLAGS MAKELEVEL
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

count=0
verdict() { # name, found, expected
    count=$((count + 1))
    if [ "$2" = "$3" ]; then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1"
        diff <(echo "$3") <(echo "$2") | sed 's/^/# /'
    fi
}

in_tree() { # make's arguments
    make -C "${HOMING_BUILDDIR:?}" DESTDIR="$work" prefix=/usr libdir=/usr/lib "$@" >"$work.log" 2>&1 ||
        sed 's/^/# /' "$work.log"
    rm -f "$work.log"
}

installed() { (cd "$work" && find . -type f -printf '%m %P\n' | sort -k 2); }

echo 1..5
in_tree install
verdict 'programs, library, example and manual pages are where they belong' "$(installed)" \
    "755 usr/bin/homingctl
644 usr/lib/homing/libhoming.so
755 usr/libexec/homing/homing-sever
755 usr/sbin/homingd
644 usr/share/bash-completion/completions/homingctl
644 usr/share/doc/homing/examples/homing.yaml
644 usr/share/man/man1/homingctl.1
644 usr/share/man/man5/homing.yaml.5
644 usr/share/man/man7/libhoming.7
644 usr/share/man/man8/homing-sever.8
644 usr/share/man/man8/homingd.8"
version=$(sed -n 's/^#define PACKAGE_VERSION "\(.*\)"/\1/p' "$HOMING_BUILDDIR/config.h")
verdict 'the installed agent says its version' "$("$work/usr/sbin/homingd" --version)" "homingd $version"
verdict 'the installed command says its version' "$("$work/usr/bin/homingctl" version 2>/dev/null | head -n 1)" \
    "homingctl $version"
verdict 'the example is a valid configuration' \
    "$("$work/usr/sbin/homingd" --check-config "$work/usr/share/doc/homing/examples/homing.yaml" >/dev/null 2>&1
        echo $?)" 0
in_tree uninstall
verdict 'nothing is left after make uninstall' "$(installed)" ''
