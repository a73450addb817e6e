/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_client.h - homingd's end of sever.sock: orders connections severed, and knows whether they
 * can be.
 *
 * One pass: sever_client_new() connects as soon as a homing-sever is there, and keeps the
 * connection. Its end tells that the process is gone, and maybe all permits with it: lost.h. An order that is
 * given while nothing is connected waits, and fails after some seconds. Every order that was taken
 * is answered exactly once.
 */
#ifndef HOMING_AGENT_SEVER_CLIENT_SEVER_CLIENT_H
#define HOMING_AGENT_SEVER_CLIENT_SEVER_CLIENT_H

#include <stdint.h>

#include "agent/base/loop.h"
#include "agent/sever/client/lost.h"
#include "proto/permit.h"
#include "proto/sever.h"

struct sever_client;

/* What is known of homing-sever; asked for every second. */
struct sever_client_status {
    uint64_t instance; /* for the view's sever_instance; 0: none answers */
    bool able;
    char why[1536]; /* why it is able, or why it is not and what to do */
    char
        unreachable[512]; /* why programs or homingd cannot reach its sockets, and what to do; "" */
    uint32_t pid;
    uint32_t processes;    /* whose permits it holds */
    uint64_t changes;      /* of whose permits it holds, since it started */
    uint32_t groups;       /* that these are in: each is one uid in one network namespace */
    uint64_t without_room; /* permits that were refused or taken away, since it started */
    uint64_t short_count;  /* of these, those of the user who lost the most */
    uint32_t short_uid;
    uint64_t counts[TAG_COUNT_COUNT]; /* of all processes */
    struct sever_counts severed;      /* since it started */
};

/* The instance or the ability has changed. */
typedef void sever_client_changed_fn(void *arg);

/* Each may give further orders, but not free the sever_client. error: 0: what follows holds;
 * -ETIME: no homing-sever took it in time; -EPIPE: homing-sever ended meanwhile; -EPROTO: it
 * refused; -ENOMEM: only for rows; -ECANCELED: sever_client_free(). */
typedef void sever_client_done_fn(void *arg, int error, const struct sever_counts *counts);
typedef void sever_client_rows_fn(void *arg, int error, const struct sever_row *rows,
                                  uint32_t count);

/* `command` starts a homing-sever; "": none is installed. NULL: out of memory, or the run directory's
 * name is too long. */
struct sever_client *sever_client_new(struct loop *loop, const char *run_dir, const char *command,
                                      sever_client_changed_fn *changed, lost_alarm_fn *alarm,
                                      lost_changed_fn *lost_changed, void *arg);
void sever_client_free(struct sever_client *sever_client);

const struct sever_client_status *sever_client_status(const struct sever_client *sever_client);
/* NULL: it can sever now. Else why not, until the next event. */
const char *sever_client_hindrance(const struct sever_client *sever_client);
uint64_t sever_client_instance(const struct sever_client *sever_client);
const struct lost *sever_client_lost(const struct sever_client *sever_client);
/* lost_restore(), right after sever_client_new(). */
void sever_client_restore(struct sever_client *sever_client, const struct lost_list *list);

/* -EBUSY: too many wait; -ENOMEM; then `done` is not called. */
int sever_client_order(struct sever_client *sever_client, const struct sever_order *order,
                       sever_client_done_fn *done, void *arg);

/* Ends what homing-sever was ordered for these endpoints, SEVER_ENDPOINTS_MAX at most. Each order
 * is answered with what was done until then. Without a connection nothing is ended. */
void sever_client_cancel(struct sever_client *sever_client, const uint64_t *endpoints,
                         uint32_t count);

/* From now on, programs see its instance in the view, and tag for each endpoint that wants to know. Orders that are
 * given after that spare what somebody has known before, if nobody has tagged it. */
void sever_client_published(struct sever_client *sever_client);

/* Tagged connections to an order's addresses; its endpoints do not matter. */
int sever_client_connections(struct sever_client *sever_client, const struct sever_order *order,
                             sever_client_rows_fn *done, void *arg);

#endif
