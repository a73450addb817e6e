/* SPDX-License-Identifier: Apache-2.0
 *
 * intern.c - strings, one behind the other, in memory that only fills.
 *
 * A head says in one word that a place is taken and how long its string is, so that it is taken by
 * one compare-and-swap, and others step over it while it is filled. Then it is shown. Threads that
 * come at once may each take a place for the same string. If a fork comes while a thread fills a
 * place, that place is lost in the child.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/limits.h"
#include "shim/view/intern.h"
#include "shim/view/process.h"

enum {
    INTERN_FREE, /* from here on nothing is taken */
    INTERN_FILLING = 0x100,
    INTERN_SHOWN = 0x200,
    INTERN_LEN = 0xff
};

_Static_assert(HOMING_NAME_MAX <= INTERN_LEN, "a length fits into a head");
_Static_assert(INTERN_BYTES % PROCESS_PAGE == 0, "whole pages");

/* What a string takes, so that the next head is aligned. */
static size_t intern_size(size_t len)
{
    return (sizeof(uint16_t) + len + 1 + sizeof(uint16_t) - 1) & ~(sizeof(uint16_t) - 1);
}

static bool intern_is(const char *kept, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (kept[i] != text[i])
            return false;
    return true;
}

static char *intern_fill(_Atomic uint16_t *head, const char *text, size_t len)
{
    char *to = (char *)(head + 1);

    for (size_t i = 0; i < len; i++)
        to[i] = text[i];
    to[len] = '\0';
    atomic_store_explicit(head, (uint16_t)(INTERN_SHOWN | len), memory_order_release);
    return to;
}

/* Each place begins with a head, and the string comes behind it, with a NUL. The memory is mapped
 * at first use. */
char *intern(const char *text, size_t len)
{
    static _Atomic(void *) memory;
    char *places;
    size_t at = 0;

    if (len > HOMING_NAME_MAX || !(places = process_memory(&memory, INTERN_BYTES)))
        return NULL;
    while (at + intern_size(len) <= INTERN_BYTES) {
        _Atomic uint16_t *head = (_Atomic uint16_t *)(places + at);
        /* Pairs with the release in intern_fill(). */
        uint16_t is = atomic_load_explicit(head, memory_order_acquire);

        if (is == INTERN_FREE &&
            atomic_compare_exchange_strong(head, &is, (uint16_t)(INTERN_FILLING | len)))
            return intern_fill(head, text, len);
        if (is == (INTERN_SHOWN | len) && intern_is((const char *)(head + 1), text, len))
            return (char *)(head + 1);
        at += intern_size(is & INTERN_LEN);
    }
    return NULL;
}
