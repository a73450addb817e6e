/* SPDX-License-Identifier: Apache-2.0
 *
 * near.h - which configured name may be meant by a name that is not managed. Pure; called by
 * call.c.
 */
#ifndef HOMING_AGENT_ADMIN_NEAR_H
#define HOMING_AGENT_ADMIN_NEAR_H

#include "agent/conf/conf.h"

enum near {
    NEAR_NOTHING,
    NEAR_SLIP,   /* as NEAR_TYPO, behind the same first label */
    NEAR_SUFFIX, /* one is the other plus a search suffix: a spelling that is not listed */
    NEAR_LABEL,  /* the same first label in another domain */
    NEAR_TYPO,   /* one letter too many, too few, changed or swapped */
    NEAR_COUNT
};

/* Compares two canonical names. Of two results, the lower one is better, but NEAR_NOTHING is
 * none. */
enum near near_compare(const char *asked, const char *configured);

/* The nearest configured name; *ret_name is the configuration's. */
enum near near_find(const struct conf *conf, const char *asked, const char **ret_name);

#endif
