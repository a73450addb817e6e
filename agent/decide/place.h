/* SPDX-License-Identifier: Apache-2.0
 *
 * place.h - W11: addresses at which a server is asked, and which are not known to be a member's.
 *
 * Each has a number, its place. Probe knows which address a place is, decide judges what is said
 * there. It is apart from topo.h, so that probe does not see how a move is decided.
 */
#ifndef HOMING_AGENT_DECIDE_PLACE_H
#define HOMING_AGENT_DECIDE_PLACE_H

#include "proto/limits.h"

enum place_kind {
    PLACE_FREE,
    PLACE_CANDIDATE, /* DNS names it for the member */
    PLACE_LEFT,      /* the member moved away from it */
    PLACE_KIND_COUNT
};

/* Places of one cluster: candidates first, then left addresses. A name has HOMING_ADDRESSES_MAX
 * addresses at most; names of several members seldom change together, and then they share. */
#define PLACE_CANDIDATES_MAX HOMING_ADDRESSES_MAX
#define PLACE_LEFT_MAX       HOMING_LEFT_MAX
#define PLACES_MAX           (PLACE_CANDIDATES_MAX + PLACE_LEFT_MAX)
/* Left addresses of one member: it moved so often within a day. */
#define PLACE_LEFT_OF_ONE_MAX 4

/* A left address is asked at least this often. */
#define PLACE_LEFT_PAUSE_MAX_MS 10000

/* A report of a place has this index as its member. */
#define PLACE_VOICE(place) (HOMING_MEMBERS_MAX + (place))

#endif
