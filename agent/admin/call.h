/* SPDX-License-Identifier: Apache-2.0
 *
 * call.h - one request while it is answered: parameters, refusals, what a name or a cluster is.
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

/* NULL: there is none, or it is no text. */
const char *call_param(const struct call *call, uint32_t i);

/* The reply is an error; printf() arguments follow. */
#define call_refuse(call, error, ...) msg_put_error((call)->reply, (call)->id, (error), __VA_ARGS__)

/* The cluster that the first parameter names; NULL: there is none, and the call is refused. */
struct cluster *call_cluster(struct call *call);

/* An endpoint, by the cluster that it belongs to. */
struct place {
    struct cluster *cluster;
    uint32_t endpoint;
    uint32_t name; /* which of the endpoint's names it was found by */
};

/* The endpoint that has this name. */
bool call_find_name(const struct call *call, const char *text, struct place *ret_place);
const struct conf_endpoint *place_endpoint(const struct place *place);
const struct name *place_name(const struct place *place);

/* The name is not managed; says which managed one may have been meant. */
void call_refuse_name(struct call *call, const char *text);

#endif
