/* SPDX-License-Identifier: Apache-2.0
 *
 * text.c - see state/text.h.
 *
 * From top to bottom: each kind of value, how it is written and how it is read; the table of keys,
 * a row each; then a whole text, written and read along that table.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/state/text.h"
#include "agent/state/word.h"
#include "proto/view_names.h"

static const char first_line[] = "homing-state 1\n";

/* What all keys need; of a text that is read, also what has been found in it so far. */
struct context {
    const struct conf_cluster *cluster;
    const struct state_clock *clock;
    struct state_cluster saved;
    bool named;     /* the text is about this cluster */
    bool same_boot; /* its times are of this boot */
    bool no_memory;
};

/* ---- kinds of values ----
 *
 * put_x() writes a blank and the value. take_x() gets what comes behind the key and a blank, and
 * may split it at blanks. It returns false if that makes no sense. */

static void put_number(const struct context *c, const void *value, FILE *out)
{
    (void)c;
    fprintf(out, " %" PRIu64, *(const uint64_t *)value);
}

static bool take_number(struct context *c, char *text, void *ret)
{
    (void)c;
    return word_number(&text, ret);
}

/* A term: two numbers. */
static void put_term(const struct context *c, const void *value, FILE *out)
{
    const struct term *term = value;

    put_number(c, &term->hi, out);
    put_number(c, &term->lo, out);
}

static bool take_term(struct context *c, char *text, void *ret)
{
    struct term *term = ret;

    (void)c;
    return word_number(&text, &term->hi) && word_number(&text, &term->lo);
}

uint64_t state_time_save(const struct state_clock *clock, uint64_t ms)
{
    uint64_t age = ms < clock->monotonic_ms ? clock->monotonic_ms - ms : 0;

    return ms && age < clock->boot_ms ? clock->boot_ms - age : 0;
}

uint64_t state_time_load(const struct state_clock *clock, uint64_t boot_ms)
{
    uint64_t age = clock->boot_ms - boot_ms;
    bool known = boot_ms && boot_ms <= clock->boot_ms && age < clock->monotonic_ms;

    return known ? clock->monotonic_ms - age : 0;
}

static void put_time(const struct context *c, const void *value, FILE *out)
{
    uint64_t boot_ms = state_time_save(c->clock, *(const uint64_t *)value);

    put_number(c, &boot_ms, out);
}

/* What no connection outlives. */
static bool take_in_boot(struct context *c, char *text, void *ret)
{
    uint64_t number;

    if (!word_number(&text, &number))
        return false;
    *(uint64_t *)ret = c->same_boot ? number : 0;
    return true;
}

static bool take_time(struct context *c, char *text, void *ret)
{
    uint64_t ms;

    if (!word_number(&text, &ms))
        return false;
    *(uint64_t *)ret = c->same_boot ? state_time_load(c->clock, ms) : 0;
    return true;
}

static void put_bool(const struct context *c, const void *value, FILE *out)
{
    (void)c;
    fputs(*(const bool *)value ? " yes" : " no", out);
}

static bool take_bool(struct context *c, char *text, void *ret)
{
    bool yes = strcmp(text, "yes") == 0;

    (void)c;
    *(bool *)ret = yes;
    return yes || strcmp(text, "no") == 0;
}

static void put_state(const struct context *c, const void *value, FILE *out)
{
    (void)c;
    fprintf(out, " %s", cluster_state_name(*(const enum cluster_state *)value));
}

static bool take_state(struct context *c, char *text, void *ret)
{
    (void)c;
    for (int i = 0; i < CLUSTER_STATE_COUNT; i++)
        if (strcmp(text, cluster_state_name((enum cluster_state)i)) == 0) {
            *(enum cluster_state *)ret = (enum cluster_state)i;
            return true;
        }
    return false;
}

static void put_reason(const struct context *c, const void *value, FILE *out)
{
    (void)c;
    fprintf(out, " %s", reason_name(*(const enum reason *)value));
}

/* A newer agent may have reasons that we do not know. */
static bool take_reason(struct context *c, char *text, void *ret)
{
    (void)c;
    *(enum reason *)ret = REASON_NONE;
    for (int i = 0; i < REASON_COUNT; i++)
        if (strcmp(text, reason_name((enum reason)i)) == 0)
            *(enum reason *)ret = (enum reason)i;
    return true;
}

/* A mask of members: each by its host and port; "-": none. */
static void put_members(const struct context *c, const void *value, FILE *out)
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
static bool take_members(struct context *c, char *text, void *ret)
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

/* W12: names of servers, which are numbers; "-": none. */
static void put_heirs(const struct context *c, const void *value, FILE *out)
{
    const uint64_t *heirs = value;
    uint32_t count = 0;

    for (uint32_t i = 0; i < HOMING_MEMBERS_MAX; i++)
        if (heirs[i]) {
            put_number(c, &heirs[i], out);
            count++;
        }
    if (!count)
        fputs(" -", out);
}

/* More than can be members are left out. */
static bool take_heirs(struct context *c, char *text, void *ret)
{
    uint64_t *heirs = ret, self;
    uint32_t count = 0;

    (void)c;
    memset(heirs, 0, HOMING_MEMBERS_MAX * sizeof(*heirs));
    if (strcmp(text, "-") == 0)
        return true;
    while (text) {
        if (!word_number(&text, &self))
            return false;
        if (count < HOMING_MEMBERS_MAX)
            heirs[count++] = self;
    }
    return true;
}

/* The index of one member, or MEMBER_NONE. */
static void put_member(const struct context *c, const void *value, FILE *out)
{
    uint32_t member = *(const uint32_t *)value;
    uint32_t mask = member < HOMING_MEMBERS_MAX ? UINT32_C(1) << member : 0;

    put_members(c, &mask, out);
}

static bool take_member(struct context *c, char *text, void *ret)
{
    uint32_t mask;

    take_members(c, text, &mask);
    *(uint32_t *)ret = mask ? (uint32_t)__builtin_ctz(mask) : MEMBER_NONE;
    return true;
}

static void put_mode(const struct context *c, const void *value, FILE *out)
{
    (void)c;
    fprintf(out, " %s", view_mode_name(*(const enum view_mode *)value));
}

static bool take_mode(struct context *c, char *text, void *ret)
{
    c->saved.have_mode |= view_mode_parse(text, ret);
    return c->saved.have_mode;
}

/* The cluster's own name: a text of another cluster is refused. */
static void put_name(const struct context *c, const void *value, FILE *out)
{
    (void)value;
    fprintf(out, " %s", c->cluster->name);
}

static bool take_name(struct context *c, char *text, void *ret)
{
    (void)ret;
    c->named = strcmp(text, c->cluster->name) == 0;
    return c->named;
}

/* The boot that the times are of; "-": not known. */
static void put_boot(const struct context *c, const void *value, FILE *out)
{
    (void)value;
    fprintf(out, " %s", c->clock->boot_id[0] ? c->clock->boot_id : "-");
}

static bool take_boot(struct context *c, char *text, void *ret)
{
    (void)ret;
    c->same_boot = c->clock->boot_id[0] && strcmp(text, c->clock->boot_id) == 0;
    return true;
}

/* A left address: its member, the address and its port, two numbers and a time. Each line of them
 * is one address more. */
static void put_left(const struct context *c, const void *value, FILE *out)
{
    const struct state_left *left = value;
    char text[48];

    inet_address_print(&left->address, text, sizeof(text));
    put_member(c, &left->member, out);
    fprintf(out, " %s %u", text, left->address.port);
    put_number(c, &left->identity, out);
    put_number(c, &left->incarnation, out);
    put_time(c, &left->left_ms, out);
}

static bool read_left(struct context *c, char *text, struct state_left *ret)
{
    char *member = strsep(&text, " ");

    take_member(c, member, &ret->member);
    return word_address(&text, &ret->address) && word_number(&text, &ret->identity) &&
           word_number(&text, &ret->incarnation) && text && take_time(c, text, &ret->left_ms);
}

static bool take_left(struct context *c, char *text, void *ret)
{
    struct state_left left;

    (void)ret;
    if (!read_left(c, text, &left))
        return false;
    if (left.member != MEMBER_NONE && c->saved.left_count < HOMING_LEFT_MAX)
        c->saved.left[c->saved.left_count++] = left;
    return true;
}

/* Where a member is: the same. */
static bool take_at(struct context *c, char *text, void *ret)
{
    struct state_left at;

    (void)ret;
    if (!read_left(c, text, &at))
        return false;
    if (at.member != MEMBER_NONE && c->saved.at_count < HOMING_MEMBERS_MAX)
        c->saved.at[c->saved.at_count++] = at;
    return true;
}

/* Two addresses and their ports. Each line of them is one pair more. */
static void put_listed(const struct context *c, const void *value, FILE *out)
{
    const struct state_listed *pair = value;
    char asked[48], listed[48];

    (void)c;
    inet_address_print(&pair->asked, asked, sizeof(asked));
    inet_address_print(&pair->listed, listed, sizeof(listed));
    fprintf(out, " %s %u %s %u", asked, pair->asked.port, listed, pair->listed.port);
}

static bool take_listed(struct context *c, char *text, void *ret)
{
    struct state_listed pair;

    (void)ret;
    if (!word_address(&text, &pair.asked) || !word_address(&text, &pair.listed))
        return false;
    if (c->same_boot && c->saved.listed_count < STATE_LISTED_MAX)
        c->saved.listed[c->saved.listed_count++] = pair;
    return true;
}

/* A discovered member: host, port, when it was discovered and from whom. Each line is one more. */
static void put_discovered(const struct context *c, const void *value, FILE *out)
{
    const struct roster_member *member = value;

    fprintf(out, " %s %u", member->host, member->port);
    put_time(c, &member->since_ms, out);
    fprintf(out, " %s", member->from);
}

static bool take_discovered(struct context *c, char *text, void *ret)
{
    struct roster_member member = {.missing_ms = 0};
    uint64_t since_ms;

    (void)ret;
    if (!word_text(&text, member.host, sizeof(member.host)) || !word_port(&text, &member.port) ||
        !word_number(&text, &since_ms) || !word_text(&text, member.from, sizeof(member.from)))
        return false;
    member.since_ms = c->same_boot ? state_time_load(c->clock, since_ms) : 0;
    if (c->saved.discovered_count < HOMING_MEMBERS_MAX)
        c->saved.discovered[c->saved.discovered_count++] = member;
    return true;
}

/* An endpoint: three numbers. Each line of them is one endpoint more. */
static void put_endpoint(const struct context *c, const void *value, FILE *out)
{
    const struct state_endpoint *endpoint = value;

    put_number(c, &endpoint->id, out);
    put_number(c, &endpoint->generation, out);
    put_number(c, &endpoint->fingerprint, out);
}

static bool take_endpoint(struct context *c, char *text, void *ret)
{
    struct state_cluster *saved = &c->saved;
    struct state_endpoint e;

    (void)ret;
    if (!word_number(&text, &e.id) || !word_number(&text, &e.generation) ||
        !word_number(&text, &e.fingerprint))
        return false;
    struct state_endpoint *grown =
        reallocarray(saved->endpoints, saved->endpoint_count + 1, sizeof(*grown));
    c->no_memory = !grown;
    if (!grown)
        return false;
    grown[saved->endpoint_count++] = e;
    saved->endpoints = grown;
    return true;
}

/* ---- the keys, in the order in which they are written ---- */

/* What a key belongs to: whether, and how often, it is written. */
enum part {
    PART_HEAD,
    PART_MODE,
    PART_VERDICT,
    PART_SUCCESSION,
    PART_SPARED,
    PART_LEFT,
    PART_AT,
    PART_LISTED,
    PART_DISCOVERED,
    PART_ENDPOINTS
};

#define IN(field) offsetof(struct state_cluster, field)

static const struct row {
    const char *key;
    enum part part;
    size_t at; /* of the value in struct state_cluster */
    void (*put)(const struct context *c, const void *value, FILE *out);
    bool (*take)(struct context *c, char *text, void *ret);
} rows[] = {
    {"cluster", PART_HEAD, 0, put_name, take_name},
    {"boot", PART_HEAD, 0, put_boot, take_boot}, /* before all times */
    {"mode", PART_MODE, IN(mode), put_mode, take_mode},
    {"state", PART_VERDICT, IN(verdict.state), put_state, take_state},
    {"reason", PART_VERDICT, IN(verdict.reason), put_reason, take_reason},
    {"writer", PART_VERDICT, IN(verdict.writer), put_member, take_member},
    {"rival", PART_VERDICT, IN(verdict.rival), put_member, take_member},
    {"demoted", PART_VERDICT, IN(verdict.demoted), put_members, take_members},
    {"readers", PART_VERDICT, IN(verdict.readers), put_members, take_members},
    {"authenticated", PART_VERDICT, IN(verdict.authenticated), put_bool, take_bool},
    {"braked", PART_VERDICT, IN(verdict.braked), put_bool, take_bool},
    {"frozen", PART_VERDICT, IN(verdict.frozen), put_bool, take_bool},
    {"identity", PART_VERDICT, IN(verdict.identity), put_number, take_number},
    {"discarded", PART_VERDICT, IN(verdict.discarded), put_number, take_number},
    {"term", PART_VERDICT, IN(verdict.term), put_term, take_term},
    {"position", PART_VERDICT, IN(verdict.position), put_number, take_number},
    {"confirmed_ms", PART_VERDICT, IN(verdict.confirmed_ms), put_time, take_time},
    {"since_ms", PART_VERDICT, IN(verdict.since_ms), put_time, take_time},
    {"switches", PART_VERDICT, IN(verdict.switches), put_number, take_number},
    {"self", PART_SUCCESSION, IN(verdict.self), put_number, take_number},
    {"branch", PART_SUCCESSION, IN(verdict.branch), put_number, take_number},
    {"heirs", PART_SUCCESSION, IN(verdict.heirs), put_heirs, take_heirs},
    {"spared", PART_SPARED, IN(spared), put_number, take_in_boot},
    {"untold", PART_SPARED, IN(untold), put_bool, take_bool},
    {"left", PART_LEFT, 0, put_left, take_left},
    {"at", PART_AT, 0, put_left, take_at},
    {"listed", PART_LISTED, 0, put_listed, take_listed},
    {"discovered", PART_DISCOVERED, 0, put_discovered, take_discovered},
    {"endpoint", PART_ENDPOINTS, 0, put_endpoint, take_endpoint},
};

enum {
    ROW_COUNT = sizeof(rows) / sizeof(rows[0])
};

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

static uint32_t line_count(const struct state_cluster *saved, enum part part)
{
    switch (part) {
    case PART_MODE:
        return saved->have_mode;
    case PART_VERDICT:
        return saved->have_verdict;
    case PART_SUCCESSION: /* W12: of engines with a term there is none */
        return saved->have_verdict && saved->verdict.self != 0;
    case PART_SPARED:
        return saved->spared > 0;
    case PART_LEFT:
        return saved->left_count;
    case PART_AT:
        return saved->at_count;
    case PART_LISTED:
        return saved->listed_count;
    case PART_DISCOVERED:
        return saved->discovered_count;
    case PART_ENDPOINTS:
        return saved->endpoint_count;
    default:
        return 1;
    }
}

static void put_row(const struct context *c, const struct row *row,
                    const struct state_cluster *saved, FILE *out)
{
    for (uint32_t i = 0; i < line_count(saved, row->part); i++) {
        fputs(row->key, out);
        if (row->part == PART_ENDPOINTS)
            row->put(c, &saved->endpoints[i], out);
        else if (row->part == PART_LEFT)
            row->put(c, &saved->left[i], out);
        else if (row->part == PART_AT)
            row->put(c, &saved->at[i], out);
        else if (row->part == PART_LISTED)
            row->put(c, &saved->listed[i], out);
        else if (row->part == PART_DISCOVERED)
            row->put(c, &saved->discovered[i], out);
        else
            row->put(c, (const char *)saved + row->at, out);
        fputc('\n', out);
    }
}

int state_text_encode(const struct conf_cluster *cluster, const struct state_cluster *saved,
                      const struct state_clock *clock, char **ret_text, size_t *ret_len)
{
    struct context c = {.cluster = cluster, .clock = clock};
    char *text = NULL;
    size_t len = 0;

    if (!names_are_plain(cluster))
        return -EINVAL;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return -ENOMEM;
    fputs(first_line, out);
    for (size_t i = 0; i < ROW_COUNT; i++)
        put_row(&c, &rows[i], saved, out);
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

static bool take_line(struct context *c, char *line)
{
    const char *key = strsep(&line, " ");

    if (!line)
        return false;
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strcmp(key, rows[i].key) == 0) {
            c->saved.have_verdict |= rows[i].part == PART_VERDICT;
            return rows[i].take(c, line, (char *)&c->saved + rows[i].at);
        }
    return true; /* a key of a newer agent */
}

static bool take_lines(struct context *c, char *lines)
{
    char *line;

    while ((line = strsep(&lines, "\n")) && lines)
        if (!take_line(c, line))
            return false;
    return c->named && *line == '\0';
}

int state_text_decode(const char *text, size_t len, const struct conf_cluster *cluster,
                      const struct state_clock *clock, struct state_cluster *ret_saved)
{
    struct context c = {.cluster = cluster, .clock = clock};
    struct verdict *verdict = &c.saved.verdict;
    size_t first = sizeof(first_line) - 1;

    if (len < first || memcmp(text, first_line, first) != 0 || memchr(text, '\0', len))
        return -EBADMSG;
    verdict->writer = verdict->rival = MEMBER_NONE;
    char *copy = strndup(text, len);
    if (!copy)
        return -ENOMEM;
    bool good = take_lines(&c, copy + first);
    free(copy);
    if (!good) {
        free(c.saved.endpoints);
        return c.no_memory ? -ENOMEM : -EBADMSG;
    }
    /* No agent writes this, and decide should not have to expect it. */
    if (verdict->writer != MEMBER_NONE)
        verdict->demoted &= ~(UINT32_C(1) << verdict->writer);
    if (!verdict->self)
        memset(verdict->heirs, 0, sizeof(verdict->heirs));
    c.saved.frozen = verdict->frozen;
    *ret_saved = c.saved;
    return 0;
}
