/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_answer.h - answers of a server of MySQL's family, made of text: for the tests of what they
 * mean. Lines are rows, '|' separates columns, \N is NULL.
 */
#ifndef HOMING_TESTS_SUPPORT_MYSQL_ANSWER_H
#define HOMING_TESTS_SUPPORT_MYSQL_ANSWER_H

#include "agent/probe/mysql/answer.h"

/* The answer lives until the next one is made. `names` are separated by '|', too. An empty text has no
 * rows; one with fewer columns than names is cut there, and so is what is beyond the bounds. */
const struct mysql_answer *answer_table(const char *names, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

const struct mysql_answer *answer_error(unsigned code, const char *text);

/* With as many columns as the first row has, of whatever names; "!1142 words" is an error. */
const struct mysql_answer *answer_any(const char *text);

#endif
