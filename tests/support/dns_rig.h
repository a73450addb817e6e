/* SPDX-License-Identifier: Apache-2.0
 *
 * dns_rig.h - the resolver on a virtual clock, with a real c-ares and a DNS server of the test's own.
 *
 * A test changes the zone, lets time pass, and looks at what was asked and what the resolver said.
 */
#ifndef HOMING_TESTS_SUPPORT_DNS_RIG_H
#define HOMING_TESTS_SUPPORT_DNS_RIG_H

#include "agent/probe/resolve.h"

/* The same answer for every name. */
struct zone {
    uint8_t rcode;     /* 3: no such name, 2: failure */
    uint32_t ttl;      /* seconds */
    const char *a[12]; /* IPv4, as text */
    const char *aaaa[4];
    const char *cnames[3]; /* the name leads to these, one after the other */
};

extern struct zone zone;
extern uint32_t queries, aaaa_queries; /* since the last forget() */
extern uint32_t calls;
extern char said[512]; /* the last call: addresses, or the error */
extern struct loop *loop;
extern struct resolver *resolver;
extern char resolv_conf[64], hosts[64]; /* paths */

int dns_rig_setup(void **state);
int dns_rig_teardown(void **state);
void forget(void);
void write_file(const char *path, const char *text);
/* Lets `ms` pass; what is asked is answered. */
void pass(uint64_t ms);
struct resolve_host *watch(const char *name, enum conf_family family);
/* The same, with what `old` knows. */
struct resolve_host *watch_heir(const char *name, enum conf_family family,
                                const struct resolve_host *old);
/* What watch() has called. */
void heard(void *arg, const struct inet_address *addresses, uint32_t count, const char *error);

#endif
