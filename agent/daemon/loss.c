/* SPDX-License-Identifier: Apache-2.0
 *
 * loss.c - see loss.h.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/daemon/loss.h"

uint64_t loss_bytes(const struct loss *loss)
{
    bool known = loss->comparable && loss->last && loss->branch;

    return known && loss->last > loss->branch ? loss->last - loss->branch : 0;
}

void loss_print(const struct loss *loss, const struct engine_kind *engine, const char *from,
                const char *to, char *ret, size_t size)
{
    const char *what = loss->exact ? engine->branch : "first known position";
    char last[ENGINE_PRINT_SIZE], branch[ENGINE_PRINT_SIZE];

    engine_print_position(engine, loss->last, last, sizeof(last));
    engine_print_position(engine, loss->branch, branch, sizeof(branch));
    if (!loss->comparable)
        snprintf(ret, size, "not known: %s holds another data set", to);
    else if (!loss->last || !loss->branch)
        snprintf(ret, size, "not known: no position of %s was seen", loss->last ? to : from);
    else if (loss_bytes(loss))
        snprintf(ret, size,
                 "%s%" PRIu64 " %s: %s had written up to %s when last seen, and %s's %s is %s; "
                 "what was committed in between, or later on %s, is not on %s",
                 loss->exact ? "up to " : "at least ", loss_bytes(loss), engine->lag_unit, from,
                 last, to, what, branch, from, to);
    else
        snprintf(ret, size,
                 "%s: %s had written up to %s when last seen, and %s's %s is %s; only what %s "
                 "committed after that look can be missing",
                 loss->exact ? "none seen" : "none seen, but not certain", from, last, to, what,
                 branch, from);
}
