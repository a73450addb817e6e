/* SPDX-License-Identifier: Apache-2.0
 *
 * probe.h - asks the members of one cluster, in time, and hands on what they say.
 *
 * One pass: resolve.c (c-ares) keeps each member's addresses; probe.c keeps one session per member,
 * asks it at the pace that decide chose, and calls report() with every answer, lateness and
 * failure. It decides nothing. After errors it backs off, with jitter, up to 10 s. A member that
 * denied us is left alone. Each question is bounded by `timeout`, each connect by up to eight times
 * that.
 */
#ifndef HOMING_AGENT_PROBE_PROBE_H
#define HOMING_AGENT_PROBE_PROBE_H

#include "agent/decide/pace.h"
#include "agent/probe/engine.h"
#include "agent/probe/resolve.h"
#include "agent/probe/sink.h"

struct probe;

/* `cluster` must live as long as the probe. Starts at once, at PACE_FAST. NULL: out of memory. From
 * inside a sink call all functions but probe_free() may be called. */
struct probe *probe_new(struct loop *loop, struct resolver *resolver, const struct engine *engine,
                        const struct conf_cluster *cluster, const struct probe_sink *sink);
void probe_free(struct probe *probe);

/* W11: the member has moved to the place that its name names, which is free then. The address that
 * it moved from is a left one. Calls sink.member and sink.place. */
void probe_move(struct probe *probe, uint32_t place);
/* W11: the place is the member's own server by another address: it is not asked any more. */
void probe_forget(struct probe *probe, uint32_t place);
/* Whether DNS named this address last for the member, at which it may not be known. */
bool probe_is_named(const struct probe *probe, uint32_t member, const struct inet_address *address);
/* W11: the last failure there in the server's own words, or the engine's; "": none, or no such place. */
const char *probe_place_error(const struct probe *probe, uint32_t place);
/* W11: asks this address, which the member left at left_ms, as long as it is worth it. Of too many,
 * the oldest is forgotten. Calls sink.place. */
void probe_leave(struct probe *probe, uint32_t member, const struct address *address,
                 uint64_t left_ms);

/* W11: the member was at this address before the agent's start: it is known there, and its name only
 * says where else to ask. Nothing happens if the configuration does not allow the address. */
void probe_know(struct probe *probe, uint32_t member, const struct address *address);

/* For a reload: a member that both probes have begins with the addresses that the old one knows, so
 * that they do not vanish from the view while DNS is asked. Calls sink.member for it. */
void probe_inherit(struct probe *probe, const struct probe *old);

/* After probe_inherit(), if both are of one configuration but for its members: sessions that stand go
 * over, so that no member is connected to anew because another one came or left. */
void probe_adopt(struct probe *probe, struct probe *old);

void probe_set_pace(struct probe *probe, enum pace pace);

/* Asks these members (a mask) now, with the full question. A member that still has a question is
 * asked when it has answered that. A member without a connection is tried as soon as a fast pace
 * would try it. */
void probe_ask(struct probe *probe, uint32_t members);

#endif
