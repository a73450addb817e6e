/* SPDX-License-Identifier: Apache-2.0
 *
 * words.h - members, terms and alarms in words, for log, status and explain.
 */
#ifndef HOMING_AGENT_DAEMON_WORDS_H
#define HOMING_AGENT_DAEMON_WORDS_H

#include "agent/daemon/shared.h"

/* A member spelled host:port, brackets around an IPv6 literal, and NUL. */
#define MEMBER_TEXT_SIZE (HOMING_NAME_MAX + 10)

void words_member(const struct conf_member *member, char ret[MEMBER_TEXT_SIZE]);
/* As above; a place's address and port for its PLACE_VOICE(); "none" for MEMBER_NONE or what is not
 * configured. */
void words_member_at(const struct cluster *cluster, uint32_t member, char ret[MEMBER_TEXT_SIZE]);
/* Index of a member given as host:port, or as host if only one member has it. MEMBER_NONE: there is
 * no such member, or several. */
uint32_t words_find_member(const struct conf_cluster *conf, const char *text);
/* As operators of the cluster's engine write it: "7"; "none". */
void words_term(const struct cluster *cluster, struct term term, char *ret, size_t size);
/* Why the verdict is what it is, and what to do. */
const char *words_reason(const struct cluster *cluster);
/* What is wrong, and the command that resolves it ("" if there is none). */
void words_alarm(const struct cluster *cluster, enum alarm alarm, char *ret_text, size_t text_size,
                 char *ret_command, size_t command_size);

/* What is wrong, and what to do. */
void words_warning(const struct cluster *cluster, uint32_t warning, char *ret, size_t size);

#endif
