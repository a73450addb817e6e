/* SPDX-License-Identifier: Apache-2.0
 *
 * own_sockets.h - which of this process's own sockets are connected to given addresses.
 *
 * Client libraries open sockets of their own; so the table of descriptors is asked, and not they.
 */
#ifndef HOMING_AGENT_SEVER_CLIENT_OWN_SOCKETS_H
#define HOMING_AGENT_SEVER_CLIENT_OWN_SOCKETS_H

#include <stdint.h>

#include "proto/inet_address.h"

/* Fills ret_cookies with their SO_COOKIE, at most `max`; then with those of sockets that are still
 * connecting, to wherever. Returns how many. */
uint32_t own_sockets_connected_to(const struct inet_address *addresses, uint32_t count,
                                  uint64_t *ret_cookies, uint32_t max);

#endif
