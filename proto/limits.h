/* SPDX-License-Identifier: Apache-2.0
 *
 * limits.h - every bound that crosses a boundary, with its reason (I6).
 */
#ifndef HOMING_PROTO_LIMITS_H
#define HOMING_PROTO_LIMITS_H

/* A DNS name in text form, without the trailing dot (RFC 1035: 255 octets on the wire). */
#define HOMING_NAME_MAX 253
/* 64-bit words that hold such a name, zero-padded. */
#define HOMING_NAME_WORDS 32
/* Members of one cluster: bit masks of members are 32 bits wide; Aurora allows 16. */
#define HOMING_MEMBERS_MAX 32
/* Addresses that one member may resolve to; more are ignored, with a log line. */
#define HOMING_ADDRESSES_MAX 8
/* Addresses of one cluster that the view carries: writer first, then demoted, then readers. */
#define HOMING_VIEW_ADDRESSES_MAX 32
/* Names of one endpoint: ndots spellings of one service; a bigger list is a mistake. */
#define HOMING_ENDPOINT_NAMES_MAX 32
/* Clusters of one agent. */
#define HOMING_CLUSTERS_MAX 16384
/* Smallest number of slots in a view: a table that is never resized for small installations. */
#define HOMING_VIEW_SLOTS_MIN 256
/* Slots looked at before a lookup gives up (V2); the writer refuses to make longer chains. */
#define HOMING_VIEW_PROBES_MAX 32
/* Attempts at reading one slot while a writer is changing it (V2): an agent publishes at most a
 * few times a second, so a second collision in a row is already unlikely. */
#define HOMING_VIEW_RETRIES_MAX 8
/* Heartbeat: stamped at least this often by the agent ... */
#define HOMING_HEARTBEAT_MS 250
/* ... and missed when older than this (V3): three beats. */
#define HOMING_HEARTBEAT_LATE_MS 750
/* How long a shim waits for the reply to its request to attach: many times what an agent needs that
 * gets a processor at all, and a wait that nobody notices when there is none. The clock starts with
 * the request sent: before it, the time is not the agent's. */
#define HOMING_ATTACH_DEADLINE_MS 20
/* The same at a connect, once in the life of a process that never had a view and whose agent took
 * the request but was late: what comes next lasts. Beside a dozen busy loops on two processors some
 * five replies in a thousand came later than 20 ms, and none later than this; twice as much would
 * be noticed, once in each process, while an agent is stopped. */
#define HOMING_ATTACH_PATIENCE_MS 200
/* Pause between two attempts to attach, and after HOMING_ATTACH_FAILURES_FAST failures. */
#define HOMING_ATTACH_PAUSE_MS      250
#define HOMING_ATTACH_PAUSE_SLOW_MS 1000
#define HOMING_ATTACH_FAILURES_FAST 3
/* One request on a socket, and the largest reply (status of some 10,000 endpoints). */
#define HOMING_REQUEST_MAX 4096
#define HOMING_REPLY_MAX   (16 * 1024 * 1024)
/* A client of a socket that has not finished its request, or not read its reply, is dropped. */
#define HOMING_CLIENT_DEADLINE_MS 1000
/* Connections served at once: in all, and for one uid. A program that attaches holds one until it
 * is given a processor to read the reply: one uid's must do for all programs that start together on
 * a busy node, or the last ones are turned away and miss the view. */
#define HOMING_CLIENTS_MAX         512
#define HOMING_CLIENTS_PER_UID_MAX 256

#endif
