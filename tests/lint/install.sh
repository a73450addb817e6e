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

# Some compilers make no 32-bit library.
stub=
[ ! -e "$HOMING_BUILDDIR/shim/libhoming32.so" ] || stub='644 usr/lib/homing/lib32/libhoming.so
'
preload="$work/usr/lib/homing/\$LIB/libhoming.so"

# Is it mapped by a process that is started with the path above? It prints its own /proc/self/maps.
maps() { # which library, program
    local library=$1
    shift
    LD_PRELOAD=$preload "$@" 2>&1 | awk -v library="$library" '
        $NF == library {found = 1; next}
        /ERROR|error|cannot/ {print; bad = 1}
        END {if (!bad) print found ? "loaded" : "not loaded"}'
}

# A program without libc, for the loader of this machine's 32-bit libc.
program32() {
    ${CC:-cc} -m32 -O1 -fPIE -pie -nostdlib -fno-stack-protector -o "$work/program32" -x c - 2>&1 <<'END'
static int call(int number, int a, const void *b, int c)
{
    int r;
    __asm__ volatile("xchg %%ebx, %1; int $0x80; xchg %%ebx, %1"
                     : "=a"(r), "+r"(a) : "a"(number), "c"(b), "d"(c) : "memory");
    return r;
}

void _start(void)
{
    static const char path[] = "/proc/self/maps";
    static char bytes[4096];
    int n, fd = call(295 /* openat */, -100, path, 0);

    while ((n = call(3, fd, bytes, sizeof(bytes))) > 0)
        call(4, 1, bytes, n);
    call(1, 0, 0, 0);
}
END
}

installed() { (cd "$work" && find . -type f -printf '%m %P\n' | LC_ALL=C sort -k 2); }

echo 1..11
in_tree install
verdict 'programs, library, example and manual pages are where they belong' "$(installed)" \
    "755 usr/bin/homingctl
${stub}644 usr/lib/homing/libhoming.so
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
verdict 'with $LIB in the path, a 64-bit program of glibc loads the library' \
    "$(maps "$work/usr/lib/homing/libhoming.so" cat /proc/self/maps)" loaded
echo 'int main(void) { char b[4096]; int n, f = open("/proc/self/maps", 0);
      while ((n = read(f, b, sizeof b)) > 0) write(1, b, n); return 0; }' |
    cat <(printf '#include <fcntl.h>\n#include <unistd.h>\n') - >"$work/maps.c"
musl-gcc -O2 -o "$work/musl" "$work/maps.c" 2>&1 | sed 's/^/# /'
verdict 'with $LIB in the path, a program of musl loads the library (musl-gcc is in musl-tools)' \
    "$(maps "$work/usr/lib/homing/libhoming.so" "$work/musl")" loaded
name='with $LIB in the path, a 32-bit program loads the stub, and nothing is printed'
libc32=$(find /lib32/libc.so.6 /lib/i386-linux-gnu/libc.so.6 2>/dev/null | head -n 1)
if [ -n "$stub" ] && [ -x "$libc32" ] && program32 | sed 's/^/# /' && "$work/program32" >/dev/null; then
    verdict "$name" "$(maps "$work/usr/lib/homing/lib32/libhoming.so" "$work/program32")" loaded
    verdict 'a real 32-bit program says what it says without it' \
        "$(LD_PRELOAD=$preload "$libc32" 2>&1)" "$("$libc32" 2>&1)"
else
    count=$((count + 2))
    echo "ok $((count - 1)) - $name # SKIP no 32-bit programs here: libc6-i386 is missing, or this kernel runs none"
    echo "ok $count - a real 32-bit program says what it says without it # SKIP as the one before"
fi
rm -f "$work/maps.c" "$work/musl" "$work/program32"
in_tree uninstall
verdict 'nothing is left after make uninstall, nor a folder of our own' \
    "$(installed; cd "$work" && find . -name 'homing*')" ''
