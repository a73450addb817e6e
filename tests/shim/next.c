/* SPDX-License-Identifier: Apache-2.0
 *
 * next.c - prints TAP: the walk through loaded objects finds what dlsym() finds. A program of its
 * own, built for each libc, because the walk is about their loaders; it stands for the object to
 * search behind.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <sys/auxv.h>

#include "shim/libc/next.h"

#ifdef __x86_64__
#define KERNELS_CLOCK "__vdso_clock_gettime"
#else
#define KERNELS_CLOCK "__kernel_clock_gettime"
#endif

static int tests, failed;

static void check(int right, const char *what, const char *name)
{
    tests++;
    failed += !right;
    printf("%sok %d - %s: %s\n", right ? "" : "not ", tests, what, name);
}

/* The object that the kernel maps into each process, if it does: not under valgrind. */
static void check_image(void)
{
    const ElfW(Ehdr) *image = (const void *)getauxval(AT_SYSINFO_EHDR);

    check(!image || next_in_image(image, KERNELS_CLOCK), "the kernel's image has it",
          KERNELS_CLOCK);
    check(!image || !next_in_image(image, "next_no_such_function"), "what nobody has is not found",
          "in the kernel's image");
}

int main(void)
{
    printf("1..%d\n", NEXT_COUNT * 2 + 5);
    for (int id = 0; id < NEXT_COUNT; id++) {
        const char *name = next_names[id];
        void *libc = dlsym(RTLD_NEXT, name);

        check(libc && next_walk(name) == libc, "the walk finds what libc has", name);
        check(next_get(id) == libc && next_get(id) == libc, "and so does the first use", name);
    }
    check(!next_walk("next_no_such_function"), "what nobody has is not found", "by the walk");
    check(!next_dlsym("next_no_such_function"), "what nobody has is not found", "by dlsym");
    check_image();
    check(!next_walk("environ"), "data is never found", "environ");
    return failed != 0;
}
