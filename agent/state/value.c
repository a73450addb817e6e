/* SPDX-License-Identifier: Apache-2.0
 *
 * value.c - see state/value.h.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "agent/state/value.h"
#include "agent/state/word.h"
#include "proto/view_names.h"

void value_put_number(const struct value_context *c, const void *value, FILE *out)
{
    (void)c;
    fprintf(out, " %" PRIu64, *(const uint64_t *)value);
}

bool value_take_number(struct value_context *c, char *text, void *ret)
{
    (void)c;
    return word_number(&text, ret);
}

/* A term: two numbers. */
void value_put_term(const struct value_context *c, const void *value, FILE *out)
{
    const struct term *term = value;

    value_put_number(c, &term->hi, out);
    value_put_number(c, &term->lo, out);
}

bool value_take_term(struct value_context *c, char *text, void *ret)
{
    struct term *term = ret;

    (void)c;
    return word_number(&text, &term->hi) && word_number(&text, &term->lo);
}

void value_put_time(const struct value_context *c, const void *value, FILE *out)
{
    uint64_t boot_ms = state_time_save(c->clock, *(const uint64_t *)value);

    value_put_number(c, &boot_ms, out);
}

/* What no connection outlives. */
bool value_take_in_boot(struct value_context *c, char *text, void *ret)
{
    uint64_t number;

    if (!word_number(&text, &number))
        return false;
    *(uint64_t *)ret = c->same_boot ? number : 0;
    return true;
}

bool value_take_time(struct value_context *c, char *text, void *ret)
{
    uint64_t ms;

    if (!word_number(&text, &ms))
        return false;
    *(uint64_t *)ret = c->same_boot ? state_time_load(c->clock, ms) : 0;
    return true;
}

void value_put_bool(const struct value_context *c, const void *value, FILE *out)
{
    (void)c;
    fputs(*(const bool *)value ? " yes" : " no", out);
}

bool value_take_bool(struct value_context *c, char *text, void *ret)
{
    bool yes = strcmp(text, "yes") == 0;

    (void)c;
    *(bool *)ret = yes;
    return yes || strcmp(text, "no") == 0;
}

void value_put_state(const struct value_context *c, const void *value, FILE *out)
{
    (void)c;
    fprintf(out, " %s", cluster_state_name(*(const enum cluster_state *)value));
}

bool value_take_state(struct value_context *c, char *text, void *ret)
{
    (void)c;
    for (int i = 0; i < CLUSTER_STATE_COUNT; i++)
        if (strcmp(text, cluster_state_name((enum cluster_state)i)) == 0) {
            *(enum cluster_state *)ret = (enum cluster_state)i;
            return true;
        }
    return false;
}

void value_put_reason(const struct value_context *c, const void *value, FILE *out)
{
    (void)c;
    fprintf(out, " %s", reason_name(*(const enum reason *)value));
}

/* A newer agent may have reasons that we do not know. */
bool value_take_reason(struct value_context *c, char *text, void *ret)
{
    (void)c;
    *(enum reason *)ret = REASON_NONE;
    for (int i = 0; i < REASON_COUNT; i++)
        if (strcmp(text, reason_name((enum reason)i)) == 0)
            *(enum reason *)ret = (enum reason)i;
    return true;
}

void value_put_phase(const struct value_context *c, const void *value, FILE *out)
{
    (void)c;
    fprintf(out, " %s", phase_name(*(const enum phase *)value));
}

/* A newer agent may have phases that we do not know. */
bool value_take_phase(struct value_context *c, char *text, void *ret)
{
    (void)c;
    *(enum phase *)ret = PHASE_NONE;
    for (int i = 0; i < PHASE_COUNT; i++)
        if (strcmp(text, phase_name((enum phase)i)) == 0)
            *(enum phase *)ret = (enum phase)i;
    return true;
}

/* A mask of members: each by its host and port; "-": none. */
void value_put_members(const struct value_context *c, const void *value, FILE *out)
{
    uint32_t mask = *(const uint32_t *)value;

    if (!mask)
        fputs(" -", out);
    for (uint32_t i = 0; i < c->cluster->member_count && i < HOMING_MEMBERS_MAX; i++)
        if (mask >> i & 1)
            fprintf(out, " %s:%u", c->cluster->members[i].host, c->cluster->members[i].port);
}

static bool is_member(const struct conf_member *member, const char *word)
{
    size_t len = strlen(member->host);
    char port[8];

    snprintf(port, sizeof(port), ":%u", member->port);
    return strncasecmp(word, member->host, len) == 0 && strcmp(word + len, port) == 0;
}

/* Members that are no longer configured are left out. */
bool value_take_members(struct value_context *c, char *text, void *ret)
{
    uint32_t mask = 0;
    const char *word;

    while ((word = strsep(&text, " ")))
        for (uint32_t i = 0; i < c->cluster->member_count && i < HOMING_MEMBERS_MAX; i++)
            if (is_member(&c->cluster->members[i], word))
                mask |= UINT32_C(1) << i;
    *(uint32_t *)ret = mask;
    return true;
}

/* Servers by their names (W12) or their incarnations (W3a), which are numbers; "-": none. */
void value_put_servers(const struct value_context *c, const void *value, FILE *out)
{
    const uint64_t *servers = value;
    uint32_t count = 0;

    for (uint32_t i = 0; i < HOMING_MEMBERS_MAX; i++)
        if (servers[i]) {
            value_put_number(c, &servers[i], out);
            count++;
        }
    if (!count)
        fputs(" -", out);
}

/* More than can be members are left out. */
bool value_take_servers(struct value_context *c, char *text, void *ret)
{
    uint64_t *servers = ret, server;
    uint32_t count = 0;

    (void)c;
    memset(servers, 0, HOMING_MEMBERS_MAX * sizeof(*servers));
    if (strcmp(text, "-") == 0)
        return true;
    while (text) {
        if (!word_number(&text, &server))
            return false;
        if (count < HOMING_MEMBERS_MAX)
            servers[count++] = server;
    }
    return true;
}

/* The index of one member, or MEMBER_NONE. */
void value_put_member(const struct value_context *c, const void *value, FILE *out)
{
    uint32_t member = *(const uint32_t *)value;
    uint32_t mask = member < HOMING_MEMBERS_MAX ? UINT32_C(1) << member : 0;

    value_put_members(c, &mask, out);
}

bool value_take_member(struct value_context *c, char *text, void *ret)
{
    uint32_t mask;

    value_take_members(c, text, &mask);
    *(uint32_t *)ret = mask ? (uint32_t)__builtin_ctz(mask) : MEMBER_NONE;
    return true;
}

void value_put_mode(const struct value_context *c, const void *value, FILE *out)
{
    (void)c;
    fprintf(out, " %s", view_mode_name(*(const enum view_mode *)value));
}

bool value_take_mode(struct value_context *c, char *text, void *ret)
{
    c->saved.have_mode |= view_mode_parse(text, ret);
    return c->saved.have_mode;
}

/* The cluster's own name: a text of another cluster is refused. */
void value_put_name(const struct value_context *c, const void *value, FILE *out)
{
    (void)value;
    fprintf(out, " %s", c->cluster->name);
}

bool value_take_name(struct value_context *c, char *text, void *ret)
{
    (void)ret;
    c->named = strcmp(text, c->cluster->name) == 0;
    return c->named;
}

/* The boot that the times are of; "-": not known. */
void value_put_boot(const struct value_context *c, const void *value, FILE *out)
{
    (void)value;
    fprintf(out, " %s", c->clock->boot_id[0] ? c->clock->boot_id : "-");
}

bool value_take_boot(struct value_context *c, char *text, void *ret)
{
    (void)ret;
    c->same_boot = c->clock->boot_id[0] && strcmp(text, c->clock->boot_id) == 0;
    return true;
}
