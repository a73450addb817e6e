/* SPDX-License-Identifier: Apache-2.0
 *
 * sink.h - where a probe's news go: what is known of each member and each place, and reports.
 */
#ifndef HOMING_AGENT_PROBE_SINK_H
#define HOMING_AGENT_PROBE_SINK_H

#include "agent/base/address.h"
#include "agent/decide/place.h"
#include "agent/decide/report.h"
#include "agent/probe/topology.h"

/* W11: an address at which a server is asked beside the members. Its reports have
 * PLACE_VOICE(place) as their member. */
struct probe_place {
    enum place_kind kind; /* PLACE_FREE: it is not asked any more */
    uint32_t member;      /* whose name names it, or named it */
    struct address address;
    bool named;       /* a candidate: a second answer of DNS named it, too */
    bool abandoned;   /* a candidate: DNS has not named the member's own address for a minute */
    uint64_t left_ms; /* a left address: when the member left it */
};

/* What is known of one member. All of it lives until the sink call returns. */
struct probe_member {
    const struct addresses *where;
    const char *error; /* the last one in the server's own words; "" if all is well */
    const char *note;  /* "" or the engine's remark */
    uint64_t retry_ms; /* when it is tried again; 0: it is connected or denied */
};

struct probe_sink {
    /* What is known of the member changed. If `report` or `addresses` is to tell why, that call
     * comes next. This one keeps what it is given, and calls nothing of the probe. */
    void (*member)(void *arg, uint32_t member, const struct probe_member *known);
    void (*report)(void *arg, const struct report *report);
    /* The addresses of a member, or the one its session is connected to, changed. */
    void (*addresses)(void *arg, uint32_t member);
    /* How the kernel lists a connection to `asked`, a member's or a place's, that has just been made:
     * mostly as one to `asked`. NULL: nobody wants to know. */
    void (*listed)(void *arg, const struct inet_address *asked, const struct inet_address *listed);
    /* W11: whether no candidate may be at this address, because it is another member's. */
    bool (*is_taken)(void *arg, uint32_t member, const struct inet_address *address);
    /* W4a: whether a blue/green switchover left a server behind at this address: none of the cluster's
     * is ever a candidate, whatever DNS names, and as a left one it stays. */
    bool (*is_behind)(void *arg, const struct inet_address *address);
    /* W11: a place is another one, or DNS says something new of it. NULL: no place is asked. */
    void (*place)(void *arg, uint32_t place, const struct probe_place *known);
    /* What the member says of others; the report of the same answer comes next. NULL: nobody wants
     * to know. What is said at a place is no member's word. */
    void (*topology)(void *arg, uint32_t member, const struct topology *topology);
    void *arg;
};

#endif
