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

installed() { (cd "$work" && find . -type f -printf '%m %P\n' | LC_ALL=C sort -k 2); }

echo 1..7
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
verdict 'the installed command starts programs under the installed library' \
    "$(HOMING_SOCKET=/nonexistent/agent.sock "$work/usr/bin/homingctl" run -- sh -c 'echo "$LD_PRELOAD"' 2>/dev/null)" \
    "$work/usr/lib/homing/libhoming.so"
if command -v groff >/dev/null; then
    verdict 'the manual pages are rendered without a warning' "$(
        find "$work" -name '*.[1-8]' -path '*/man/*' | while read -r page; do
            groff -mdoc -ww -K utf8 -Tutf8 -z "$page" 2>&1
            ! command -v mandoc >/dev/null || mandoc -T lint -W warning "$page"
        done)" ''
else
    count=$((count + 1))
    echo "ok $count - the manual pages are rendered without a warning # SKIP groff is missing"
fi
in_tree uninstall
verdict 'nothing is left after make uninstall, nor a folder of our own' \
    "$(installed; cd "$work" && find . -name 'homing*')" ''
