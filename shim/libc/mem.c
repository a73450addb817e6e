/* SPDX-License-Identifier: Apache-2.0
 *
 * mem.c - the functions that a compiler may call by itself, so that libhoming.so needs them from no
 * libc. They are hidden: no program ever sees them. Only short copies of a fixed size come here, so
 * that going by words is enough.
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memset(void *to, int byte, size_t count);

/* The attribute keeps the loops from being compiled into calls of themselves. */
#ifdef __clang__
#define MEM_LOOP __attribute__((no_builtin))
#else
#define MEM_LOOP __attribute__((optimize("no-tree-loop-distribute-patterns")))
#endif

struct mem_word {
    uint64_t w;
} __attribute__((packed, may_alias));

MEM_LOOP void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    char *t = to;
    const char *f = from;

    for (; count >= sizeof(struct mem_word); count -= sizeof(struct mem_word)) {
        ((struct mem_word *)t)->w = ((const struct mem_word *)f)->w;
        t += sizeof(struct mem_word);
        f += sizeof(struct mem_word);
    }
    while (count--)
        *t++ = *f++;
    return to;
}

MEM_LOOP void *memset(void *to, int byte, size_t count)
{
    uint64_t word = (unsigned char)byte * 0x0101010101010101u;
    char *t = to;

    for (; count >= sizeof(struct mem_word); count -= sizeof(struct mem_word)) {
        ((struct mem_word *)t)->w = word;
        t += sizeof(struct mem_word);
    }
    while (count--)
        *t++ = (char)byte;
    return to;
}
