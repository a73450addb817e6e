/* SPDX-License-Identifier: Apache-2.0
 *
 * holder.h - the holder: the process that holds the permits and carries out orders. On one loop it
 * has permit.sock, sever.sock, and all that is between them.
 */
#ifndef HOMING_AGENT_SEVER_HOLDER_H
#define HOMING_AGENT_SEVER_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/sever/kept.h"

struct holder_config {
    const char *run_dir;
    const char *admin_dir;
    uint64_t idle_ms; /* ends when sever.sock had no client for so long; 0: never */
    int beat_fd;      /* gets a byte every HOLDER_BEAT_MS; -1: none */
    int keep_fd;      /* to the supervisor: what is to be kept (permits/keep.h); -1: none */
    bool takeover; /* the holder before hangs in the kernel: its sockets' names are taken from it */
};

#define HOLDER_BEAT_MS 250

enum holder_exit {
    HOLDER_ENDED = 0,  /* told to, or idle */
    HOLDER_FAILED = 1, /* could not start; the log says why */
    HOLDER_TAKEN = 3,  /* another homing-sever is alive there */
    HOLDER_ORPHAN = 4  /* the supervisor has ended */
};

/* Runs until it is told to end, by SIGTERM or SIGINT, or until the supervisor ends. Begins with the permits
 * that were kept, and takes them all. An orphan leaves its own there. */
enum holder_exit holder_run(const struct holder_config *config, struct kept *kept);

#endif
