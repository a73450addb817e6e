/* SPDX-License-Identifier: Apache-2.0
 *
 * methods.h - makes the replies to the requests of both sockets. A method is one row: its socket,
 * its rights and its function. homingctl's rows name these; tests/unit/ctl/commands compares both.
 */
#ifndef HOMING_AGENT_ADMIN_METHODS_H
#define HOMING_AGENT_ADMIN_METHODS_H

#include <stdbool.h>

#include "agent/serve/serve.h"

struct call;
typedef void method_fn(struct call *call);

struct method {
    const char *name;
    enum serve_socket socket;
    bool changes; /* for root and the agent's own uid only */
    method_fn *fn;
};

/* NULL: no such method. */
const struct method *methods_find(const char *name);

/* `arg` is the struct daemon. */
serve_fn methods_serve;

#endif
