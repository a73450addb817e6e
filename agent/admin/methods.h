/* SPDX-License-Identifier: Apache-2.0
 *
 * methods.h - answers the requests of both sockets.
 */
#ifndef HOMING_AGENT_ADMIN_METHODS_H
#define HOMING_AGENT_ADMIN_METHODS_H

#include "agent/serve/serve.h"

/* `arg` is the struct daemon. */
serve_fn methods_serve;

#endif
