/* SPDX-License-Identifier: Apache-2.0
 *
 * next.c - prints TAP: the walk through loaded objects finds what dlsym() finds. A program of its
 * own, built for each libc, because the walk is about their loaders; it stands for the object to
 * search behind.
 */
#include <dlfcn.h>
#include <stdio.h>

#include "shim/libc/next.h"

static int tests, failed;

static void check(int right, const char *what, const char *name)
{
    tests++;
    failed += !right;
    printf("%sok %d - %s: %s\n", right ? "" : "not ", tests, what, name);
}

int main(void)
{
    printf("1..%d\n", NEXT_COUNT * 2 + 3);
    for (int id = 0; id < NEXT_COUNT; id++) {
        const char *name = next_names[id];
        void *libc = dlsym(RTLD_NEXT, name);

        check(libc && next_walk(name) == libc, "the walk finds what libc has", name);
        check(next_get(id) == libc && next_get(id) == libc, "and so does the first use", name);
    }
    check(!next_walk("next_no_such_function"), "what nobody has is not found", "by the walk");
    check(!next_dlsym("next_no_such_function"), "what nobody has is not found", "by dlsym");
    check(!next_walk("environ"), "data is never found", "environ");
    return failed != 0;
}
