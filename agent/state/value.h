/* SPDX-License-Identifier: Apache-2.0
 *
 * value.h - the kinds of values that a key of saved text has. Called by text.c, whose table has one
 * for each key. Pure.
 *
 * value_put_x() writes a blank and the value. value_take_x() gets what comes behind the key and a
 * blank, and may split it at blanks. It returns false if that makes no sense.
 */
#ifndef HOMING_AGENT_STATE_VALUE_H
#define HOMING_AGENT_STATE_VALUE_H

#include <stdio.h>

#include "agent/state/clock.h"
#include "agent/state/saved.h"

/* What all keys need; of a text that is read, also what has been found in it so far. */
struct value_context {
    const struct conf_cluster *cluster;
    const struct state_clock *clock;
    struct state_cluster saved;
    bool named;     /* the text is about this cluster */
    bool same_boot; /* its times are of this boot */
    bool no_memory;
};

void value_put_number(const struct value_context *c, const void *value, FILE *out);
bool value_take_number(struct value_context *c, char *text, void *ret);
void value_put_term(const struct value_context *c, const void *value, FILE *out);
bool value_take_term(struct value_context *c, char *text, void *ret);
void value_put_time(const struct value_context *c, const void *value, FILE *out);
bool value_take_in_boot(struct value_context *c, char *text, void *ret);
bool value_take_time(struct value_context *c, char *text, void *ret);
void value_put_bool(const struct value_context *c, const void *value, FILE *out);
bool value_take_bool(struct value_context *c, char *text, void *ret);
void value_put_state(const struct value_context *c, const void *value, FILE *out);
bool value_take_state(struct value_context *c, char *text, void *ret);
void value_put_reason(const struct value_context *c, const void *value, FILE *out);
bool value_take_reason(struct value_context *c, char *text, void *ret);
void value_put_phase(const struct value_context *c, const void *value, FILE *out);
bool value_take_phase(struct value_context *c, char *text, void *ret);
void value_put_members(const struct value_context *c, const void *value, FILE *out);
bool value_take_members(struct value_context *c, char *text, void *ret);
void value_put_servers(const struct value_context *c, const void *value, FILE *out);
bool value_take_servers(struct value_context *c, char *text, void *ret);
void value_put_member(const struct value_context *c, const void *value, FILE *out);
bool value_take_member(struct value_context *c, char *text, void *ret);
void value_put_mode(const struct value_context *c, const void *value, FILE *out);
bool value_take_mode(struct value_context *c, char *text, void *ret);
void value_put_name(const struct value_context *c, const void *value, FILE *out);
bool value_take_name(struct value_context *c, char *text, void *ret);
void value_put_boot(const struct value_context *c, const void *value, FILE *out);
bool value_take_boot(struct value_context *c, char *text, void *ret);

#endif
