/* SPDX-License-Identifier: Apache-2.0
 *
 * publication.h - one cluster's part of the view: its entries and its members' addresses.
 *
 * One pass: the daemon makes a publication of a verdict and the members' addresses. It compares its
 * fingerprints with those before to count generations, saves these (W2), and writes it into the
 * view.
 */
#ifndef HOMING_AGENT_PUBLISH_PUBLICATION_H
#define HOMING_AGENT_PUBLISH_PUBLICATION_H

#include "agent/base/address.h"
#include "agent/conf/conf.h"
#include "agent/decide/verdict.h"
#include "agent/publish/view.h"
#include "agent/state/saved.h"
#include "proto/view_read.h"

struct publication {
    struct view_entry entry; /* without what differs between endpoints */
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];
    uint32_t count;
    const char *officials[HOMING_MEMBERS_MAX]; /* the members' own; in the memory of `members` */
    uint32_t member_count;
    uint16_t ports[HOMING_CLUSTER_PORTS_MAX]; /* other ones of all endpoints, each once */
    uint32_t port_count;
};

/* `index`: the cluster's number in the view. `members`: the addresses of each configured member.
 * `left`: those that members have left (W11). */
void publication_make(const struct conf_cluster *conf, uint32_t index,
                      const struct verdict *verdict, const struct addresses *const *members,
                      const struct left_addresses *left, struct publication *ret_publication);

/* As entry_fingerprint(). */
uint64_t publication_fingerprint(const struct publication *publication, enum view_role role);

/* Writes all names of the cluster's endpoints. `endpoints`: one for each configured endpoint.
 * `mode`: replaces the configured modes, if it is not 0. The members' addresses are written first:
 * a program that sees a new generation also sees which member was demoted. -ENOSPC: the view is
 * full, and some names are missing, of endpoints or of members' hosts. */
int publication_write(const struct publication *publication, const struct conf_cluster *conf,
                      const struct state_endpoint *endpoints, enum view_mode mode,
                      struct view *view);

/* Writes only the time of confirmation. */
void publication_write_confirmed(const struct conf_cluster *conf, uint64_t confirmed_ms,
                                 struct view *view);

#endif
