/* SPDX-License-Identifier: Apache-2.0
 *
 * publish.h - writes clusters into the view, and makes a view with room for all of them.
 */
#ifndef HOMING_AGENT_DAEMON_PUBLISH_H
#define HOMING_AGENT_DAEMON_PUBLISH_H

#include "agent/daemon/shared.h"
#include "agent/publish/publication.h"

/* Clusters that a reload may add before the view must be exchanged, and members of clusters that
 * are new or have become larger. */
#define SPARE_CLUSTERS 8
#define SPARE_MEMBERS  32

/* Members that a cluster may discover before the view must be exchanged because of it. */
#define SPARE_DISCOVERED 4

/* Members for which it has room in a view that is made now. */
uint32_t publish_members(const struct cluster *cluster);

/* Makes the cluster's part of the view, as the cluster stands. */
void publish_make(const struct cluster *cluster, struct publication *ret_publication);

/* Writes it into the view in force; if that is full, into a larger one. */
void publish_write(struct cluster *cluster, const struct publication *publication);

/* Only the time of confirmation grew: writes it into the view, at most once a second. */
void publish_refresh(struct cluster *cluster);

/* Makes a view with room for all of `clusters`, numbers these anew, and writes them into it. It
 * becomes the view in force. -errno: the old one stays. */
int publish_grow(struct daemon *daemon, struct cluster **clusters, uint32_t count);

/* What the view says of a name at this moment, read as every shim reads it. False: nothing. */
bool publish_read(const struct daemon *daemon, const struct name *name,
                  struct view_entry *ret_entry);

#endif
