/* SPDX-License-Identifier: Apache-2.0
 *
 * publish.h - clusters into the view, and a view with room for all of them.
 */
#ifndef HOMING_AGENT_DAEMON_PUBLISH_H
#define HOMING_AGENT_DAEMON_PUBLISH_H

#include "agent/daemon/shared.h"
#include "agent/publish/publication.h"

/* Clusters that a reload may add before the view must be exchanged. */
#define SPARE_CLUSTERS 8

/* What the view is to say of the cluster as it stands. */
void publish_make(const struct cluster *cluster, struct publication *ret_publication);

/* Into the view in force; if that is full, into a larger one. */
void publish_write(struct cluster *cluster, const struct publication *publication);

/* Only the time of confirmation grew: into the view at most once a second. */
void publish_refresh(struct cluster *cluster);

/* A view with room for all of `clusters`, which are numbered anew and written into it. It becomes
 * the one in force. -errno: that stays. */
int publish_grow(struct daemon *daemon, struct cluster **clusters, uint32_t count);

/* What the view says of a name at this moment, read as every shim reads it. False: nothing. */
bool publish_read(const struct daemon *daemon, const struct name *name,
                  struct view_entry *ret_entry);

#endif
