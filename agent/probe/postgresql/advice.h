/* SPDX-License-Identifier: Apache-2.0
 *
 * advice.h - what to do about what a PostgreSQL server, or libpq, says.
 */
#ifndef HOMING_AGENT_PROBE_POSTGRESQL_ADVICE_H
#define HOMING_AGENT_PROBE_POSTGRESQL_ADVICE_H

#include "agent/conf/engine_kind.h"

extern const struct engine_advice postgres_advice[];
extern const char *const postgres_grants[];

#define POSTGRES_NOTE_SIZE 480

/* What is said to a role that lacks this right, which ends with the statement that grants it. Returns `ret`. */
const char *postgres_note_lacks(const char *grant, const char *database, const char *user,
                                char ret[POSTGRES_NOTE_SIZE]);

/* The remark for a role that lacks this right, without which it is not told of blue/green deployments (W4a);
 * and where the function that tells of them fails with these words. Each returns `ret`. */
const char *postgres_note_no_deployments(const char *grant, const char *database, const char *user,
                                         char ret[POSTGRES_NOTE_SIZE]);
const char *postgres_note_failed_deployments(const char *words, char ret[POSTGRES_NOTE_SIZE]);

/* The remark where the identity is not to be had, and no GRANT is known to mend that; returns a constant. For struct
 * postgres_dialect. */
const char *postgres_note_no_answer(const char *database, const char *user,
                                    char ret[POSTGRES_NOTE_SIZE]);

/* The remark for a role that may not execute pg_control_system(). It ends with the statement that mends
 * that, as it has to be run: a function is granted in one database. Returns `ret`. */
const char *postgres_note_no_identity(const char *database, const char *user,
                                      char ret[POSTGRES_NOTE_SIZE]);

#endif
