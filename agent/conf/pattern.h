/* SPDX-License-Identifier: Apache-2.0
 *
 * pattern.h - the key `host_patterns`: which hosts a server may name as members of its cluster.
 *
 * Pure. A pattern is the name of a host with one '?' for the id of a server: letters, digits and
 * hyphens, never a dot. So what it takes stands in the domain that the operator wrote.
 */
#ifndef HOMING_AGENT_CONF_PATTERN_H
#define HOMING_AGENT_CONF_PATTERN_H

#include "agent/conf/value.h"

/* NULL, and the pattern in lower case without a final dot; or what is wrong and what to do, as
 * value.h has it. */
const char *conf_pattern_read(const char *text, char ret_pattern[CONF_HOST_MAX]);

/* The region of a cloud, as an engine names it: letters, digits and hyphens. */
const char *conf_pattern_region(const char *text, char ret_region[CONF_HOST_MAX]);

/* The host that the id has by this pattern. False: `id` is no id, or the host would be too long. */
bool conf_pattern_host(const char *pattern, const char *id, struct conf_host *ret_host);

/* Whether the host, in its canonical form, is what the pattern makes of some id. */
bool conf_pattern_matches(const char *pattern, const struct conf_host *host);

#endif
