/* SPDX-License-Identifier: Apache-2.0
 *
 * limits.h - every bound that crosses a boundary, with its reason (I6).
 */
#ifndef HOMING_PROTO_LIMITS_H
#define HOMING_PROTO_LIMITS_H

/* Bytes of a DNS name as text, without the trailing dot (RFC 1035: 255 octets on the wire). */
#define HOMING_NAME_MAX 253
/* 64-bit words that hold such a name, zero-padded. */
#define HOMING_NAME_WORDS 32
/* Members of one cluster. A bit mask of members has 32 bits; Aurora allows 16 members. */
#define HOMING_MEMBERS_MAX 32
/* Addresses of one member. More than these are ignored, with a line in the log. */
#define HOMING_ADDRESSES_MAX 8
/* Addresses of one cluster that members have left, and that are remembered for a day (W11). A
 * cluster whose members move more often than this has other troubles. */
#define HOMING_LEFT_MAX 16
/* Addresses of one cluster in the view: the writer's come first, then demoted members', then
 * readers'. More than these are left out. */
#define HOMING_VIEW_ADDRESSES_MAX 64
/* Names of one endpoint. They are the spellings of one service (ndots); a longer list is a
 * mistake. */
#define HOMING_ENDPOINT_NAMES_MAX 32
/* Names that HOMING_ASSUME may have. A program uses a database or two. */
#define HOMING_ASSUME_MAX 8
/* Other ports of one endpoint: a word of the view has room for four. One for each pooler on the
 * members' hosts is enough. */
#define HOMING_PORTS_MAX 4
/* Other ports of all endpoints of one cluster together: each of its addresses is listed with each of
 * them, for the index of the view and in orders to sever. */
#define HOMING_CLUSTER_PORTS_MAX 8
/* Clusters of one agent. */
#define HOMING_CLUSTERS_MAX 16384
/* The smallest number of slots in a view. Small installations never outgrow it. */
#define HOMING_VIEW_SLOTS_MIN 256
/* Slots that a lookup looks at before it gives up (V2). The writer refuses to make a longer
 * chain. */
#define HOMING_VIEW_PROBES_MAX 32
/* Places for each cluster in the index of members' addresses. A cluster of a handful of members
 * takes a few, one with 64 addresses and 8 other ports 576. */
#define HOMING_VIEW_INDEX_PER_CLUSTER 64
/* Clusters that the index names for one address and port. More of them are left out: if they were
 * not, thousands of clusters on one server would make its chain too long. */
#define HOMING_VIEW_SHARING_MAX 4
/* Bytes from one slot, cluster or official name of a view to the next. A view of a newer agent may
 * have larger ones. With this bound no product of a stride and a count overflows (V2). */
#define HOMING_VIEW_STRIDE_MAX (1u << 20)
/* Attempts to read one slot while the agent is changing it (V2). An agent publishes a few times a
 * second at most, so that two collisions in a row are unlikely already. */
#define HOMING_VIEW_RETRIES_MAX 8
/* The agent stamps its heartbeat at least this often. */
#define HOMING_HEARTBEAT_MS 250
/* A heartbeat that is older than this is late (V3): three beats. */
#define HOMING_HEARTBEAT_LATE_MS 750
/* How long a shim waits for the reply to its request to attach. An agent that gets a processor
 * needs a small part of it, and if there is no agent, nobody notices the wait. The clock starts
 * when the request has been sent, because the time before is not the agent's. */
#define HOMING_ATTACH_DEADLINE_MS 20
/* How long a connect waits for that reply, once in the life of a process. It does so if the process
 * never had a view and its agent took the request but was late: the connection may last for days.
 * Beside a dozen busy loops on two processors five replies in a thousand came later than 20 ms, and
 * none later than this. Twice as much would be noticed, once in each process, while an agent is
 * stopped. */
#define HOMING_ATTACH_PATIENCE_MS 200
/* The pause between two attempts to attach; after HOMING_ATTACH_FAILURES_FAST failures in a row it
 * is the slow one. */
#define HOMING_ATTACH_PAUSE_MS      250
#define HOMING_ATTACH_PAUSE_SLOW_MS 1000
#define HOMING_ATTACH_FAILURES_FAST 3
/* How long a blocking connect waits for a writer at most, whatever a view says (V2). */
#define HOMING_HOLD_MAX_MS 30000
/* Bytes of the largest request on a socket, and of the largest reply: status of 10,000
 * endpoints. */
#define HOMING_REQUEST_MAX 4096
#define HOMING_REPLY_MAX   (16 * 1024 * 1024)
/* A client that has not finished its request by then, or not read its reply, is dropped. */
#define HOMING_CLIENT_DEADLINE_MS 1000
/* Connections that are served at once, in all and for one uid. A program that attaches holds one
 * until it gets a processor to read the reply. What one uid has must be enough for all programs
 * that start together on a busy node: the last ones would be turned away, and miss the view. */
#define HOMING_CLIENTS_MAX         512
#define HOMING_CLIENTS_PER_UID_MAX 256

#endif
