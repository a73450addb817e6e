/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon.h - the running agent: the one place where probe, decide and publish meet.
 *
 * One pass: main.c makes a daemon out of a configuration. Its probes report, daemon/cluster.c hands
 * each report to decision_handle() and carries out the actions: the changed verdict goes to disk
 * (W2), then into the view, then into the log. admin/methods.c makes the replies on the sockets,
 * daemon/reload.c exchanges the configuration.
 */
#ifndef HOMING_AGENT_DAEMON_DAEMON_H
#define HOMING_AGENT_DAEMON_DAEMON_H

#include <stddef.h>

#include "agent/base/loop.h"
#include "agent/conf/conf.h"
#include "agent/serve/serve.h"

struct daemon;
struct engine;

struct daemon_options {
    bool takeover;   /* replaces an agent that runs on these sockets */
    serve_fn *serve; /* makes the replies to requests; its `arg` is the daemon */
    /* How the configuration's engines are asked: a list that ends with NULL, and lives as long as
     * the daemon. */
    const struct engine *const *engines;
};

/* -EADDRINUSE: an agent is running on these sockets, and `error` names it. For what must be done
 * before daemon_new(), but not beside another agent. */
int daemon_look(const char *run_dir, char *error, size_t error_size);

/* Starts everything. Nothing is visible on the sockets before every cluster is ready
 * (cluster_ready()), or 1 s has passed. Takes `conf` over if it succeeds. -errno with one line in
 * `error`: -EADDRINUSE if another agent runs on these sockets and this one is no takeover. */
int daemon_new(struct loop *loop, struct conf *conf, const struct daemon_options *options,
               char *error, size_t error_size, struct daemon **ret_daemon);

/* Why loop_run() returned: 0 for a signal, else -errno of what made going on impossible. */
int daemon_result(const struct daemon *daemon);

/* Clean shutdown: saves what is known, retires the view (V4), unlinks the sockets.
 * NULL is allowed. */
void daemon_free(struct daemon *daemon);

#endif
