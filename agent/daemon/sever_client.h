/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_client.h - homingd's end of sever.sock: orders connections severed, and knows whether they
 * can be.
 *
 * One pass: at start, while homingd still may, sever_client_start_child() sees to it that a
 * homing-sever runs; then homingd drops its capabilities. sever_client_new() connects, now or when
 * there is somebody, and keeps the connection: its end tells that the process is gone, and with it
 * all permits. Orders given meanwhile wait for ORDER_WAIT_MS; everything is answered exactly once.
 */
#ifndef HOMING_AGENT_DAEMON_SEVER_CLIENT_H
#define HOMING_AGENT_DAEMON_SEVER_CLIENT_H

#include "agent/base/loop.h"
#include "proto/permit.h"
#include "proto/sever.h"

struct sever_client;

/* What is known of homing-sever; asked for every few seconds. */
struct sever_client_status {
    uint64_t instance; /* for the view's sever_instance; 0: none answers */
    bool able;
    char why[192]; /* why it is, or is not */
    uint32_t pid;
    uint32_t processes; /* that have handed over a permit */
    uint32_t groups;    /* of one uid in one network namespace, that these processes are of */
    uint64_t counts[TAG_COUNT_COUNT]; /* all processes' */
    struct sever_counts severed;      /* since it started */
};

/* The instance, or the ability, is another one. */
typedef void sever_client_changed_fn(void *arg);

/* May give further orders, but not free the sever_client. error: 0, then counts hold; -ETIME:
 * nobody answered in time; -EPIPE: it ended meanwhile; -EPROTO: it refused; -ECANCELED:
 * sever_client_free(). */
typedef void sever_client_done_fn(void *arg, int error, const struct sever_counts *counts);
typedef void sever_client_rows_fn(void *arg, int error, const struct sever_row *rows,
                                  uint32_t count);

/* Starts homing-sever for this daemon directory, if this process has CAP_NET_ADMIN and none answers.
 * It is found beside this program's own file: in ../libexec/homing/, or in the same directory. It
 * outlives us. 0: started, or there is one, or we may not; or negative errno. Call it before
 * privilege_keep(). */
int sever_client_start_child(const char *run_dir, bool json_log);

/* NULL: out of memory. */
struct sever_client *sever_client_new(struct loop *loop, const char *run_dir,
                                      sever_client_changed_fn *changed, void *arg);
void sever_client_free(struct sever_client *sever_client);

const struct sever_client_status *sever_client_status(const struct sever_client *sever_client);
uint64_t sever_client_instance(const struct sever_client *sever_client);

/* -EBUSY: too many wait; -ENOMEM; then `done` is not called. */
int sever_client_order(struct sever_client *sever_client, const struct sever_order *order,
                       sever_client_done_fn *done, void *arg);

/* Ends what was ordered for these endpoints, SEVER_ENDPOINTS_MAX at most; each order is answered
 * with what was done until then. */
void sever_client_cancel(struct sever_client *sever_client, const uint64_t *endpoints,
                         uint32_t count);

/* Tagged connections to an order's addresses; its endpoints do not matter. */
int sever_client_connections(struct sever_client *sever_client, const struct sever_order *order,
                             sever_client_rows_fn *done, void *arg);

#endif
