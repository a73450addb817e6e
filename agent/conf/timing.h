/* SPDX-License-Identifier: Apache-2.0
 *
 * timing.h - the keys that are inherited: their built-in values, bounds, and how they print.
 */
#ifndef HOMING_AGENT_CONF_TIMING_H
#define HOMING_AGENT_CONF_TIMING_H

#include "agent/conf/schema.h"

/* The built-in values: what a production can live with. */
extern const struct conf_timing conf_timing_defaults;

/* Checks those of `keys` that are given and puts them into *timing. `node`: their mapping. `idle`
 * collects the keys (bit per enum conf_key) already warned about as without effect. */
void conf_timing_apply(char *const *keys, const struct conf_node *node, struct conf_errors *errors,
                       struct conf_timing *timing);

/* One duration by hand: confirm, bus_max_stale. False if it was wrong, and an error was added. */
bool conf_timing_duration(const char *key, const char *text, struct conf_at at, uint64_t min_ms,
                          uint64_t max_ms, struct conf_errors *errors);

/* "  key: value" lines, each behind `indent`. */
void conf_timing_print(const struct conf_timing *timing, const char *indent, FILE *out);

/* 250ms, 5s, 10m: the largest unit that is exact. */
void conf_timing_print_duration(uint64_t ms, FILE *out);

#endif
