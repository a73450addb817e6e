/* SPDX-License-Identifier: Apache-2.0
 *
 * names.h - the names of the two sockets that a process listens at, one for every program and one
 * for whoever is in charge: their directories, the lock, and that they go on leading here.
 *
 * One pass, by serve.c and by homing-sever's holder.c: names_open() makes the directories and listens
 * under temporary names; names_publish() renames both into place. Then, now and then, names_keep().
 */
#ifndef HOMING_AGENT_BASE_NAMES_H
#define HOMING_AGENT_BASE_NAMES_H

#include "agent/base/closer.h"
#include "agent/base/loop.h"
#include "agent/base/sockpath.h"

/* The first one is in the run directory, for programs; the second one, and the lock, in the other. */
#define NAMES_COUNT 2

struct names_kind {
    const char *who;       /* listens there: "an agent" */
    const char *otherwise; /* what else to do if another one does: ", or …"; "" */
    bool succession;       /* if another process of root or of this user has a name, that is well */
    struct {
        const char *name;
        mode_t mode;
        mode_t dir_mode;
    } sockets[NAMES_COUNT];
};

struct names {
    const struct names_kind *kind;
    struct sockpath at[NAMES_COUNT]; /* fd -1: not open */
    char *dirs[NAMES_COUNT];
    bool succeeded[NAMES_COUNT]; /* another process has the name now, and that is well */
    bool takeover;
};

/* `admin_dir` NULL: the run directory's name with "-admin" after it. False: out of memory.
 * names_done() is right in either case. */
bool names_init(struct names *names, const struct names_kind *kind, const char *run_dir,
                const char *admin_dir, bool takeover);
void names_done(struct names *names);

/* Below, a failure is -errno, and `error` says more.
 *
 * The lock: for as long as the descriptor is open. */
int names_lock(const struct names *names, struct sockpath_error error, int *ret_lock);
/* -EADDRINUSE: a live process has a name, and this one is no takeover. */
int names_check(const struct names *names, struct sockpath_error error);
int names_open(struct names *names, struct sockpath_error error);
int names_publish(struct names *names, struct sockpath_error error);

/* Who accepts at a socket whose name may have to be made again. */
struct names_listener {
    struct loop_io *(*watch)(void *arg, int fd); /* NULL: out of memory */
    /* Accepts what still waits at the socket before, and then at this one only. */
    void (*move)(void *arg, int fd, struct loop_io *io);
    void *arg;
};

/* 0: the name leads here, and its users can get there: rights that it lacked were given back, or
 * another socket has the name that was lost, and `closer` the one before. Or another process has it,
 * and may (names_kind). Any other: its users cannot get here, and `error` says why and what to do. */
int names_keep(struct names *names, int socket, const struct names_listener *listener,
               struct closer *closer, struct sockpath_error error);

#endif
