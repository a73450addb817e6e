/* SPDX-License-Identifier: Apache-2.0
 *
 * patroni_reports.c - as patroni_reports.h says; patroni_status.c reads the JSON.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/probe/engines/patroni/patroni_reports.h"
#include "agent/probe/engines/patroni/patroni_status.h"
#include "proto/hash.h"
#include "proto/utf8.h"

enum {
    /* A member that has not read its configuration store for so long does not know who is the leader.
     * Shorter: Patroni reads it every 10 s, and may need 10 s more for that. Longer: than the lock
     * lasts, which is 30 s. All three can be configured there; these are what it has without that. */
    DCS_FRESH_S = 30,
};

static const char NOTE_PAUSED[] = "Patroni is paused: its leader lock decides nothing (W3)";
static const char NOTE_LOST[] = "it claims without the leader lock";

/* Parsers: strict, the whole text or nothing. */

/* Up to 20 digits that fit. */
static bool parse_identifier(const char *text, uint64_t *ret)
{
    uint64_t value = 0;

    for (const char *at = text; *at != '\0'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (*at < '0' || *at > '9' || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret = value;
    return value != 0;
}

/* A number of `digits` digits, and what follows it. */
static bool take(const char **at, int digits, const char *follows, int *ret)
{
    size_t length = strlen(follows);

    *ret = 0;
    for (; digits > 0; digits--, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        *ret = *ret * 10 + (**at - '0');
    }
    if (strncmp(*at, follows, length) != 0)
        return false;
    *at += length;
    return true;
}

/* ".966359": a fraction of 6 digits, or none. */
static bool take_fraction(const char **at, int *ret)
{
    *ret = 0;
    if (**at != '.')
        return true;
    (*at)++;
    return take(at, 6, "", ret);
}

/* "+02:00" */
static bool parse_offset(const char *at, int *ret_seconds)
{
    int hours, minutes, sign = *at == '-' ? -1 : 1;

    if (*at != '+' && *at != '-')
        return false;
    at++;
    if (!take(&at, 2, ":", &hours) || !take(&at, 2, "", &minutes) || *at != '\0')
        return false;
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

/* "2023-08-18 11:03:37.966359+00:00" to microseconds since 1970; 0: it is written in another way, as
 * by a Patroni before version 2.1, and not known. */
static uint64_t parse_start(const char *at)
{
    struct tm tm = {.tm_isdst = 0};
    int us, offset;

    if (!take(&at, 4, "-", &tm.tm_year) || !take(&at, 2, "-", &tm.tm_mon) ||
        !take(&at, 2, " ", &tm.tm_mday) || !take(&at, 2, ":", &tm.tm_hour) ||
        !take(&at, 2, ":", &tm.tm_min) || !take(&at, 2, "", &tm.tm_sec) ||
        !take_fraction(&at, &us) || !parse_offset(at, &offset))
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t seconds = (int64_t)timegm(&tm) - offset;
    return seconds > 0 ? (uint64_t)seconds * 1000000 + (uint64_t)us : 0;
}

/* The leader lock. */

/* Both times are the member's own. A date is cut to a second, and may be a second older than what was
 * read meanwhile. */
static bool dcs_is_fresh(const struct patroni_status *s, int64_t date)
{
    return date > 0 && s->dcs_seen > 0 && s->dcs_seen <= date + 1 &&
           date - s->dcs_seen <= DCS_FRESH_S;
}

/* W3: who holds it says so while it can know. Who does not hold it knows that without the store, too:
 * the lock runs out. Of a cluster that is paused, or whose leader goes on without a lock, nothing. */
static enum lock lock_of(const struct patroni_status *s, const struct patroni_answer *answer)
{
    if (s->paused || s->failsafe || s->scope[0] == '\0')
        return LOCK_NONE;
    if (answer->status != 200)
        return LOCK_LOST;
    return !s->unlocked && dcs_is_fresh(s, answer->date) ? LOCK_HELD : LOCK_NONE;
}

/* Answers. */

static void fail(struct patroni_failure *f, enum report_kind kind, enum engine_hint hint,
                 const char *text)
{
    f->kind = kind;
    f->hint = hint;
    snprintf(f->text, sizeof(f->text), "%s", text);
}

static bool is_one_of(const char *text, const char *const *names)
{
    while (*names && strcmp(*names, text) != 0)
        names++;
    return *names;
}

static bool report_primary(const struct patroni_status *s, const struct patroni_answer *answer,
                           struct report *report)
{
    if (s->timeline <= 0 || s->location < 0)
        return false;
    report->role = ROLE_WRITER;
    report->term.lo = (uint64_t)s->timeline;
    report->position = (uint64_t)s->location;
    report->lock = lock_of(s, answer);
    report->lock_of = hash_text(s->scope);
    return true;
}

static bool report_replica(const struct patroni_status *s, struct report *report)
{
    report->role = ROLE_READER;
    report->position = s->replayed > 0 ? (uint64_t)s->replayed : 0;
    return true;
}

/* Of a database that runs. */
static bool report_running(const struct patroni_status *s, const struct patroni_answer *answer,
                           struct report *report)
{
    static const char *const PRIMARIES[] = {"primary", "master", NULL};
    static const char *const REPLICAS[] = {"replica", "standby_leader", NULL};

    report->kind = REPORT_ANSWER;
    if (!parse_identifier(s->identifier, &report->identity))
        return false;
    report->incarnation = parse_start(s->start);
    if (is_one_of(s->role, PRIMARIES))
        return report_primary(s, answer, report);
    return is_one_of(s->role, REPLICAS) && report_replica(s, report);
}

static const char *note_of(const struct patroni_status *s, const struct report *report)
{
    if (s->paused)
        return NOTE_PAUSED;
    return report->lock == LOCK_LOST ? NOTE_LOST : NULL;
}

/* What is there wants to know who asks, or is no Patroni. */
static void fail_status(unsigned status, struct patroni_failure *f)
{
    const char *who = "look what is at this port, and write Patroni's own into rest_port";

    if (status == 401 || status == 403 || status == 407) {
        fail(f, REPORT_DENIED, HINT_NONE, "");
        snprintf(
            f->text, sizeof(f->text),
            "it wants authentication (HTTP status %u), which Patroni never does where its state is "
            "read: homing has to reach Patroni itself, and no proxy before it",
            status);
        return;
    }
    fail(f, REPORT_ODD, HINT_NONE, "");
    if (status == 400)
        who = "if it speaks TLS there, write tls=require or tls=verify-full";
    snprintf(f->text, sizeof(f->text),
             "it does not answer GET " PATRONI_QUESTION " as Patroni does (HTTP status %u): %s",
             status, who);
}

/* While Patroni makes a new cluster, its database answers, and Patroni does not tell yet which one it
 * is. A claim of nobody knows what would be followed by one for another data set (W4). */
static bool is_up(const struct patroni_status *s)
{
    return strcmp(s->state, "running") == 0 && s->identifier[0] != '\0';
}

/* Patroni is there, and the database is not up. */
static void fail_state(const struct patroni_status *s, struct patroni_failure *f)
{
    char state[PATRONI_TEXT_SIZE];

    utf8_clean(s->state, strlen(s->state), state, sizeof(state));
    fail(f, REPORT_REFUSED, HINT_STARTING, "");
    if (strcmp(s->state, "running") == 0)
        fail(f, REPORT_REFUSED, HINT_STARTING, "Patroni does not say yet which data set it has");
    else
        snprintf(f->text, sizeof(f->text), "Patroni says that the database is not running: %s",
                 state);
}

bool patroni_report(const struct patroni_answer *answer, struct report *ret_report,
                    const char **ret_note, struct patroni_failure *ret_failure)
{
    struct patroni_status status;
    struct report report = {.kind = REPORT_ANSWER};

    if ((answer->status != 200 && answer->status != 503) || !answer->body ||
        !patroni_status_read(answer->body, answer->len, &status) || status.state[0] == '\0' ||
        status.role[0] == '\0') {
        fail_status(answer->status, ret_failure);
        return false;
    }
    if (!is_up(&status)) {
        fail_state(&status, ret_failure);
        return false;
    }
    if (!report_running(&status, answer, &report)) {
        fail(ret_failure, REPORT_ODD, HINT_NONE,
             "Patroni says that the database runs, but not with which role, timeline and position");
        return false;
    }
    *ret_report = report;
    *ret_note = note_of(&status, &report);
    return true;
}

/* Failures. */

/* A member is called by its database's port: the words have the one that was asked. */
void patroni_report_failure(const struct http_failure *failure, uint16_t port, bool tls,
                            bool strange, struct patroni_failure *ret_failure)
{
    static const enum report_kind KINDS[] = {
        [HTTP_FAULT_NETWORK] = REPORT_REFUSED,
        [HTTP_FAULT_TLS] = REPORT_ODD,
        [HTTP_FAULT_ANSWER] = REPORT_ODD,
        [HTTP_FAULT_LOCAL] = REPORT_ODD,
    };
    bool no_tls = !tls && failure->connected && failure->fault != HTTP_FAULT_LOCAL;

    fail(ret_failure, KINDS[failure->fault], HINT_NONE, "");
    if (failure->fault == HTTP_FAULT_LOCAL && strange)
        ret_failure->kind = REPORT_DENIED; /* it says nothing of who is there */
    snprintf(ret_failure->text, sizeof(ret_failure->text), "REST API, port %u: %.*s%s", port,
             (int)sizeof(ret_failure->text) - 80, failure->text,
             no_tls ? ". If it speaks TLS there, write tls=verify-full" : "");
}
