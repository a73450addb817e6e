/* SPDX-License-Identifier: Apache-2.0
 *
 * gtid.h - how many transactions a server has, from the sets and lists that it prints. Pure; for
 * engines/mysql/mysql_reports.c. False: the text is no such thing, and *ret is untouched.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_MYSQL_FAMILY_GTID_H
#define HOMING_AGENT_PROBE_ENGINES_MYSQL_FAMILY_GTID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of MySQL's gtid_executed: "uuid:1-5:7,\nuuid:tag:1-3". Less than 2^63 in all. */
bool gtid_count(const char *text, uint64_t *ret_count);

/* Of MariaDB's lists, "0-1-6,1-2-33": the last number of this domain; 0: it has none. */
bool gtid_last(const char *text, uint64_t domain, uint64_t *ret_last);

/* The digits at the begin of a text: how many. 0: there are none, or 64 bits do not hold them. */
size_t gtid_digits(const char *text, uint64_t *ret_number);

/* Whether these bytes are "b8d2f67a-eca3-11f1-9972-02fc00000001" or the like. */
bool gtid_is_uuid(const char *text, size_t len);

#endif
