#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What arm64.sh's machine does: runs the tests that are named on its disk, keeps their logs there, and ends.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=dumb HOMING_TEST_LIMIT=200

ready() {
    mount -t proc none /proc
    mount -t sysfs none /sys
    mkdir -p /dev/pts /dev/shm
    mount -t devpts none /dev/pts
    for folder in /dev/shm /tmp /run; do
        mount -t tmpfs none "$folder"
    done
    ip link set lo up
    ldconfig
    depmod
}

# What was built is not built again. An emulated processor is slow: a test has an hour, and what it says is seen at once.
run() { # folder, tests
    cd "$1" && make -k check-alone TESTS="$2" CC=gcc TEST_TIMEOUT='timeout --foreground -k 10 3600' \
        AWK='mawk -Winteractive' AUTOMAKE=: ACLOCAL=: AUTOCONF=: AUTOHEADER=:
}

keep() { # folder
    mkdir -p /machine/logs
    cp "$1"/tests/shim/*.log "$1"/tests/unit/proto/*.log /machine/logs/
    touch /machine/logs/ended
    sync
}

ready
uname -srm
{
    read -r top
    read -r build
    read -r tests
} </machine/what
for folder in "$top" "$build"; do # where they are on the machine that built them
    mkdir -p "$folder"
    mount --bind "/machine/files$folder" "$folder"
done
run "$build" "$tests"
grep -h '^# [a-z]*, [a-z0-9]*, [0-9]* names: ' "$build/tests/shim/permit.log" # the stack that connects used, in bytes
keep "$build"
mount -o remount,ro /machine
busybox poweroff -f
