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
static char host_name[] = "db.test";
static struct conf_member cluster_members[MEMBERS] = {{.host = host_name, .port = 1},
                                                      {.host = host_name, .port = 2},
                                                      {.host = host_name, .port = 3},
                                                      {.host = host_name, .port = 4},
                                                      {.host = host_name, .port = 5}};
struct conf_cluster probe_rig_cluster = {
    .name = cluster_name,
    .members = cluster_members,
    .member_count = MEMBERS,
    .timing = {.interval_ms = INTERVAL, .fast_interval_ms = FAST, .timeout_ms = TIMEOUT},
};

/* The engine: a session per open(), which the test answers. */

struct engine_session *sessions[SESSIONS];
uint32_t opened[SESSIONS];
uint32_t cheap[SESSIONS];
uint32_t full[SESSIONS];

static struct engine_session *fake_open(struct loop *on, const struct conf_cluster *cluster,
                                        const struct conf_member *member,
                                        const struct address *address, bool strange,
                                        const struct engine_sink *sink)
{
    (void)on;
    uint32_t index =
        strange ? (uint32_t)AT(address->inet.bytes[3]) : (uint32_t)(member - cluster->members);
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
    bool urgent;
};

static struct resolve_host *hosts[MEMBERS];
static struct resolve_host *others[MEMBERS]; /* of the family that is not the configured one */
static uint32_t host_count;

struct resolve_host *resolve_host_new(struct resolver *resolver, const char *name,
                                      enum conf_family family, resolve_fn *fn, void *arg)
{
    (void)resolver;
    (void)name;
    struct resolve_host *host = calloc(1, sizeof(*host));
    *host = (struct resolve_host){.fn = fn, .arg = arg};
    if (family != probe_rig_cluster.timing.family)
        others[(host_count - 1) % MEMBERS] = host;
    else
        hosts[host_count++ % MEMBERS] = host;
    return host;
}

void resolve_host_free(struct resolve_host *host)
{
    free(host);
}

const char *official_name = "";

const char *resolve_host_official(const struct resolve_host *host)
{
    (void)host;
    return official_name;
}

uint32_t urged, unurged, again;

/* Here each host is told of anew. */
void resolve_host_inherit(struct resolve_host *host, const struct resolve_host *old)
{
    (void)host, (void)old;
}

void resolve_host_urge(struct resolve_host *host, bool urgent)
{
    if (host && host->urgent != urgent)
        ++*(urgent ? &urged : &unurged);
    if (host)
        host->urgent = urgent;
}

void resolve_host_again(struct resolve_host *host)
{
    again += host ? 1 : 0;
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

void resolves_other(uint32_t member, uint32_t count)
{
    struct inet_address set[8] = {{.family = 0}};
    for (uint32_t i = 0; i < count; i++)
        set[i] = (struct inet_address){
            .family = 6, .bytes = {0xfd, [13] = (uint8_t)member, [15] = (uint8_t)(i + 1)}};
    others[member]->fn(others[member]->arg, set, count, count == 0 ? "no such host" : NULL);
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

struct probe_place placed[PLACES_MAX];
char taken[8];
uint8_t behind;
bool move_at_once;

static bool on_is_taken(void *arg, uint32_t member, const struct inet_address *address)
{
    (void)arg;
    (void)member;
    return strchr(taken, '0' + address->bytes[3]);
}

static bool on_is_behind(void *arg, const struct inet_address *address)
{
    (void)arg;
    return behind != 0 && address->bytes[3] == behind;
}

static void on_place(void *arg, uint32_t place, const struct probe_place *known)
{
    (void)arg;
    assert_in_range(place, 0, PLACES_MAX - 1);
    placed[place] = *known;
    if (move_at_once && known->kind == PLACE_CANDIDATE && known->named)
        probe_move(probe, place);
}

uint32_t place_at(enum place_kind kind, uint32_t end)
{
    uint32_t place = 0;
    while (place < PLACES_MAX &&
           (placed[place].kind != kind || placed[place].address.inet.bytes[3] != end))
        place++;
    return place;
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

static const struct probe_sink SINK = {
    .member = on_member,
    .report = on_report,
    .addresses = on_addresses,
    .is_taken = on_is_taken,
    .is_behind = on_is_behind,
    .place = on_place,
};

static int probe_rig_setup_family(enum conf_family family)
{
    memset(placed, 0, sizeof(placed));
    memset(taken, 0, sizeof(taken));
    behind = 0;
    move_at_once = false;
    urged = unurged = again = 0;
    probe_rig_cluster.allowed_network_count = 0;
    probe_rig_cluster.timing.family = family;
    host_count = 0;
    ask_on_report = 0;
    forget();
    loop = loop_new();
    probe = probe_new(loop, NULL, &fake, &probe_rig_cluster, &SINK);
    return !probe;
}

int probe_rig_setup(void **state)
{
    (void)state;
    return probe_rig_setup_family(CONF_FAMILY_AUTO);
}

int probe_rig4_setup(void **state)
{
    (void)state;
    return probe_rig_setup_family(CONF_FAMILY_4);
}

void probe_rig_reload(enum conf_family family)
{
    struct probe *old = probe;
    probe_rig_cluster.timing.family = family;
    host_count = 0;
    probe = probe_new(loop, NULL, &fake, &probe_rig_cluster, &SINK);
    assert_non_null(probe);
    probe_inherit(probe, old);
    probe_free(old);
}

int probe_rig4_teardown(void **state)
{
    return probe_rig_teardown(state);
}

int probe_rig_teardown(void **state)
{
    (void)state;
    probe_free(probe);
    for (uint32_t i = 0; i < SESSIONS; i++)
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
        for (uint32_t i = 0; i < SESSIONS; i++)
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
