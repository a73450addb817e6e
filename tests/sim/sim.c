/* SPDX-License-Identifier: Apache-2.0
 *
 * sim.c - as sim.h says.
 *
 * 1. The engine keeps engine.h's promise: its sink is called only from a timer, and never after
 *    close().
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/admin/methods.h"
#include "agent/base/log.h"
#include "agent/daemon/publish.h"
#include "agent/daemon/shared.h"
#include "agent/probe/engines/postgresql/postgresql_kind.h"
#include "tests/sim/sim.h"
#include "tests/support/fake_loop.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

int __real_clock_gettime(clockid_t clock, struct timespec *ret_now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);

/* The world, for the engine, which is given no other way to it. */
static struct sim *world;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now)
{
    if (!world || !world->loop ||
        (clock != CLOCK_MONOTONIC && clock != CLOCK_MONOTONIC_COARSE && clock != CLOCK_BOOTTIME))
        return __real_clock_gettime(clock, ret_now);
    uint64_t now_ms = loop_now_ms(world->loop);
    ret_now->tv_sec = (time_t)(now_ms / 1000);
    ret_now->tv_nsec = (long)(now_ms % 1000) * 1000000;
    return 0;
}

struct resolver *__real_resolver_new(struct loop *loop);
struct resolver *__wrap_resolver_new(struct loop *loop);

struct resolver *__wrap_resolver_new(struct loop *loop)
{
    if (!world || !world->named)
        return __real_resolver_new(loop);
    return resolver_new_from(loop, "/dev/null", world->hosts, 53);
}

/* No power is cut in here, and a disk's time is not ours. */
int __wrap_fsync(int fd)
{
    (void)fd;
    return 0;
}

int __wrap_fdatasync(int fd)
{
    (void)fd;
    return 0;
}

/* ---- the engine ---- */

struct engine_session {
    struct engine_session *next;
    struct engine_sink sink;
    struct loop_timer *timer;
    unsigned server;
    bool connected;
    bool broken;
    bool full;
};

static struct engine_session *sessions;

static void session_answer(struct engine_session *session)
{
    const struct sim_server *server = &world->servers[session->server];
    struct report report = {
        .role = server->writer ? ROLE_WRITER : ROLE_READER,
        .identity = server->system,
        .incarnation = server->started,
        .term = {.lo = server->timeline},
        .position = server->position,
        .branch = server->writer ? server->branch : 0,
        .self = server->self,
        .follows = server->follows,
        .fenced = server->fenced,
        .phase = server->phase,
    };
    struct topology topology;
    topology_init(&topology);
    if (session->full && world->tell && world->tell(session->server, &topology))
        session->sink.topology(session->sink.arg, &topology);
    session->sink.answer(session->sink.arg, &report, NULL);
}

/* The latency is over: what the server does now. */
static void session_due(void *arg)
{
    struct engine_session *session = arg;
    struct engine_sink *sink = &session->sink;
    enum sim_conduct conduct = world->servers[session->server].conduct;
    if (session->broken || (conduct == SIM_DOWN && session->connected)) {
        sink->failed(sink->arg, REPORT_BROKEN, HINT_NONE, "connection reset by peer");
    } else if (conduct == SIM_DOWN) {
        sink->failed(sink->arg, REPORT_REFUSED, HINT_NONE, "connection refused");
    } else if (conduct == SIM_DENIES && !session->connected) {
        sink->failed(sink->arg, REPORT_DENIED, HINT_NONE,
                     world->denial ? world->denial : "password authentication failed");
    } else if (conduct == SIM_IS_ELSE) {
        sink->failed(sink->arg, REPORT_ODD, HINT_NONE, "unexpected response");
    } else if (conduct != SIM_SILENT && session->connected) {
        session_answer(session);
    } else if (conduct != SIM_SILENT) {
        session->connected = true;
        sink->ready(sink->arg);
    }
}

static struct engine_session *sim_open(struct loop *loop, const struct conf_cluster *cluster,
                                       const struct conf_member *member,
                                       const struct address *address, bool strange,
                                       const struct engine_sink *sink)
{
    (void)cluster, (void)strange;
    struct engine_session *session = calloc(1, sizeof(*session));
    if (session)
        session->timer = loop_timer_new(loop, session_due, session);
    if (!session || !session->timer) { /* tests let allocations fail */
        free(session);
        return NULL;
    }
    session->server = (unsigned)address->inet.bytes[3] - 1;
    if (session->server >= world->count || address->inet.bytes[0] != 10) {
        session->server = SIM_SERVERS_MAX;
        world->strange++;
    }
    world->asked_seed += member->roams;
    world->opened++;
    session->sink = *sink;
    session->next = sessions;
    sessions = session;
    loop_timer_set(session->timer, SIM_LATENCY_MS);
    return session;
}

static void sim_ask(struct engine_session *session, enum question question)
{
    session->full = question == QUESTION_FULL;
    loop_timer_set(session->timer, SIM_LATENCY_MS);
}

static void sim_adopt(struct engine_session *session, const struct engine_sink *sink)
{
    session->sink = *sink;
}

static void sim_close(struct engine_session *session)
{
    struct engine_session **link = &sessions;
    while (*link != session)
        link = &(*link)->next;
    *link = session->next;
    loop_timer_free(session->timer);
    free(session);
}

/* ---- the world ---- */

static void write_configuration(const struct sim *sim, const char *keys)
{
    FILE *file = fopen(sim->file, "w");
    assert_non_null(file);
    fprintf(file,
            "agent: {run_dir: %s/run, state_dir: %s/state}\n"
            "clusters:\n"
            "  - name: orders\n"
            "    engine: %s\n"
            "    endpoints:\n"
            "      - {names: [" SIM_WRITER_NAME "], role: writer}\n"
            "      - {names: [" SIM_READER_NAME "], role: reader}\n"
            "%s"
            "    %s:\n",
            sim->folder, sim->folder, sim->engine.kind->name, keys,
            sim->seeded ? "seeds" : "members");
    if (sim->seeded)
        fprintf(file, "      - seed:%u\n", SIM_PORT);
    for (unsigned i = 0; i < sim->named && !sim->seeded; i++)
        fprintf(file, "      - db-%u:%u\n", i + 1, SIM_PORT);
    for (unsigned i = 0; i < sim->count && !sim->named; i++)
        fprintf(file, "      - 10.0.0.%u:%u\n", i + 1, SIM_PORT + i);
    fclose(file);
}

static void make_engine(struct sim *sim, const struct engine_kind *kind)
{
    sim->engine = (struct engine){
        .kind = kind, .open = sim_open, .adopt = sim_adopt, .ask = sim_ask, .close = sim_close};
    sim->engines[0] = &sim->engine;
    sim->kinds[0] = kind;
    sim->options = (struct daemon_options){.serve = methods_serve, .engines = sim->engines};
}

void sim_init(struct sim *sim, unsigned count, const char *keys)
{
    sim_init_kind(sim, &engine_kind_postgresql, count, keys);
}

static void write_host(FILE *file, const char *name, const char *texts)
{
    char addresses[64], *save = NULL;
    snprintf(addresses, sizeof(addresses), "%s", texts);
    for (char *at = strtok_r(addresses, " ", &save); at; at = strtok_r(NULL, " ", &save))
        fprintf(file, "%s %s\n", at, name);
}

/* The size of the file differs from the one before, so that it is read again. */
static void write_hosts(const struct sim *sim)
{
    static int generation;
    FILE *file = fopen(sim->hosts, "w");
    assert_non_null(file);
    for (unsigned i = 0; i < sim->named; i++) {
        char name[16];
        snprintf(name, sizeof(name), "db-%u", i + 1);
        write_host(file, name, sim->names[i]);
    }
    write_host(file, "seed", sim->seed);
    fprintf(file, "#%*d\n", ++generation, 0);
    fclose(file);
}

void sim_name(struct sim *sim, unsigned member, const char *addresses)
{
    snprintf(sim->names[member], sizeof(sim->names[member]), "%s", addresses);
    write_hosts(sim);
}

void sim_name_seed(struct sim *sim, const char *addresses)
{
    snprintf(sim->seed, sizeof(sim->seed), "%s", addresses);
    write_hosts(sim);
}

static void init(struct sim *sim, const struct engine_kind *kind, unsigned named, unsigned count,
                 const char *seed, const char *keys);

void sim_init_seeded(struct sim *sim, const struct engine_kind *kind, unsigned count,
                     const char *keys)
{
    init(sim, kind, count, count, "10.0.0.1", keys);
}

void sim_init_named(struct sim *sim, unsigned members, unsigned count, const char *keys)
{
    init(sim, &engine_kind_postgresql, members, count, "", keys);
}

void sim_init_kind(struct sim *sim, const struct engine_kind *kind, unsigned count,
                   const char *keys)
{
    init(sim, kind, 0, count, "", keys);
}

static void init(struct sim *sim, const struct engine_kind *kind, unsigned named, unsigned count,
                 const char *seed, const char *keys)
{
    *sim = (struct sim){.count = count, .named = named, .seeded = seed[0] != '\0'};
    snprintf(sim->seed, sizeof(sim->seed), "%s", seed);
    sim->servers[SIM_SERVERS_MAX].conduct = SIM_DOWN;
    make_engine(sim, kind);
    for (unsigned i = 0; i < count; i++)
        sim->servers[i] = (struct sim_server){
            .writer = i == 0, .timeline = 1, .position = 1000, .system = 1, .started = i + 1};
    folder_make(sim->folder);
    snprintf(sim->file, sizeof(sim->file), "%s/homing.yaml", sim->folder);
    snprintf(sim->hosts, sizeof(sim->hosts), "%s/hosts", sim->folder);
    for (unsigned i = 0; i < named; i++)
        snprintf(sim->names[i], sizeof(sim->names[i]), "10.0.0.%u", i + 1);
    write_hosts(sim);
    write_configuration(sim, keys);
    log_init(false, LOG_LEVEL_COUNT); /* nothing */
    sim->loop = loop_new();
    assert_non_null(sim->loop);
    world = sim;
}

void sim_done(struct sim *sim)
{
    sim_stop(sim);
    assert_null(sessions);
    assert_int_equal(fake_loop_watchers(sim->loop), 0);
    world = NULL;
    loop_free(sim->loop);
    folder_remove(sim->folder);
}

int sim_teardown(void **state)
{
    (void)state;
    sim_done(world);
    return 0;
}

void sim_settle(struct sim *sim)
{
    sim_start(sim);
    sim_run(sim, 3000);
}

void sim_start(struct sim *sim)
{
    char error[512];
    struct conf *conf = NULL;
    assert_int_equal(conf_load(sim->file, sim->kinds, stderr, &conf), 0);
    if (daemon_new(sim->loop, conf, &sim->options, error, sizeof(error), &sim->daemon) != 0)
        fail_msg("%s", error);
}

void sim_stop(struct sim *sim)
{
    daemon_free(sim->daemon);
    sim->daemon = NULL;
}

static uint64_t newest_timeline(const struct sim *sim)
{
    uint64_t newest = 0;
    for (unsigned i = 0; i < sim->count; i++)
        if (sim->servers[i].timeline > newest)
            newest = sim->servers[i].timeline;
    return newest;
}

void sim_promote(struct sim *sim, unsigned server)
{
    sim->servers[server].writer = true;
    sim->servers[server].timeline = newest_timeline(sim) + 1;
    sim->servers[server].branch = sim->servers[server].position;
    sim->servers[server].position += 1000;
}

void sim_rejoin(struct sim *sim, unsigned server)
{
    sim_conduct(sim, server, SIM_DOWN);
    sim->servers[server].writer = false;
    sim->servers[server].timeline = newest_timeline(sim);
    sim->servers[server].started += 100;
    sim->servers[server].conduct = SIM_ANSWERS;
}

void sim_conduct(struct sim *sim, unsigned server, enum sim_conduct conduct)
{
    sim->servers[server].conduct = conduct;
    for (struct engine_session *session = sessions; session; session = session->next) {
        if (conduct != SIM_DOWN || session->server != server || !session->connected)
            continue;
        session->broken = true;
        loop_timer_set(session->timer, SIM_LATENCY_MS);
    }
}

void sim_run(struct sim *sim, uint64_t ms)
{
    fake_loop_advance(sim->loop, ms);
}

bool sim_find(const struct sim *sim, const char *text, struct view_entry *ret_entry)
{
    struct name name;
    return name_canonical(text, &name) && publish_read(sim->daemon, &name, ret_entry);
}

struct view_entry sim_look(const struct sim *sim, const char *name)
{
    struct view_entry entry = {0};
    if (!sim_find(sim, name, &entry))
        fail_msg("%s is not in the view", name);
    return entry;
}

int sim_answer(const struct sim *sim, const char *name)
{
    unsigned last;
    struct view_entry entry = sim_look(sim, name);
    return sscanf(entry.text4, "10.0.0.%u", &last) == 1 ? (int)last - 1 : SIM_NOBODY;
}

bool sim_serves(const struct sim *sim, unsigned server)
{
    struct view_writer *writer = view_writer(sim->daemon->view);
    struct view_entry entry = sim_look(sim, SIM_READER_NAME);
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];
    struct view_map map;
    assert_true(view_map_check(writer->header, writer->header->size, &map));
    uint32_t count =
        view_read_members(&map, entry.cluster, VIEW_MEMBER_READER, at, HOMING_VIEW_ADDRESSES_MAX);
    for (uint32_t i = 0; i < count; i++)
        if (at[i].address.bytes[3] == server + 1)
            return true;
    return false;
}

uint64_t sim_until(struct sim *sim, const char *name, int server, uint64_t most_ms)
{
    for (uint64_t ms = 0; ms <= most_ms; ms++) {
        if (sim_answer(sim, name) == server)
            return ms;
        sim_run(sim, 1);
    }
    return UINT64_MAX;
}
