/* SPDX-License-Identifier: Apache-2.0
 *
 * handover.h - hands this process' permit over to homing-sever, once.
 */
#ifndef HOMING_SHIM_PERMIT_HANDOVER_H
#define HOMING_SHIM_PERMIT_HANDOVER_H

#include "shim/permit/tags.h"

/* In place of a connection: so many others are just connecting that there was no room. */
#define HANDOVER_CROWDED (-2)

/* Sends a netlink socket and a new memory for the tags, into which they move. Returns the
 * connection, which is to be left open for as long as the permit is to be held; below 0: it could not
 * be done, and nothing is left open. The tags may have moved even then. Nothing is sent once the
 * claim is overtaken. Never waits. Changes errno. */
int handover(struct tags *tags, uint64_t claim);

#endif
