/* SPDX-License-Identifier: Apache-2.0
 *
 * text.c - see state/text.h.
 *
 * From top to bottom: what one cluster has several of, a line each; the table of keys, a row each;
 * then a whole text, written and read along that table.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/state/text.h"
#include "agent/state/value.h"
#include "agent/state/word.h"

static const char first_line[] = "homing-state 1\n";

/* ---- what there are several of ---- */

/* A left address: its member, the address and its port, two numbers and a time. Each line of them
 * is one address more. */
static void put_left(const struct value_context *c, const void *value, FILE *out)
{
    const struct state_left *left = value;
    char text[48];

    inet_address_print(&left->address, text, sizeof(text));
    value_put_member(c, &left->member, out);
    fprintf(out, " %s %u", text, left->address.port);
    value_put_number(c, &left->identity, out);
    value_put_number(c, &left->incarnation, out);
    value_put_time(c, &left->left_ms, out);
}

static bool read_left(struct value_context *c, char *text, struct state_left *ret)
{
    char *member = strsep(&text, " ");

    value_take_member(c, member, &ret->member);
    return word_address(&text, &ret->address) && word_number(&text, &ret->identity) &&
           word_number(&text, &ret->incarnation) && text && value_take_time(c, text, &ret->left_ms);
}

static bool add_left(struct value_context *c, char *text, bool behind)
{
    struct state_left left = {.behind = behind};

    if (!read_left(c, text, &left))
        return false;
    if (left.member != MEMBER_NONE && c->saved.left_count < HOMING_LEFT_MAX)
        c->saved.left[c->saved.left_count++] = left;
    return true;
}

static bool take_left(struct value_context *c, char *text, void *ret)
{
    (void)ret;
    return add_left(c, text, false);
}

/* W4a: an agent that does not know of these must not take them for others. */
static bool take_behind(struct value_context *c, char *text, void *ret)
{
    (void)ret;
    return add_left(c, text, true);
}

/* Where a member is: the same. */
static bool take_at(struct value_context *c, char *text, void *ret)
{
    struct state_left at = {.behind = false};

    (void)ret;
    if (!read_left(c, text, &at))
        return false;
    if (at.member != MEMBER_NONE && c->saved.at_count < HOMING_MEMBERS_MAX)
        c->saved.at[c->saved.at_count++] = at;
    return true;
}

/* Two addresses and their ports. Each line of them is one pair more. */
static void put_listed(const struct value_context *c, const void *value, FILE *out)
{
    const struct state_listed *pair = value;
    char asked[48], listed[48];

    (void)c;
    inet_address_print(&pair->asked, asked, sizeof(asked));
    inet_address_print(&pair->listed, listed, sizeof(listed));
    fprintf(out, " %s %u %s %u", asked, pair->asked.port, listed, pair->listed.port);
}

static bool take_listed(struct value_context *c, char *text, void *ret)
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
static void put_discovered(const struct value_context *c, const void *value, FILE *out)
{
    const struct roster_member *member = value;

    fprintf(out, " %s %u", member->host, member->port);
    value_put_time(c, &member->since_ms, out);
    fprintf(out, " %s", member->from);
}

static bool take_discovered(struct value_context *c, char *text, void *ret)
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
static void put_endpoint(const struct value_context *c, const void *value, FILE *out)
{
    const struct state_endpoint *endpoint = value;

    value_put_number(c, &endpoint->id, out);
    value_put_number(c, &endpoint->generation, out);
    value_put_number(c, &endpoint->fingerprint, out);
}

static bool take_endpoint(struct value_context *c, char *text, void *ret)
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
    PART_UNYIELDING,
    PART_DEPLOYMENT,
    PART_SPARED,
    PART_LEFT,
    PART_BEHIND,
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
    void (*put)(const struct value_context *c, const void *value, FILE *out);
    bool (*take)(struct value_context *c, char *text, void *ret);
} rows[] = {
    {"cluster", PART_HEAD, 0, value_put_name, value_take_name},
    {"boot", PART_HEAD, 0, value_put_boot, value_take_boot}, /* before all times */
    {"mode", PART_MODE, IN(mode), value_put_mode, value_take_mode},
    {"state", PART_VERDICT, IN(verdict.state), value_put_state, value_take_state},
    {"reason", PART_VERDICT, IN(verdict.reason), value_put_reason, value_take_reason},
    {"writer", PART_VERDICT, IN(verdict.writer), value_put_member, value_take_member},
    {"rival", PART_VERDICT, IN(verdict.rival), value_put_member, value_take_member},
    {"demoted", PART_VERDICT, IN(verdict.demoted), value_put_members, value_take_members},
    {"readers", PART_VERDICT, IN(verdict.readers), value_put_members, value_take_members},
    {"authenticated", PART_VERDICT, IN(verdict.authenticated), value_put_bool, value_take_bool},
    {"braked", PART_VERDICT, IN(verdict.braked), value_put_bool, value_take_bool},
    {"frozen", PART_VERDICT, IN(verdict.frozen), value_put_bool, value_take_bool},
    {"identity", PART_VERDICT, IN(verdict.identity), value_put_number, value_take_number},
    {"discarded", PART_VERDICT, IN(verdict.discarded), value_put_number, value_take_number},
    {"term", PART_VERDICT, IN(verdict.term), value_put_term, value_take_term},
    {"position", PART_VERDICT, IN(verdict.position), value_put_number, value_take_number},
    {"confirmed_ms", PART_VERDICT, IN(verdict.confirmed_ms), value_put_time, value_take_time},
    {"since_ms", PART_VERDICT, IN(verdict.since_ms), value_put_time, value_take_time},
    {"switches", PART_VERDICT, IN(verdict.switches), value_put_number, value_take_number},
    {"self", PART_SUCCESSION, IN(verdict.self), value_put_number, value_take_number},
    {"branch", PART_SUCCESSION, IN(verdict.branch), value_put_number, value_take_number},
    {"heirs", PART_SUCCESSION, IN(verdict.heirs), value_put_servers, value_take_servers},
    {"unyielding", PART_UNYIELDING, IN(verdict.unyielding), value_put_servers, value_take_servers},
    {"phase", PART_DEPLOYMENT, IN(verdict.phase), value_put_phase, value_take_phase},
    {"green", PART_DEPLOYMENT, IN(verdict.green), value_put_members, value_take_members},
    {"named", PART_DEPLOYMENT, IN(verdict.named), value_put_members, value_take_members},
    {"stray", PART_DEPLOYMENT, IN(verdict.stray), value_put_bool, value_take_bool},
    {"retired", PART_DEPLOYMENT, IN(verdict.retired), value_put_members, value_take_members},
    {"renamed", PART_DEPLOYMENT, IN(verdict.renamed), value_put_members, value_take_members},
    {"spared", PART_SPARED, IN(spared), value_put_number, value_take_in_boot},
    {"untold", PART_SPARED, IN(untold), value_put_bool, value_take_bool},
    {"left", PART_LEFT, 0, put_left, take_left},
    {"behind", PART_BEHIND, 0, put_left, take_behind},
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

/* How many of the first `count` left addresses are of this kind. */
static uint32_t count_left(const struct state_cluster *saved, bool behind, uint32_t count)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < count; i++)
        found += saved->left[i].behind == behind;
    return found;
}

/* The next one of this kind. */
static const struct state_left *nth_left(const struct state_cluster *saved, bool behind, uint32_t n)
{
    uint32_t i = 0;

    while (saved->left[i].behind != behind || count_left(saved, behind, i) < n)
        i++;
    return &saved->left[i];
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
    case PART_UNYIELDING: /* W3a: of most clusters there is none */
        return saved->have_verdict && saved->verdict.unyielding[0] != 0;
    case PART_DEPLOYMENT: /* W4a: most clusters have none */
        return saved->have_verdict &&
               (saved->verdict.stray || (saved->verdict.green | saved->verdict.retired) != 0);
    case PART_SPARED:
        return saved->spared > 0;
    case PART_LEFT:
    case PART_BEHIND:
        return count_left(saved, part == PART_BEHIND, saved->left_count);
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

static void put_row(const struct value_context *c, const struct row *row,
                    const struct state_cluster *saved, FILE *out)
{
    for (uint32_t i = 0; i < line_count(saved, row->part); i++) {
        fputs(row->key, out);
        if (row->part == PART_ENDPOINTS)
            row->put(c, &saved->endpoints[i], out);
        else if (row->part == PART_LEFT || row->part == PART_BEHIND)
            row->put(c, nth_left(saved, row->part == PART_BEHIND, i), out);
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
    struct value_context c = {.cluster = cluster, .clock = clock};
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

static bool take_line(struct value_context *c, char *line)
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

static bool take_lines(struct value_context *c, char *lines)
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
    struct value_context c = {.cluster = cluster, .clock = clock};
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
