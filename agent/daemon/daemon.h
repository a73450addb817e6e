/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon.h - the running agent: the one place where probe, decide and publish meet.
 *
 * One pass: main.c makes a run out of a configuration. Its probes report, daemon/cluster.c hands
 * each report to cluster_handle() and carries out the actions: the changed verdict goes to disk
 * (W2), then into the view, then into the log. admin/methods.c answers the sockets, daemon/reload.c
 * exchanges the configuration.
 */
#ifndef HOMING_AGENT_DAEMON_DAEMON_H
#define HOMING_AGENT_DAEMON_DAEMON_H

#include <stddef.h>

#include "agent/base/loop.h"
#include "agent/conf/conf.h"

struct run;

/* Starts everything; nothing is visible on the sockets before every cluster had its first answer,
 * or 1 s has passed. Takes `conf` over if it succeeds. -errno with one line in `error`:
 * -EADDRINUSE if another agent lives on the path and `takeover` is false. */
int run_new(struct loop *loop, struct conf *conf, bool takeover, char *error, size_t error_size,
            struct run **ret_run);

/* Why loop_run() returned: 0 for a signal, else -errno of what made going on impossible. */
int run_result(const struct run *run);

/* Clean shutdown: saves what is known, retires the view (V4), unlinks the sockets.
 * NULL is allowed. */
void run_free(struct run *run);

/* Reads the configuration's file again: all or nothing. On failure -errno, and nothing has changed.
 * Clusters that did not change keep probes, reports, verdicts. *ret_lines is set in either case:
 * malloc'd text, one line per error or warning, "" if there are none. */
int run_reload(struct run *run, char **ret_lines);

#endif
