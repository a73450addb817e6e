/* SPDX-License-Identifier: Apache-2.0
 *
 * engine.c - see engine.h.
 */
#include "config.h"

#include <stddef.h>

#include "agent/probe/engine.h"

const struct engine *engine_find(const struct engine *const *list, const struct engine_kind *kind)
{
    while (*list && (*list)->kind != kind)
        list++;
    return *list;
}
