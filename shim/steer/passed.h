/* SPDX-License-Identifier: Apache-2.0
 *
 * passed.h - what a connect that goes where it was asked to means for others.
 */
#ifndef HOMING_SHIM_STEER_PASSED_H
#define HOMING_SHIM_STEER_PASSED_H

#include "proto/inet_address.h"

/* If `to` is the address of a member of a cluster in which untagged connections are severed,
 * homing-sever is to have this process' permit: it lists the connections of its network namespace. A
 * process whose connections are not to be severed gives no help with those that it does not tag.
 * errno is kept. */
void passed_hand_over(int fd, const struct inet_address *to);

#endif
