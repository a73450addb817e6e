/* SPDX-License-Identifier: Apache-2.0
 *
 * engine_kind.c - as engine_kind.h says.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "agent/conf/engine_kind.h"

void engine_print_position(const struct engine_kind *kind, uint64_t position, char *ret,
                           size_t size)
{
    if (kind->print_position)
        kind->print_position(position, ret, size);
    else
        snprintf(ret, size, "%" PRIu64, position);
}

void engine_print_term(const struct engine_kind *kind, uint64_t hi, uint64_t lo, char *ret,
                       size_t size)
{
    if (!hi && !lo)
        snprintf(ret, size, "none");
    else if (kind->print_term)
        kind->print_term(hi, lo, ret, size);
    else if (hi)
        snprintf(ret, size, "%" PRIu64 ".%" PRIu64, hi, lo);
    else
        snprintf(ret, size, "%" PRIu64, lo);
}
