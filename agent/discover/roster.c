/* SPDX-License-Identifier: Apache-2.0
 *
 * roster.c - see roster.h.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/discover/roster.h"
#include "proto/hash.h"

uint32_t roster_find(const struct roster *r, const char *host, uint16_t port)
{
    uint32_t i = 0;

    while (i < r->count && (r->at[i].port != port || strcmp(r->at[i].host, host) != 0))
        i++;
    return i;
}

static bool is_configured(const struct conf_cluster *conf, const char *host, uint16_t port)
{
    for (uint32_t i = 0; i < conf->member_count; i++)
        if (conf->members[i].port == port && strcmp(conf->members[i].host, host) == 0)
            return true;
    return false;
}

static bool has_room(const struct roster *r, const struct conf_cluster *conf)
{
    return conf->member_count + r->count < HOMING_MEMBERS_MAX;
}

/* ---- what is named ---- */

/* It comes from outside, and is for status and log. */
static void copy_clean(char *to, size_t size, const char *from)
{
    size_t i;

    for (i = 0; from[i] && i < size - 1; i++)
        to[i] = from[i] > ' ' && from[i] < 0x7f ? from[i] : '?';
    to[i] = '\0';
}

static void note_refused(struct roster *r, const struct topology_row *row, enum named why,
                         const char *from, uint64_t now_ms)
{
    r->refused_ms = now_ms;
    r->refused_why = why;
    copy_clean(r->refused, sizeof(r->refused), row->host[0] ? row->host : row->id);
    snprintf(r->refused_from, sizeof(r->refused_from), "%s", from);
}

/* True: it joined. */
static bool note_named(struct roster *r, const struct conf_cluster *conf, const char *host,
                       uint16_t port, const char *from, uint64_t now_ms)
{
    uint32_t i = roster_find(r, host, port);

    if (is_configured(conf, host, port))
        return false;
    if (i < r->count) {
        r->at[i].missing_ms = 0;
        return false;
    }
    if (!has_room(r, conf)) {
        r->too_many_ms = now_ms;
        return false;
    }
    r->at[r->count] = (struct roster_member){.port = port, .since_ms = now_ms};
    snprintf(r->at[r->count].host, sizeof(r->at[0].host), "%.*s", HOMING_NAME_MAX, host);
    snprintf(r->at[r->count].from, sizeof(r->at[0].from), "%s", from);
    r->count++;
    return true;
}

/* Until it is named. */
static void miss_all(struct roster *r, uint64_t now_ms)
{
    bool silent = r->taken_ms == 0 || now_ms - r->taken_ms > ROSTER_SILENCE_MS;

    for (uint32_t i = 0; i < r->count; i++)
        if (silent || r->at[i].missing_ms == 0)
            r->at[i].missing_ms = now_ms;
    r->taken_ms = now_ms;
}

static uint16_t port_of(const struct topology_row *row, uint16_t port)
{
    return row->port ? row->port : port;
}

/* The hosts of the good rows, at the same places; the others are "". Returns how many are good. */
static uint32_t judge(struct roster *r, const struct conf_cluster *conf, const struct topology *t,
                      const char *from, uint16_t port, uint64_t now_ms,
                      struct conf_host ret[HOMING_MEMBERS_MAX])
{
    uint32_t good = 0;

    for (uint32_t i = 0; i < t->count; i++) {
        enum named named = named_judge(conf, &t->at[i], &ret[i]);
        if (named == NAMED_GOOD)
            named = named_judge_port(conf, port_of(&t->at[i], port));
        if (named == NAMED_GOOD) {
            good++;
        } else {
            ret[i].text[0] = '\0';
            note_refused(r, &t->at[i], named, from, now_ms);
        }
    }
    return good;
}

bool roster_may_take(const struct conf_cluster *conf, const struct topology *topology,
                     uint16_t port)
{
    struct conf_host host;
    uint16_t own;

    for (uint32_t i = 0; i < topology->count; i++)
        if (named_judge_row(conf, &topology->at[i], port, &host, &own) == NAMED_GOOD)
            return true;
    return false;
}

bool roster_take(struct roster *r, const struct conf_cluster *conf, const struct topology *topology,
                 const char *from, uint16_t port, uint64_t now_ms)
{
    struct conf_host hosts[HOMING_MEMBERS_MAX];
    bool joined = false;

    if (topology->too_many) { /* which of them to take would be a guess */
        r->too_many_ms = now_ms;
        return false;
    }
    if (judge(r, conf, topology, from, port, now_ms, hosts) == 0)
        return false;
    miss_all(r, now_ms);
    for (uint32_t i = 0; i < topology->count; i++)
        if (hosts[i].text[0])
            joined |=
                note_named(r, conf, hosts[i].text, port_of(&topology->at[i], port), from, now_ms);
    return joined;
}

/* ---- who leaves ---- */

static void drop(struct roster *r, uint32_t i)
{
    r->count--;
    memmove(&r->at[i], &r->at[i + 1], (r->count - i) * sizeof(r->at[0]));
}

static bool leaves(const struct roster_member *m, enum roster_hold hold, uint64_t now_ms)
{
    uint64_t missing_ms = m->missing_ms ? now_ms - m->missing_ms : 0;

    if (hold == ROSTER_ALWAYS)
        return false;
    return missing_ms >= (hold == ROSTER_FREE ? ROSTER_GONE_MS : ROSTER_HELD_MS);
}

bool roster_leave(struct roster *r, const enum roster_hold *hold, uint64_t now_ms)
{
    bool left = false;

    for (uint32_t i = r->count; i-- > 0;) {
        if (!leaves(&r->at[i], hold[i], now_ms))
            continue;
        drop(r, i);
        left = true;
    }
    return left;
}

/* ---- from disk, and by another configuration ---- */

static bool may_be_member(const struct conf_cluster *conf, const struct roster_member *m)
{
    struct conf_host host;

    return m->port != 0 && !conf_value_host(m->host, &host) && strcmp(host.text, m->host) == 0 &&
           named_judge_host(conf, &host) == NAMED_GOOD &&
           named_judge_port(conf, m->port) == NAMED_GOOD && !is_configured(conf, m->host, m->port);
}

void roster_restore(struct roster *r, const struct conf_cluster *conf,
                    const struct roster_member *saved)
{
    if (!may_be_member(conf, saved) || !has_room(r, conf) ||
        roster_find(r, saved->host, saved->port) < r->count)
        return;
    r->at[r->count] = *saved;
    r->at[r->count++].missing_ms = 0;
}

void roster_confine(struct roster *r, const struct conf_cluster *conf)
{
    uint32_t room = HOMING_MEMBERS_MAX - conf->member_count;

    for (uint32_t i = r->count; i-- > 0;)
        if (!may_be_member(conf, &r->at[i]))
            drop(r, i);
    if (r->count > room)
        r->count = room;
}

/* ---- what others look at ---- */

uint64_t roster_mark(const struct roster *r)
{
    uint64_t mark = HASH_START;

    for (uint32_t i = 0; i < r->count; i++) {
        mark = hash_bytes(mark, r->at[i].host, strlen(r->at[i].host) + 1);
        mark = hash_bytes(mark, &r->at[i].port, sizeof(r->at[i].port));
    }
    return mark;
}

bool roster_is_crowded(const struct roster *r, uint64_t now_ms)
{
    return r->too_many_ms != 0 && now_ms - r->too_many_ms < ROSTER_TELL_MS;
}

bool roster_has_refused(const struct roster *r, uint64_t now_ms)
{
    return r->refused_ms != 0 && now_ms - r->refused_ms < ROSTER_TELL_MS;
}
