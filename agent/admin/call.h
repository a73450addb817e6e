/* SPDX-License-Identifier: Apache-2.0
 *
 * call.h - one request under way: its parameters, its refusal, the cluster or the name it is about.
 */
#ifndef HOMING_AGENT_ADMIN_CALL_H
#define HOMING_AGENT_ADMIN_CALL_H

#include "agent/daemon/shared.h"

struct call {
    struct daemon *daemon;
    const struct serve_peer *peer;
    uint32_t id;
    const struct msg_value *params;
    struct msg_writer *reply;
    int *ret_fd;
};

/* The parameter at this place. NULL: there is none, or it is not a text. */
const char *call_param(const struct call *call, uint32_t i);

/* The reply is an error; printf() arguments follow. */
#define call_refuse(call, error, ...) msg_put_error((call)->reply, (call)->id, (error), __VA_ARGS__)

/* The cluster that the first parameter names. NULL: there is none, and the call has been
 * refused. */
struct cluster *call_cluster(struct call *call);

/* Refuses the call, because there is no such cluster. Says which one may have been meant. */
void call_refuse_cluster(struct call *call, const char *text);

/* An endpoint, as a cluster and a place in it. */
struct place {
    struct cluster *cluster;
    uint32_t endpoint;
    uint32_t name; /* the one of the endpoint's names by which it was found */
};

/* The endpoint that has this name. */
bool call_find_name(const struct call *call, const char *text, struct place *ret_place);
const struct conf_endpoint *place_endpoint(const struct place *place);
const struct name *place_name(const struct place *place);

/* Refuses the call, because the name is not managed. Says which managed name may have been
 * meant. */
void call_refuse_name(struct call *call, const char *text);

#endif
