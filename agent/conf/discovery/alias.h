/* SPDX-License-Identifier: Apache-2.0
 *
 * alias.h - host names that lead to whichever server a provider has them lead to, told by their form.
 *
 * Pure. A kind points to the function of its provider (engine_kind.h). Such a name is good for a seed, and no
 * member: where DNS leads is no evidence (W1).
 */
#ifndef HOMING_AGENT_CONF_DISCOVERY_ALIAS_H
#define HOMING_AGENT_CONF_DISCOVERY_ALIAS_H

#include <stdbool.h>
#include <stddef.h>

enum alias_leads {
    ALIAS_LEADS_ANYWHERE,
    ALIAS_LEADS_TO_WRITER,
    ALIAS_LEADS_TO_READERS
};

/* What such a name is, and how its servers' own hosts are made of their ids. */
struct alias {
    const char *what; /* "the endpoint of a cluster" */
    enum alias_leads leads;
    bool seed;         /* who answers there is one of the servers */
    char pattern[256]; /* as host_patterns has it; "": its form does not say */
};

/* Of Amazon's Aurora and RDS: NAME.cluster-ID.REGION.rds.amazonaws.com and its like, in all partitions. The
 * host is in its canonical form. False: a server's own name, or none of these. */
bool alias_amazon(const char *host, struct alias *ret);

#define ALIAS_REGION_SIZE 64 /* a label of a name, with its NUL */

/* The region that such a name, or a server's own, has in it. False: it is no name of theirs. */
bool alias_amazon_region(const char *host, char ret_region[ALIAS_REGION_SIZE]);

#endif
