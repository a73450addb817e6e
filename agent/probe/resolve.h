/* SPDX-License-Identifier: Apache-2.0
 *
 * resolve.h - member hosts to addresses, ahead of time, on the loop (c-ares).
 *
 * Honours TTLs (bounded to 1 s .. 5 min), keeps the last good addresses when a lookup fails, reads
 * /etc/hosts, and takes address literals as they are. The agent never resolves through its own
 * shim.
 */
#ifndef HOMING_AGENT_PROBE_RESOLVE_H
#define HOMING_AGENT_PROBE_RESOLVE_H

#include "agent/base/loop.h"
#include "agent/probe/hosts.h"

struct resolver;
struct resolve_host;

/* Called when the set or the official name changes; while the host is urgent, after each answer,
 * changed or not. Called after a failure, too, with count 0 and the error, as long as there never
 * was an address. */
typedef void resolve_fn(void *arg, const struct inet_address *addresses, uint32_t count,
                        const char *error);

/* NULL: out of memory, or c-ares cannot start (errno). */
struct resolver *resolver_new(struct loop *loop);
/* As resolver_new(), with other files than /etc/resolv.conf and /etc/hosts, and servers on another
 * port than 53: for tests. */
struct resolver *resolver_new_from(struct loop *loop, const char *resolv_conf, const char *hosts,
                                   uint16_t port);
/* Ends all watching: hosts that are left are freed with it. Not from inside a resolve_fn. */
void resolver_free(struct resolver *resolver);

/* Watches `name` from now on. The first call of `fn` comes from the loop, also for a literal. */
struct resolve_host *resolve_host_new(struct resolver *resolver, const char *name,
                                      enum conf_family family, resolve_fn *fn, void *arg);
void resolve_host_free(struct resolve_host *host);

/* The name to which the host's own name led, through CNAMEs or the hosts file, as of the last call
 * of `fn` without an error. "": none is known, as for a literal. */
const char *resolve_host_official(const struct resolve_host *host);

/* Takes over what `old` knows of the same name and family, so that it is kept while DNS is down. The
 * first call of `fn` comes in any case: with that, if the first lookup fails. */
void resolve_host_inherit(struct resolve_host *host, const struct resolve_host *old);

/* W11: an urgent host is asked for again and again, for ten minutes, whatever its TTL says. NULL:
 * nothing happens. */
void resolve_host_urge(struct resolve_host *host, bool urgent);
/* Asks an urgent host again RESOLVE_AGAIN_MS from now. */
void resolve_host_again(struct resolve_host *host);

/* W11: two answers of DNS that are this far apart are two, and not one that was asked for twice. */
#define RESOLVE_AGAIN_MS 250

#endif
