/* SPDX-License-Identifier: Apache-2.0
 *
 * patroni_status.h - the JSON document with which a Patroni answers GET /primary, read into a struct.
 * Called by patroni_reports.c. patroni_status.c is the only file that includes jansson.
 *
 * Every byte comes from outside. What has the wrong type counts as missing, and a text that is too
 * long, too; what that means is patroni_reports.c's.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_PATRONI_PATRONI_STATUS_H
#define HOMING_AGENT_PROBE_ENGINES_PATRONI_PATRONI_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* Longest document. Each replica of a primary takes some 200 bytes of it. Larger: a hostile server
     * has the agent keep more. */
    PATRONI_STATUS_MAX = 65536,
    /* Objects in objects; Patroni has 3. */
    PATRONI_DEPTH_MAX = 16,
    PATRONI_TEXT_SIZE = 64,
};

/* Texts are "", and numbers -1, where there is none. */
struct patroni_status {
    char state[PATRONI_TEXT_SIZE]; /* "running", "starting", ... */
    char role[PATRONI_TEXT_SIZE];  /* "primary" (before version 4 "master"), "replica", ... */
    char start[PATRONI_TEXT_SIZE]; /* of the postmaster: "2023-08-18 11:03:37.966359+00:00" */
    char identifier[PATRONI_TEXT_SIZE];
    char scope[256]; /* of the cluster */
    int64_t timeline;
    int64_t location, replayed; /* of a primary, of a replica */
    int64_t dcs_seen;           /* seconds since 1970, by the member's clock */
    bool paused, unlocked, failsafe;
};

/* Once, at the start of the process: jansson asks the kernel for random bytes. */
void patroni_status_prepare(void);

/* False: it is no JSON object, it is too deep, or jansson has no memory. */
bool patroni_status_read(const char *text, size_t len, struct patroni_status *ret_status);

#endif
