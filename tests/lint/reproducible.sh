#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# libhoming.so is the same byte for byte wherever it is built: the one of this build, and two more from copies
# of the source in folders of other names and depths, one built beside its source.
set -u
made=${HOMING_BUILDDIR:?}
src=$(realpath "${HOMING_SRCDIR:?}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The build's own Makefile with other folders put in; only what the library is made of is copied.
build_at() { # source folder, build folder
    mkdir -p "$1" "$2" && cp -rL "$src/shim" "$src/proto" "$1/" && chmod -R u+w "$1" &&
        rm -f "$1/shim/libhoming.so" &&
        make -C "$2" -f "$made/Makefile" srcdir="$1" top_srcdir="$1" abs_srcdir="$1" VPATH="$1" \
            abs_top_srcdir="$1" abs_builddir="$2" abs_top_builddir="$2" shim/libhoming.so \
            >"$work/log" 2>&1 || sed 's/^/# /' "$work/log"
}

same() { # number, file, name
    if cmp "$made/shim/libhoming.so" "$2" 2>&1 | sed 's/^/# /' | grep .; then
        echo "not ok $1 - $3"
    else
        echo "ok $1 - $3"
    fi
}

echo 1..2
build_at "$work/a/source" "$work/b/c/d/build"
same 1 "$work/b/c/d/build/shim/libhoming.so" 'a build in another folder gives the same library'
build_at "$work/short" "$work/short"
same 2 "$work/short/shim/libhoming.so" 'a build beside its source gives the same library'
