/* SPDX-License-Identifier: Apache-2.0
 *
 * discovery.h - checks of a cluster whose servers tell of each other: seeds, host_patterns, and members by names that
 * are good for seeds alone.
 */
#ifndef HOMING_AGENT_CONF_DISCOVERY_DISCOVERY_H
#define HOMING_AGENT_CONF_DISCOVERY_DISCOVERY_H

#include "agent/conf/file/errors.h"

/* Whether the members can be discovered, if they are to be, and no password goes astray. */
void conf_agree_discovery(const struct conf_cluster *cluster, struct conf_errors *errors);

/* Whether each pattern is for the servers of a region, if the engine has regions, and for none, if it has not; and
 * whether none is in vain, because one before it is for the same servers. */
void conf_agree_patterns(const struct conf_cluster *cluster, struct conf_errors *errors);

/* Whether each member, and what each pattern makes, is a server by its name: an alias is refused, or warned of where
 * the servers tell nothing. */
void conf_agree_aliases(const struct conf_cluster *cluster, struct conf_errors *errors);

#endif
