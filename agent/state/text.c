/* SPDX-License-Identifier: Apache-2.0
 *
 * text.c - see state/text.h.
 *
 * 1. One table says what of a verdict is saved, for both ways.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/state/text.h"
#include "proto/view_names.h"

static const char first_line[] = "homing-state 1\n";

enum kind {
    KIND_STATE,
    KIND_REASON,
    KIND_MEMBER,
    KIND_MEMBERS,
    KIND_BOOL,
    KIND_NUMBER,
    KIND_TERM,
    KIND_TIME,
    KIND_COUNT
};

#define FIELD(k, f) .key = #f, .kind = (k), .at = offsetof(struct verdict, f)

static const struct field {
    const char *key;
    enum kind kind;
    size_t at;
} fields[] = {
    {FIELD(KIND_STATE, state)},        {FIELD(KIND_REASON, reason)},
    {FIELD(KIND_MEMBER, writer)},      {FIELD(KIND_MEMBER, rival)},
    {FIELD(KIND_MEMBERS, demoted)},    {FIELD(KIND_MEMBERS, readers)},
    {FIELD(KIND_BOOL, authenticated)}, {FIELD(KIND_BOOL, braked)},
    {FIELD(KIND_BOOL, frozen)},        {FIELD(KIND_NUMBER, identity)},
    {FIELD(KIND_NUMBER, discarded)},   {FIELD(KIND_TERM, term)},
    {FIELD(KIND_NUMBER, position)},    {FIELD(KIND_TIME, confirmed_ms)},
    {FIELD(KIND_TIME, since_ms)},      {FIELD(KIND_NUMBER, switches)},
};

enum {
    FIELD_COUNT = sizeof(fields) / sizeof(fields[0])
};

/* ---- times: 0 is "never" on both clocks ---- */

static uint64_t time_to_boot(const struct state_clock *clock, uint64_t ms)
{
    uint64_t age = ms < clock->monotonic_ms ? clock->monotonic_ms - ms : 0;

    return ms && age < clock->boot_ms ? clock->boot_ms - age : 0;
}

/* What lies in the future was written by another clock, and tells nothing. */
static uint64_t time_from_boot(const struct state_clock *clock, uint64_t ms)
{
    uint64_t age = clock->boot_ms - ms;

    return ms && ms <= clock->boot_ms && age < clock->monotonic_ms ? clock->monotonic_ms - age : 0;
}

/* ---- writing ---- */

/* What would end a line, or a member in a list of them. */
static bool is_plain(const char *text, const char *unwanted)
{
    return *text && !text[strcspn(text, unwanted)];
}

static bool names_are_plain(const struct conf_cluster *cluster)
{
    bool plain = is_plain(cluster->name, "\n");

    for (uint32_t i = 0; i < cluster->member_count; i++)
        plain = plain && is_plain(cluster->members[i].host, " \n");
    return plain;
}

static void put_members(FILE *out, const struct conf_cluster *cluster, uint32_t mask)
{
    if (!mask)
        fputs(" -", out);
    for (uint32_t i = 0; i < cluster->member_count && i < HOMING_MEMBERS_MAX; i++)
        if (mask >> i & 1)
            fprintf(out, " %s:%u", cluster->members[i].host, cluster->members[i].port);
}

static uint32_t member_bit(uint32_t member)
{
    return member < HOMING_MEMBERS_MAX ? UINT32_C(1) << member : 0;
}

static void put_field(FILE *out, const struct conf_cluster *cluster,
                      const struct state_clock *clock, enum kind kind, const void *value)
{
    const struct term *term = value;

    switch (kind) {
    case KIND_STATE:
        fprintf(out, " %s", cluster_state_name(*(const enum cluster_state *)value));
        return;
    case KIND_REASON:
        fprintf(out, " %s", reason_name(*(const enum reason *)value));
        return;
    case KIND_MEMBER:
        put_members(out, cluster, member_bit(*(const uint32_t *)value));
        return;
    case KIND_MEMBERS:
        put_members(out, cluster, *(const uint32_t *)value);
        return;
    case KIND_BOOL:
        fputs(*(const bool *)value ? " yes" : " no", out);
        return;
    case KIND_NUMBER:
        fprintf(out, " %" PRIu64, *(const uint64_t *)value);
        return;
    case KIND_TERM:
        fprintf(out, " %" PRIu64 " %" PRIu64, term->hi, term->lo);
        return;
    case KIND_TIME:
        fprintf(out, " %" PRIu64, time_to_boot(clock, *(const uint64_t *)value));
        return;
    case KIND_COUNT:
        return;
    }
}

static void put_all(FILE *out, const struct conf_cluster *cluster,
                    const struct state_cluster *saved, const struct state_clock *clock)
{
    fprintf(out, "%scluster %s\nboot %s\n", first_line, cluster->name,
            clock->boot_id[0] ? clock->boot_id : "-");
    if (saved->have_mode)
        fprintf(out, "mode %s\n", view_mode_name(saved->mode));
    for (size_t i = 0; i < FIELD_COUNT && saved->have_verdict; i++) {
        fputs(fields[i].key, out);
        put_field(out, cluster, clock, fields[i].kind,
                  (const char *)&saved->verdict + fields[i].at);
        fputc('\n', out);
    }
    for (uint32_t i = 0; i < saved->endpoint_count; i++)
        fprintf(out, "endpoint %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", saved->endpoints[i].id,
                saved->endpoints[i].generation, saved->endpoints[i].fingerprint);
}

int state_text_encode(const struct conf_cluster *cluster, const struct state_cluster *saved,
                      const struct state_clock *clock, char **ret_text, size_t *ret_len)
{
    char *text = NULL;
    size_t len = 0;

    if (!names_are_plain(cluster))
        return -EINVAL;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return -ENOMEM;
    put_all(out, cluster, saved, clock);
    bool failed = ferror(out) != 0;
    if (fclose(out) || failed) {
        free(text);
        return -ENOMEM;
    }
    *ret_text = text;
    *ret_len = len;
    return 0;
}

/* ---- reading ---- */

/* One file being read; `saved` grows line by line. */
struct reading {
    const struct conf_cluster *cluster;
    const struct state_clock *clock;
    struct state_cluster saved;
    bool same_boot;
    bool named;
    bool no_memory;
};

/* Takes a word off the front of *text, which is split at blanks. NULL: none left. */
static char *take_word(char **text)
{
    return strsep(text, " ");
}

static bool take_number(char **text, uint64_t *ret)
{
    const char *word = take_word(text);
    char *end;

    if (!word || word[0] < '0' || word[0] > '9')
        return false;
    errno = 0;
    uint64_t n = strtoull(word, &end, 10);
    if (errno || *end)
        return false;
    *ret = n;
    return true;
}

static bool is_member(const struct conf_member *member, const char *word)
{
    size_t len = strlen(member->host);
    char port[8];

    snprintf(port, sizeof(port), ":%u", member->port);
    return strncasecmp(word, member->host, len) == 0 && strcmp(word + len, port) == 0;
}

/* Members that are no longer configured are left out. */
static uint32_t take_members(const struct reading *r, char *text)
{
    uint32_t mask = 0;
    const char *word;

    while ((word = take_word(&text)))
        for (uint32_t i = 0; i < r->cluster->member_count && i < HOMING_MEMBERS_MAX; i++)
            if (is_member(&r->cluster->members[i], word))
                mask |= UINT32_C(1) << i;
    return mask;
}

static uint32_t lowest_member(uint32_t mask)
{
    return mask ? (uint32_t)__builtin_ctz(mask) : MEMBER_NONE;
}

static bool take_state(const char *word, enum cluster_state *ret)
{
    for (int i = 0; i < CLUSTER_STATE_COUNT; i++)
        if (strcmp(word, cluster_state_name((enum cluster_state)i)) == 0) {
            *ret = (enum cluster_state)i;
            return true;
        }
    return false;
}

/* A newer agent may have reasons that we do not know. */
static enum reason take_reason(const char *word)
{
    for (int i = 0; i < REASON_COUNT; i++)
        if (strcmp(word, reason_name((enum reason)i)) == 0)
            return (enum reason)i;
    return REASON_NONE;
}

static bool take_bool(const char *word, bool *ret)
{
    *ret = strcmp(word, "yes") == 0;
    return *ret || strcmp(word, "no") == 0;
}

static bool take_time(const struct reading *r, char **text, uint64_t *ret)
{
    uint64_t ms;

    if (!take_number(text, &ms))
        return false;
    *ret = r->same_boot ? time_from_boot(r->clock, ms) : 0;
    return true;
}

static bool take_field(const struct reading *r, enum kind kind, char *text, void *ret)
{
    struct term *term = ret;

    switch (kind) {
    case KIND_STATE:
        return take_state(text, ret);
    case KIND_REASON:
        *(enum reason *)ret = take_reason(text);
        return true;
    case KIND_MEMBER:
        *(uint32_t *)ret = lowest_member(take_members(r, text));
        return true;
    case KIND_MEMBERS:
        *(uint32_t *)ret = take_members(r, text);
        return true;
    case KIND_BOOL:
        return take_bool(text, ret);
    case KIND_NUMBER:
        return take_number(&text, ret);
    case KIND_TERM:
        return take_number(&text, &term->hi) && take_number(&text, &term->lo);
    case KIND_TIME:
        return take_time(r, &text, ret);
    case KIND_COUNT:
        return false;
    }
    return false;
}

static bool take_endpoint(struct reading *r, char *text)
{
    struct state_cluster *s = &r->saved;
    struct state_endpoint e;

    if (!take_number(&text, &e.id) || !take_number(&text, &e.generation) ||
        !take_number(&text, &e.fingerprint))
        return false;
    struct state_endpoint *grown =
        reallocarray(s->endpoints, s->endpoint_count + 1, sizeof(*grown));
    r->no_memory = !grown;
    if (!grown)
        return false;
    grown[s->endpoint_count++] = e;
    s->endpoints = grown;
    return true;
}

static bool take_mode(struct reading *r, const char *text)
{
    if (view_mode_parse(text, &r->saved.mode))
        r->saved.have_mode = true;
    return r->saved.have_mode;
}

static bool take_cluster(struct reading *r, const char *text)
{
    r->named = strcmp(text, r->cluster->name) == 0;
    return r->named;
}

static bool take_boot(struct reading *r, const char *text)
{
    r->same_boot = r->clock->boot_id[0] && strcmp(text, r->clock->boot_id) == 0;
    return true;
}

static bool take_verdict(struct reading *r, const char *key, char *text)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (strcmp(key, fields[i].key) == 0) {
            r->saved.have_verdict = true;
            return take_field(r, fields[i].kind, text, (char *)&r->saved.verdict + fields[i].at);
        }
    return true; /* of a newer agent */
}

static bool take_line(struct reading *r, char *line)
{
    const char *key = take_word(&line);

    if (!line)
        return false;
    if (strcmp(key, "cluster") == 0)
        return take_cluster(r, line);
    if (strcmp(key, "boot") == 0)
        return take_boot(r, line);
    if (strcmp(key, "mode") == 0)
        return take_mode(r, line);
    if (strcmp(key, "endpoint") == 0)
        return take_endpoint(r, line);
    return take_verdict(r, key, line);
}

static bool take_lines(struct reading *r, char *lines)
{
    char *line;

    while ((line = strsep(&lines, "\n")) && lines)
        if (!take_line(r, line))
            return false;
    return r->named && *line == '\0';
}

/* What no agent writes, and decide should not have to expect. */
static void repair(struct verdict *v)
{
    if (v->writer != MEMBER_NONE)
        v->demoted &= ~(UINT32_C(1) << v->writer);
}

int state_text_decode(const char *text, size_t len, const struct conf_cluster *cluster,
                      const struct state_clock *clock, struct state_cluster *ret_saved)
{
    struct reading r = {.cluster = cluster, .clock = clock};
    size_t first = sizeof(first_line) - 1;

    if (len < first || memcmp(text, first_line, first) != 0 || memchr(text, '\0', len))
        return -EBADMSG;
    r.saved.verdict.writer = r.saved.verdict.rival = MEMBER_NONE;
    char *copy = strndup(text, len);
    if (!copy)
        return -ENOMEM;
    bool good = take_lines(&r, copy + first);
    free(copy);
    if (!good) {
        free(r.saved.endpoints);
        return r.no_memory ? -ENOMEM : -EBADMSG;
    }
    repair(&r.saved.verdict);
    r.saved.frozen = r.saved.verdict.frozen;
    *ret_saved = r.saved;
    return 0;
}
