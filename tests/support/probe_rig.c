/* SPDX-License-Identifier: Apache-2.0
 *
 * probe_rig.c - doubles of engine and resolver; the resolver is linked instead of the real one.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/fake_loop.h"
#include "tests/support/probe_rig.h"
#include "tests/support/test.h"

static char cluster_name[] = "orders";
static struct conf_member cluster_members[MEMBERS] = {{.port = 1}, {.port = 2}, {.port = 3}};
struct conf_cluster probe_rig_cluster = {
    .name = cluster_name,
    .members = cluster_members,
    .member_count = MEMBERS,
    .timing = {.interval_ms = INTERVAL, .fast_interval_ms = FAST, .timeout_ms = TIMEOUT},
};

/* The engine: a session per open(), which the test answers. */

struct engine_session *sessions[MEMBERS];
uint32_t opened[MEMBERS];
uint32_t cheap[MEMBERS];
uint32_t full[MEMBERS];

static struct engine_session *fake_open(struct loop *on, const struct conf_cluster *cluster,
                                        const struct conf_member *member,
                                        const struct address *address,
                                        const struct engine_sink *sink)
{
    (void)on;
    uint32_t index = (uint32_t)(member - cluster->members);
    struct engine_session *s = calloc(1, sizeof(*s));
    assert_null(sessions[index]);
    *s = (struct engine_session){.sink = *sink, .member = index, .address = *address};
    sessions[index] = s;
    opened[index]++;
    return s;
}

static void fake_ask(struct engine_session *s, enum question question)
{
    assert_false(s->asked);
    s->asked = true;
    ++*(question == QUESTION_FULL ? &full[s->member] : &cheap[s->member]);
}

static void fake_close(struct engine_session *s)
{
    sessions[s->member] = NULL;
    free(s);
}

static const struct engine fake = {.open = fake_open, .ask = fake_ask, .close = fake_close};

void answers(uint32_t member)
{
    const struct report report = {.role = ROLE_READER, .position = 7};
    struct engine_session *s = sessions[member];
    assert_true(s->asked);
    s->asked = false;
    s->sink.answer(s->sink.arg, &report, NULL);
}

void fails(uint32_t member, enum report_kind kind, enum engine_hint hint)
{
    assert_non_null(sessions[member]);
    sessions[member]->sink.failed(sessions[member]->sink.arg, kind, hint, "its own words");
}

void becomes_ready(uint32_t member)
{
    assert_non_null(sessions[member]);
    sessions[member]->sink.ready(sessions[member]->sink.arg);
}

/* The resolver: one host per member, which the test resolves. */

struct resolve_host {
    resolve_fn *fn;
    void *arg;
};

static struct resolve_host *hosts[MEMBERS];
static uint32_t host_count;

struct resolve_host *resolve_host_new(struct resolver *resolver, const char *name,
                                      enum conf_family family, resolve_fn *fn, void *arg)
{
    (void)resolver;
    (void)name;
    (void)family;
    struct resolve_host *host = calloc(1, sizeof(*host));
    *host = (struct resolve_host){.fn = fn, .arg = arg};
    hosts[host_count++ % MEMBERS] = host;
    return host;
}

void resolve_host_free(struct resolve_host *host)
{
    free(host);
}

/* Member m is at 10.0.m.<last byte of each of `ends`>. */
void resolves(uint32_t member, const char *ends)
{
    struct inet_address set[8] = {{.family = 0}};
    uint32_t count = 0;
    for (; ends[count] != '\0'; count++)
        set[count] = (struct inet_address){
            .family = 4, .bytes = {10, 0, (uint8_t)member, (uint8_t)(ends[count] - '0')}};
    hosts[member]->fn(hosts[member]->arg, set, count, count == 0 ? "no such host" : NULL);
}

/* What comes out. */

struct report reports[REPORTS_MAX];
size_t report_count;
uint32_t ask_on_report;
struct probe *probe;
struct loop *loop;

struct told told[MEMBERS];

static void on_member(void *arg, uint32_t member, const struct probe_member *known)
{
    (void)arg;
    assert_in_range(member, 0, MEMBERS - 1);
    told[member].where = *known->where;
    told[member].retry_ms = known->retry_ms;
    snprintf(told[member].error, sizeof(told[member].error), "%s", known->error);
}

static void on_report(void *arg, const struct report *report)
{
    (void)arg;
    assert_in_range(report_count, 0, REPORTS_MAX - 1);
    reports[report_count++] = *report;
    if (ask_on_report != 0)
        probe_ask(probe, ask_on_report);
}

static void on_addresses(void *arg, uint32_t member)
{
    (void)arg;
    assert_in_range(member, 0, MEMBERS - 1);
}

uint32_t reported(uint32_t member, enum report_kind kind)
{
    uint32_t n = 0;
    for (size_t i = 0; i < report_count; i++)
        n += reports[i].member == member && reports[i].kind == kind;
    return n;
}

void forget(void)
{
    report_count = 0;
    memset(told, 0, sizeof(told));
    memset(opened, 0, sizeof(opened));
    memset(cheap, 0, sizeof(cheap));
    memset(full, 0, sizeof(full));
}

int probe_rig_setup(void **state)
{
    static const struct probe_sink SINK = {
        .member = on_member, .report = on_report, .addresses = on_addresses};
    (void)state;
    probe_rig_cluster.allowed_network_count = 0;
    host_count = 0;
    ask_on_report = 0;
    forget();
    loop = loop_new();
    probe = probe_new(loop, NULL, &fake, &probe_rig_cluster, &SINK);
    return !probe;
}

int probe_rig_teardown(void **state)
{
    (void)state;
    probe_free(probe);
    for (uint32_t i = 0; i < MEMBERS; i++)
        assert_null(sessions[i]);
    assert_int_equal(fake_loop_watchers(loop), 0);
    loop_free(loop);
    return 0;
}

void stands(uint32_t member)
{
    resolves(member, "1");
    fake_loop_advance(loop, 0);
    becomes_ready(member);
    answers(member);
}

void passes(uint32_t ms, uint32_t answering)
{
    for (uint32_t t = 0; t < ms; t++) {
        fake_loop_advance(loop, 1);
        for (uint32_t i = 0; i < MEMBERS; i++)
            if (answering >> i & 1 && sessions[i] && sessions[i]->asked)
                answers(i);
    }
}

void passes_failing(uint64_t ms, uint32_t member, enum report_kind kind, enum engine_hint hint)
{
    uint64_t end = loop_now_ms(loop) + ms;
    while (loop_now_ms(loop) < end) {
        uint64_t left = end - loop_now_ms(loop);
        uint64_t next = fake_loop_next_ms(loop);
        fake_loop_advance(loop, next < left ? next : left);
        if (sessions[member])
            fails(member, kind, hint);
    }
}
