/* SPDX-License-Identifier: Apache-2.0
 *
 * explain.c - see explain.h. The table is the one of proto/PROTOCOL.md.
 */
#include "config.h"

#include "agent/admin/explain.h"

const char *layer_name(enum layer layer)
{
    static const char *const names[LAYER_COUNT] = {"lookup", "connect", "sever"};

    return (unsigned)layer < LAYER_COUNT ? names[layer] : "?";
}

static const char *const does[VIEW_STATE_COUNT][LAYER_COUNT] = {
    [VIEW_STATE_UNKNOWN] = {"asks the real resolver: nothing is confirmed yet", "untouched",
                            "nothing"},
    [VIEW_STATE_STEADY] = {"answers the writer", "redirected to the writer",
                           "aborts connections to demoted members"},
    [VIEW_STATE_SUSPECT] = {"answers the writer, though it is silent", "redirected to the writer",
                            "aborts connections to demoted members"},
    [VIEW_STATE_NO_WRITER] = {"answers the last writer, at once",
                              "waits for a successor at most `hold`, then refused", "nothing"},
    [VIEW_STATE_AMBIGUOUS] = {"answers the present writer while it is confirmed",
                              "redirected to the present writer", "nothing while ambiguous (W7)"},
    [VIEW_STATE_FROZEN] = {"answers the pinned writer while it is confirmed",
                           "redirected to the pinned writer", "nothing while frozen (W7)"},
    [VIEW_STATE_STALE] = {"asks the real resolver; the last writer if that fails or names a "
                          "demoted member",
                          "untouched", "nothing"},
};

static bool has_entry(enum view_state state)
{
    return state != VIEW_STATE_UNKNOWN && state != VIEW_STATE_STALE;
}

const char *explain_layer(enum layer layer, enum view_role role, enum view_mode mode,
                          enum view_state state)
{
    static const enum view_mode needs[LAYER_COUNT] = {VIEW_MODE_NAMES, VIEW_MODE_CONNECT,
                                                      VIEW_MODE_SEVER};

    if ((unsigned)layer >= LAYER_COUNT || (unsigned)state >= VIEW_STATE_COUNT)
        return "?";
    if (mode == VIEW_MODE_OBSERVE)
        return "only counts what it would have done (mode observe)";
    if (mode < needs[layer])
        return "off (by mode)";
    if (layer == LAYER_LOOKUP && role == VIEW_ROLE_READER && has_entry(state))
        return "answers the readers in turn; the writer, if there is none";
    if (layer == LAYER_CONNECT && role == VIEW_ROLE_READER && has_entry(state))
        return "redirected to a reader, if the address is neither a reader's nor the writer's";
    if (layer == LAYER_SEVER && role == VIEW_ROLE_READER)
        return "nothing: only what writes has to leave a demoted member";
    return does[state][layer];
}

static const char *const changes[REASON_COUNT] = {
    [REASON_NONE] = "a member claims to be the writer",
    [REASON_FIRST_CLAIM] = "the writer stops claiming and another member claims a newer term",
    [REASON_NEWER_TERM] = "the writer stops claiming and another member claims a newer term",
    [REASON_DEMOTION_UNDONE] = "the writer stops claiming and another member claims a newer term",
    [REASON_INCUMBENT_CLAIMS] = "the writer stops claiming and another member claims a newer term",
    [REASON_INCUMBENT_SILENT] = "the writer answers again, or another member claims a newer term",
    [REASON_INCUMBENT_READER] = "a member claims a newer term, or the old writer claims again",
    [REASON_TWO_CLAIMS] = "one of the two stops claiming, or the operator accepts the newer one",
    [REASON_CLAIMS_AT_START] = "only one member still claims, or the operator accepts one",
    [REASON_OLDER_TERM] =
        "the present writer claims again, or the operator accepts the older claim",
    [REASON_BEHIND] =
        "a member claims that lacks nothing of that, or the operator accepts the claim",
    [REASON_OTHER_IDENTITY] = "the other server goes away, or the operator accepts it",
    [REASON_NO_FAILOVER] = "another member claims, or the operator accepts this one",
    [REASON_WRITER_REMOVED] = "the operator accepts a member, or the writer is configured again",
    [REASON_ACCEPTED] = "the writer stops claiming and another member claims a newer term",
    [REASON_FROZEN] = "the operator unfreezes the cluster, or accepts another member's claim",
    [REASON_UNCONFIRMED] = "the writer answers again, or another member claims a newer term",
    [REASON_RESTORED] = "the first answers after the agent's start",
    [REASON_MOVED] = "the writer stops claiming and another member claims a newer term",
    [REASON_OTHER_ADDRESS] = "the present writer claims again, or the operator accepts the claim",
    [REASON_SUCCEEDED] = "the writer stops claiming and a member that follows it claims",
    [REASON_LOCK] = "the writer stops claiming and another member claims a newer term",
    [REASON_UNPROVEN] =
        "the present writer or a member that followed it claims, or the operator accepts the claim",
    [REASON_TAKEN_OVER] = "the writer stops claiming and another member claims",
    [REASON_HANDED_OVER] = "the writer stops claiming and another member claims a newer term",
    [REASON_SWITCHOVER] =
        "the writer or the green member says that it is done, or the writer claims again",
};

/* W12: where terms are the agent's own, no member claims one. */
static const char *const changes_by_heirs[REASON_COUNT] = {
    [REASON_FIRST_CLAIM] = "the writer stops claiming and a member that follows it claims",
    [REASON_NEWER_TERM] = "the writer stops claiming and a member that follows it claims",
    [REASON_DEMOTION_UNDONE] = "the writer stops claiming and a member that follows it claims",
    [REASON_INCUMBENT_CLAIMS] = "the writer stops claiming and a member that follows it claims",
    [REASON_INCUMBENT_SILENT] = "the writer answers again, or a member that followed it claims",
    [REASON_INCUMBENT_READER] = "a member that followed the writer claims, or the old writer again",
    [REASON_TWO_CLAIMS] = "one of the two stops claiming, or the operator accepts the other one",
    [REASON_ACCEPTED] = "the writer stops claiming and a member that follows it claims",
    [REASON_UNCONFIRMED] = "the writer answers again, or a member that followed it claims",
    [REASON_MOVED] = "the writer stops claiming and a member that follows it claims",
    [REASON_TAKEN_OVER] = "the writer stops claiming and a member that follows it claims",
    [REASON_LOCK] = "the writer stops claiming and a member that follows it claims",
    [REASON_HANDED_OVER] = "the writer stops claiming and a member that follows it claims",
};

/* W3a: where the term is always the same, nobody claims a newer one. */
static const char *const changes_by_volume[REASON_COUNT] = {
    [REASON_FIRST_CLAIM] = "the writer stops claiming and another member claims",
    [REASON_NEWER_TERM] = "the writer stops claiming and another member claims",
    [REASON_DEMOTION_UNDONE] = "the writer stops claiming and another member claims",
    [REASON_INCUMBENT_CLAIMS] = "the writer stops claiming and another member claims",
    [REASON_INCUMBENT_SILENT] = "the writer answers again, or another member claims",
    [REASON_INCUMBENT_READER] = "a member claims, the old writer or another one",
    [REASON_TWO_CLAIMS] = "one of the two stops claiming, or the operator accepts the other one",
    [REASON_ACCEPTED] = "the writer stops claiming and another member claims",
    [REASON_UNCONFIRMED] = "the writer answers again, or another member claims",
    [REASON_MOVED] = "the writer stops claiming and another member claims",
    [REASON_LOCK] = "the writer stops claiming and another member claims",
    [REASON_TAKEN_OVER] = "the writer stops claiming and another member claims",
    [REASON_HANDED_OVER] = "the writer stops claiming and another member claims",
};

const char *explain_change(enum reason reason, enum explain_by by)
{
    static const char *const *const own[EXPLAIN_BY_COUNT] = {
        [EXPLAIN_BY_HEIRS] = changes_by_heirs,
        [EXPLAIN_BY_VOLUME] = changes_by_volume,
    };

    if ((unsigned)reason >= REASON_COUNT)
        return "?";
    if (own[by] && own[by][reason])
        return own[by][reason];
    return changes[reason] ? changes[reason] : "?";
}
