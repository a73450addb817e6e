/* SPDX-License-Identifier: Apache-2.0
 *
 * intern.c - a table of strings that only grows.
 *
 * A place is taken by compare-and-swap, filled, and then shown. Threads that come at once may each
 * take a place for the same string. If a fork comes while a thread fills a place, that place is
 * lost in the child.
 */
#include <stdatomic.h>
#include <stdbool.h>

#include "proto/limits.h"
#include "shim/view/intern.h"

enum {
    INTERN_FREE,
    INTERN_FILLING,
    INTERN_SHOWN
};

static struct intern_place {
    _Atomic unsigned char state;
    char text[HOMING_NAME_MAX + 2];
} intern_places[INTERN_MAX];

static bool intern_is(const struct intern_place *place, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (place->text[i] != text[i])
            return false;
    return place->text[len] == '\0';
}

static char *intern_fill(struct intern_place *place, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        place->text[i] = text[i];
    place->text[len] = '\0';
    atomic_store_explicit(&place->state, INTERN_SHOWN, memory_order_release);
    return place->text;
}

char *intern(const char *text, size_t len)
{
    if (len > HOMING_NAME_MAX)
        return NULL;
    for (size_t i = 0; i < INTERN_MAX; i++) {
        struct intern_place *place = &intern_places[i];
        /* Pairs with the release in intern_fill(). */
        unsigned char state = atomic_load_explicit(&place->state, memory_order_acquire);

        if (state == INTERN_FREE &&
            atomic_compare_exchange_strong(&place->state, &state, INTERN_FILLING))
            return intern_fill(place, text, len);
        if (state == INTERN_SHOWN && intern_is(place, text, len))
            return place->text;
    }
    return NULL;
}
