/* SPDX-License-Identifier: Apache-2.0
 *
 * engines.c - the table of engines. A row NAME stands for engine_kind_NAME of NAME_kind.c and
 * engine_NAME of NAME.c, in the folder of its family: nothing else outside of that names it.
 */
#include "config.h"

#include "agent/probe/engines/engines.h"

/* A line for each family. */
/* clang-format off */
#define ROWS(ROW) \
    ROW(postgresql) ROW(aurora_postgresql) ROW(aurora_global_postgresql) ROW(rds_postgresql) \
    ROW(patroni) \
    ROW(mysql) ROW(aurora_mysql) ROW(aurora_global_mysql) ROW(rds_mysql)
/* clang-format on */

#define DECLARE(name)                                                                              \
    extern const struct engine_kind engine_kind_##name;                                            \
    extern const struct engine engine_##name;
#define KIND(name)   &engine_kind_##name,
#define ENGINE(name) &engine_##name,

ROWS(DECLARE)

const struct engine_kind *const engine_kinds[] = {ROWS(KIND) NULL};
const struct engine *const engines[] = {ROWS(ENGINE) NULL};
