/* SPDX-License-Identifier: Apache-2.0
 *
 * mem.c - the functions that a compiler may call without being asked, so that libhoming.so needs
 * them from nobody. Hidden: no program ever sees these. Only short, fixed-size copies get here.
 */
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memset(void *to, int byte, size_t count);

/* The attribute keeps the loops from being compiled into calls of themselves. */
#ifdef __clang__
#define MEM_LOOP __attribute__((no_builtin))
#else
#define MEM_LOOP __attribute__((optimize("no-tree-loop-distribute-patterns")))
#endif

MEM_LOOP void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    char *t = to;
    const char *f = from;

    while (count--)
        *t++ = *f++;
    return to;
}

MEM_LOOP void *memset(void *to, int byte, size_t count)
{
    char *t = to;

    while (count--)
        *t++ = (char)byte;
    return to;
}
