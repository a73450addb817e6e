/* SPDX-License-Identifier: Apache-2.0
 *
 * sim.h - the real agent, but for main(), on a virtual clock, with servers that are only numbers.
 *
 * Linked with fake_loop.c instead of loop.c, and handed an engine of its own, which is PostgreSQL
 * but for being asked; configuration, probe, decide, state files, view and sockets are the real
 * ones. All clocks that the agent reads are the virtual one. One world at a time.
 *
 * One pass: sim_init() writes a configuration of `count` servers, 10.0.0.1 being the writer on
 * timeline 1; sim_start() starts the agent; sim_promote() and the like change the world; sim_run()
 * lets time go by; sim_look() reads the view as every shim does.
 */
#ifndef HOMING_TESTS_SIM_SIM_H
#define HOMING_TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/daemon/daemon.h"
#include "agent/probe/engine.h"
#include "proto/view_read.h"

enum {
    SIM_SERVERS_MAX = 8,
    SIM_LATENCY_MS = 1, /* of every answer, and of every connect */
    SIM_NOBODY = -1
};

#define SIM_WRITER_NAME "orders-db"
#define SIM_READER_NAME "orders-ro"
/* The first server's; the others' are the next ones. */
#define SIM_PORT 5432

enum sim_conduct {
    SIM_ANSWERS,
    SIM_SILENT, /* connections stand, nothing comes: SIGSTOP, or a lost network */
    SIM_DOWN,   /* connections break, new ones are refused */
    SIM_DENIES, /* wrong password */
    SIM_IS_ELSE /* something else listens there: it does not speak the engine's protocol */
};

struct sim_server {
    enum sim_conduct conduct;
    bool writer;
    uint64_t timeline;
    uint64_t position;
    uint64_t branch;  /* where its recovery ended; 0: it began without one */
    uint64_t system;  /* identifier: 1, unless a test makes it another data set */
    uint64_t started; /* postmaster's start time */
    uint64_t self;    /* W12: its own name; its timeline is 0 then. 0: it has a timeline */
    uint64_t follows; /* and of whom it replicates from */
    bool fenced;      /* W3a: it is one of those that share a volume */
    enum phase phase; /* W4a: how far it says that a blue/green deployment is */
};

struct sim {
    struct sim_server servers[SIM_SERVERS_MAX + 1]; /* the last one is nobody's, and down */
    unsigned count;
    const char *denial; /* of those that deny; NULL: a wrong password */
    struct loop *loop;
    struct daemon *daemon; /* NULL: not running */
    struct engine engine;
    const struct engine_kind *kinds[2]; /* what main.c hands to conf_load(), */
    const struct engine *engines[2];    /* and to daemon_new() */
    struct daemon_options options;
    char folder[64];
    char file[80];
    char hosts[80]; /* stands for /etc/hosts, and thereby for DNS */
    unsigned named; /* members known by name; 0: they are known by address */
    bool seeded;    /* these are not configured: one seed is */
    char seed[64];  /* its addresses */
    /* What a server says of the others; false: nothing. NULL: none does. */
    bool (*tell)(unsigned server, struct topology *ret_topology);
    unsigned asked_seed; /* connects made for the seed, */
    unsigned strange;    /* to addresses that are nobody's, */
    unsigned opened;     /* and in all */
    char names[4][64];   /* the addresses of each, blanks between */
};

/* `keys`: more lines of the cluster, indented by four spaces; before them endpoints, by six; "". Each fails the test on error. */
void sim_init(struct sim *sim, unsigned count, const char *keys);
/* The same with servers of another kind. */
void sim_init_kind(struct sim *sim, const struct engine_kind *kind, unsigned count,
                   const char *keys);
/* The first `members` servers are members, known by the names db-1, db-2 ..., all at SIM_PORT. The
 * others are only there. */
void sim_init_named(struct sim *sim, unsigned members, unsigned count, const char *keys);
/* No member is configured, but one seed, which leads to the first server. The servers are db-1, db-2
 * ... in DNS. */
void sim_init_seeded(struct sim *sim, const struct engine_kind *kind, unsigned count,
                     const char *keys);
/* From now on DNS says that the seed is there. */
void sim_name_seed(struct sim *sim, const char *addresses);
/* From now on DNS says that the member is at these addresses ("10.0.0.1 10.0.0.2"). */
void sim_name(struct sim *sim, unsigned member, const char *addresses);
void sim_done(struct sim *sim);
/* For cmocka: sim_done() of the world that there is. */
int sim_teardown(void **state);
void sim_start(struct sim *sim);
/* sim_start(), and time for the first verdict. */
void sim_settle(struct sim *sim);
void sim_stop(struct sim *sim);

/* Becomes the writer on a timeline newer than any. */
void sim_promote(struct sim *sim, unsigned server);
/* Follows the newest timeline as a reader, restarted. */
void sim_rejoin(struct sim *sim, unsigned server);
void sim_conduct(struct sim *sim, unsigned server, enum sim_conduct conduct);

void sim_run(struct sim *sim, uint64_t ms);

/* What the view says of a name; fails the test if it knows no such name. */
/* False: it knows no such name. */
bool sim_find(const struct sim *sim, const char *name, struct view_entry *ret_entry);
struct view_entry sim_look(const struct sim *sim, const char *name);
/* The server whose address it says as the writer's; SIM_NOBODY if none. */
int sim_answer(const struct sim *sim, const char *name);
/* Whether lookups of SIM_READER_NAME may get this server. */
bool sim_serves(const struct sim *sim, unsigned server);

/* Runs until the name is answered with `server`, `most_ms` at most; how long that took, or
 * UINT64_MAX. Virtual time: the same in every daemon, on every machine. */
uint64_t sim_until(struct sim *sim, const char *name, int server, uint64_t most_ms);

/* In a world that the file's own rig_setup() made. */
#define TEST_IN_SIM(function) TEST_BETWEEN(rig_setup, sim_teardown, function)

#endif
