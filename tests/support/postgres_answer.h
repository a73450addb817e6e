/* SPDX-License-Identifier: Apache-2.0
 *
 * postgres_answer.h - answers of a server of PostgreSQL's family, made of text: for the tests of what
 * they mean. Lines are rows, '|' separates columns, \N is NULL.
 */
#ifndef HOMING_TESTS_SUPPORT_POSTGRES_ANSWER_H
#define HOMING_TESTS_SUPPORT_POSTGRES_ANSWER_H

#include "agent/probe/postgresql/session.h"

/* The answer lives until the next one is made. The first row says how many columns there are: of the
 * others, what is beyond is left out, and what is missing is NULL. An empty text is one empty column. */
const struct postgres_rows *postgres_answer(const char *text);

/* What a dialect's read() makes of it. *ret_seen keeps what it has of an earlier answer. */
bool postgres_answer_read(bool (*read)(const struct postgres_rows *rows,
                                       struct postgres_seen *seen),
                          const char *text, struct postgres_seen *ret_seen,
                          struct topology *ret_topology);

#endif
