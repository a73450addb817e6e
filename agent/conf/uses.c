/* SPDX-License-Identifier: Apache-2.0
 *
 * uses.c - names and where they stand, to find those that are used twice: sorted, because
 * there may be 16,384 clusters with 32 names each.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/conf/check.h"

int conf_uses_add(struct conf_uses *uses, const char *name, struct conf_at at)
{
    if (uses->count == uses->room) {
        size_t room = uses->room != 0 ? 2 * uses->room : 64;
        struct conf_use *list = realloc(uses->list, room * sizeof(*list));
        if (!list)
            return -ENOMEM;
        uses->list = list;
        uses->room = room;
    }
    uses->list[uses->count++] = (struct conf_use){.name = name, .at = at};
    return 0;
}

static int compare_uses(const void *left, const void *right)
{
    const struct conf_use *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    if (order != 0)
        return order;
    if (a->at.line != b->at.line)
        return a->at.line < b->at.line ? -1 : 1;
    return a->at.column < b->at.column ? -1 : 1;
}

void conf_uses_check(struct conf_uses *uses, const char *what, struct conf_errors *errors)
{
    if (uses->count < 2)
        return;
    qsort(uses->list, uses->count, sizeof(*uses->list), compare_uses);
    const struct conf_use *first = &uses->list[0];
    for (size_t i = 1; i < uses->count; i++) {
        const struct conf_use *use = &uses->list[i];
        if (strcmp(use->name, first->name) == 0)
            conf_errors_add(errors, use->at,
                            "%s '%s' is already used at %s:%u:%u; keep one of them", what,
                            use->name, errors->file, first->at.line, first->at.column);
        else
            first = use;
    }
}

void conf_uses_done(struct conf_uses *uses)
{
    free(uses->list);
}
