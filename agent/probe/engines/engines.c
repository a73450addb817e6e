/* SPDX-License-Identifier: Apache-2.0
 *
 * engines.c - the table of engines. A row NAME stands for engine_kind_NAME of NAME_kind.c and
 * engine_NAME of NAME.c: nothing else outside of an engine's own files names it.
 */
#include "config.h"

#include "agent/probe/engines/engines.h"

#define ROWS(ROW) ROW(postgresql) ROW(mysql) ROW(patroni)

#define DECLARE(name)                                                                              \
    extern const struct engine_kind engine_kind_##name;                                            \
    extern const struct engine engine_##name;
#define KIND(name)   &engine_kind_##name,
#define ENGINE(name) &engine_##name,

ROWS(DECLARE)

const struct engine_kind *const engine_kinds[] = {ROWS(KIND) NULL};
const struct engine *const engines[] = {ROWS(ENGINE) NULL};
