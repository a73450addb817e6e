/* SPDX-License-Identifier: Apache-2.0
 *
 * methods.c - the methods of both sockets: which there are, and which uids may call them. Contract:
 * proto/PROTOCOL.md.
 *
 * 1. A method that changes something is for root and the agent's own uid, by SO_PEERCRED, on
 *    admin.sock only. It is logged (admin/orders.h).
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "agent/admin/connections.h"
#include "agent/admin/explain_cluster.h"
#include "agent/admin/methods.h"
#include "agent/admin/orders.h"
#include "agent/admin/programs.h"
#include "agent/admin/status.h"

static const struct method methods[] = {
    {"attach", SERVE_AGENT, false, programs_attach},
    {"resolve", SERVE_AGENT, false, programs_resolve},
    {"version", SERVE_ADMIN, false, status_version},
    {"status", SERVE_ADMIN, false, status_call},
    {"explain", SERVE_ADMIN, false, explain_call},
    {"history", SERVE_ADMIN, false, status_history},
    {"connections", SERVE_ADMIN, false, connections_call},
    {"watch", SERVE_ADMIN, false, status_watch},
    {"accept", SERVE_ADMIN, true, orders_accept},
    {"mode", SERVE_ADMIN, true, orders_mode},
    {"freeze", SERVE_ADMIN, true, orders_freeze},
    {"unfreeze", SERVE_ADMIN, true, orders_unfreeze},
    {"reload", SERVE_ADMIN, true, orders_reload},
};

const struct method *methods_find(const char *name)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (strcmp(methods[i].name, name) == 0)
            return &methods[i];
    return NULL;
}

void methods_serve(void *arg, enum serve_socket socket, const struct serve_peer *peer, uint64_t id,
                   const char *method, const struct msg_value *params, struct msg_writer *reply,
                   int *ret_fd)
{
    struct call call = {arg, peer, (uint32_t)id, params, reply, ret_fd};
    const struct method *found = methods_find(method);

    *ret_fd = -1;
    if (!found || found->socket != socket)
        call_refuse(&call, MSG_ERROR_UNKNOWN_METHOD, "no method %s on this socket", method);
    else if (found->changes && peer->uid != 0 && peer->uid != geteuid())
        call_refuse(&call, MSG_ERROR_DENIED, "%s is for root and uid %u", method,
                    (unsigned)geteuid());
    else
        found->fn(&call);
}
