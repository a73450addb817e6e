/* SPDX-License-Identifier: Apache-2.0
 *
 * engine.c - the engines that there are.
 */
#include "config.h"

#include <stddef.h>
#include <string.h>

#include "agent/probe/engine.h"

static const struct engine *const ENGINES[] = {&engine_postgresql};

const struct engine *engine_find(const char *name)
{
    for (size_t i = 0; i < sizeof(ENGINES) / sizeof(ENGINES[0]); i++)
        if (strcmp(ENGINES[i]->name, name) == 0)
            return ENGINES[i];
    return NULL;
}
