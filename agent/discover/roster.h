/* SPDX-License-Identifier: Apache-2.0
 *
 * roster.h - which members of a cluster were discovered, from whom, and which leave.
 *
 * One pass: a server names others, and its answer shows that it is of this data set;
 * roster_take() notes who is named, and roster_leave() drops who has not been for long.
 * daemon/discovery makes members of the roster. Pure: time is a parameter, storage the caller's.
 *
 * 1. Nobody is in it who may not be named (named.h), or who stands in the configuration.
 * 2. Roster and configuration together are at most HOMING_MEMBERS_MAX.
 * 3. One answer that lacks a row removes nobody; one without any good row changes nothing.
 */
#ifndef HOMING_AGENT_DISCOVER_ROSTER_H
#define HOMING_AGENT_DISCOVER_ROSTER_H

#include "agent/discover/named.h"

enum {
    /* For so long no answer names a member: it leaves. Shorter: a server that is restarted, and is in
     * no row meanwhile, leaves and joins. Longer: a server that is no more takes a place and is asked. */
    ROSTER_GONE_MS = 60000,
    /* After a silence of all servers for so long, who is missing is counted from its end. */
    ROSTER_SILENCE_MS = 30000,
    /* A member that was demoted stays for so long, as a left address does (W11). */
    ROSTER_HELD_MS = 24 * 60 * 60 * 1000,
    /* What was refused last is told for so long after the last answer that named it. */
    ROSTER_TELL_MS = 60000,
};

/* host:port of who named a member, brackets around an IPv6 literal. */
#define ROSTER_FROM_SIZE (HOMING_NAME_MAX + 10)

struct roster_member {
    char host[HOMING_NAME_MAX + 1];
    uint16_t port;
    char from[ROSTER_FROM_SIZE]; /* who named it first */
    uint64_t since_ms;           /* when; 0: in another boot */
    bool green;                  /* W4a: it was named as a green server, or by one; not on disk */
    uint64_t missing_ms;         /* since when no answer names it; 0: they do */
};

struct roster {
    struct roster_member at[HOMING_MEMBERS_MAX];
    uint32_t count;
    uint64_t taken_ms;    /* the last answer with a good row; 0: none yet */
    uint64_t too_many_ms; /* when more were named last than there is room for; 0: never */
    uint64_t refused_ms;  /* when the next three were last so; 0: never */
    enum named refused_why;
    char refused[HOMING_NAME_MAX + 1]; /* as the row has it, but printable */
    char refused_from[ROSTER_FROM_SIZE];
};

/* Who stays although nobody names it. */
enum roster_hold {
    ROSTER_FREE,
    ROSTER_A_DAY,  /* ROSTER_HELD_MS: it was demoted, or left an address */
    ROSTER_ALWAYS, /* it is the writer, or answers for the data set */
    ROSTER_HOLD_COUNT
};

/* `from` names others; `port` is its own. True: somebody joined. */
bool roster_take(struct roster *r, const struct conf_cluster *conf, const struct topology *topology,
                 const char *from, uint16_t port, uint64_t now_ms);

/* Whether a cluster may have any of those that are named there. */
bool roster_may_take(const struct conf_cluster *conf, const struct topology *topology,
                     uint16_t port);

/* `hold` is for each entry of r->at. True: somebody left; the others move up. */
bool roster_leave(struct roster *r, const enum roster_hold *hold, uint64_t now_ms);

/* From disk. Nothing happens if it may not be named, is there already, or has no room. */
void roster_restore(struct roster *r, const struct conf_cluster *conf,
                    const struct roster_member *saved);

/* The configuration is another one: who may not be a member by it is dropped. */
void roster_confine(struct roster *r, const struct conf_cluster *conf);

/* Index of an entry; r->count: there is none. */
uint32_t roster_find(const struct roster *r, const char *host, uint16_t port);

/* Tells one list of members from another. */
uint64_t roster_mark(const struct roster *r);

/* Whether it is so now, or was lately. */
bool roster_is_crowded(const struct roster *r, uint64_t now_ms);
bool roster_has_refused(const struct roster *r, uint64_t now_ms);

#endif
