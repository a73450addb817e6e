/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_agent.h - an agent without opinions, for tests and benchmarks of the shim: serves a view
 * that its caller fills in, and misbehaves on request.
 */
#ifndef HOMING_TESTS_SUPPORT_FAKE_AGENT_H
#define HOMING_TESTS_SUPPORT_FAKE_AGENT_H

#include "proto/view_write.h"
#include "tests/support/clock.h"

/* Proper replies of which it is not known yet whether they were read. */
#define FAKE_REPLIES_MAX 64

/* What it does with a request to attach. */
enum fake_manner {
    FAKE_PROPER,
    FAKE_SILENT,   /* accepts, never answers */
    FAKE_ABSENT,   /* never accepts */
    FAKE_SLOW,     /* answers when no lookup waits any more */
    FAKE_HANGS_UP, /* closes at once */
    FAKE_GARBAGE,  /* 59 other bytes, with the descriptor */
    FAKE_HALF,     /* half of the reply, with the descriptor */
    FAKE_LONGER,   /* the reply and a byte more */
    FAKE_NO_FD,    /* the reply without a descriptor */
    FAKE_TWO_FDS,  /* the view and /dev/null */
    FAKE_PIPE,     /* a pipe's end for a view */
    FAKE_UNSEALED, /* a memfd that can be shrunk */
    FAKE_SHORT,    /* a sealed memfd of half the size */
    FAKE_EMPTY,    /* a sealed memfd of no size */
    FAKE_SIZE,     /* says another size than the memfd has */
    FAKE_MAJOR,    /* a view of a layout to come */
    FAKE_MAGIC,    /* no view */
    FAKE_INSTANCE, /* says another instance than the view */
    FAKE_MANNER_COUNT
};

const char *fake_manner_name(enum fake_manner manner);

struct fake_agent {
    struct view_writer writer;
    uint64_t instance;
    size_t size;
    int view_fd;
    int listen_fd;
    enum fake_manner manner;
    uint64_t attached; /* requests answered properly */
    uint64_t missed;   /* of those, whose client had left by then */
    unsigned standard; /* of 0, 1 and 2, how many the last client had open while it waited */
    int replies[FAKE_REPLIES_MAX];
    size_t reply_count;
};

/* Makes a new view; the one before stays with who has it. 0 or negative errno. */
int fake_agent_view(struct fake_agent *agent, uint32_t slots, uint32_t clusters);

/* From now on a copy of the present view is handed out, as an agent to come may make it with the same
 * major: all rows are larger, and everything that is reserved now has some value. It beats, and can be
 * retired; nothing else in it changes any more. 0 or negative errno. */
int fake_agent_ahead(struct fake_agent *agent);

/* Listens at `path`, replacing what is there; `backlog` as for listen(). 0 or negative errno. */
int fake_agent_listen(struct fake_agent *agent, const char *path, int backlog);

/* Answers one waiting client. To be called when listen_fd is readable. */
void fake_agent_serve(struct fake_agent *agent);

/* How many clients so far left before their reply; waits a moment for those that are reading. */
uint64_t fake_agent_missed(struct fake_agent *agent);

#endif
