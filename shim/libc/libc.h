/* SPDX-License-Identifier: Apache-2.0
 *
 * libc.h - all that the shim takes from the libc of its process.
 *
 * All of it is weak, because an image that has a dynamic loader and no libc must load the shim,
 * too. So each function may be NULL: code checks it, or needs a view, which no process has without
 * agent_ask() having checked it. There is no data, because data would be copied into programs.
 * System calls go through syscall(), which is no cancellation point. It and clock_gettime() are not
 * libc's on most machines, so that no other preload stands in their way: see kernel.c.
 * tests/lint/libhoming.sh has the same list.
 */
#ifndef HOMING_SHIM_LIBC_LIBC_H
#define HOMING_SHIM_LIBC_LIBC_H

#include <errno.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define LIBC_WEAK __attribute__((weak))

LIBC_WEAK extern __typeof__(clock_gettime) clock_gettime;
LIBC_WEAK extern void *dlsym(void *restrict handle, const char *restrict name);
LIBC_WEAK extern __typeof__(dl_iterate_phdr) dl_iterate_phdr;
LIBC_WEAK extern unsigned long getauxval(unsigned long type);
LIBC_WEAK extern char *getenv(const char *name);
LIBC_WEAK extern char *strndup(const char *text, size_t max);
LIBC_WEAK extern long syscall(long number, ...);
LIBC_WEAK extern void pthread_testcancel(void);
LIBC_WEAK extern __typeof__(__errno_location) __errno_location;

/* errno as it was, for code that is not to change it, and where it is: so libc is called once and
 * not twice. Does nothing if there is no libc. */
struct libc_kept {
    int *at;
    int value;
};

static inline struct libc_kept libc_keep_errno(void)
{
    int *at = __errno_location ? __errno_location() : NULL;

    return (struct libc_kept){at, at ? *at : 0};
}

/* For a function that fails as libc's do. */
static inline int libc_fail(int error)
{
    int *at = __errno_location ? __errno_location() : NULL;

    if (at)
        *at = error;
    return -1;
}

/* What a call that is a cancellation point does where the real one is not called. */
static inline void libc_test_cancel(void)
{
    if (pthread_testcancel)
        pthread_testcancel();
}

static inline void libc_restore_errno(struct libc_kept kept)
{
    if (kept.at)
        *kept.at = kept.value;
}

#endif
