/* SPDX-License-Identifier: Apache-2.0
 *
 * view_format.c - the words for what a view says, as people read and type them.
 *
 * Called by the agent, for its replies and its files. libhoming.so has no use for words, so it is
 * built without this file.
 */
#include "proto/view_format.h"

const char *view_mode_name(enum view_mode mode)
{
    switch (mode) {
    case VIEW_MODE_GONE:
        return "gone";
    case VIEW_MODE_OFF:
        return "off";
    case VIEW_MODE_OBSERVE:
        return "observe";
    case VIEW_MODE_NAMES:
        return "names";
    case VIEW_MODE_CONNECT:
        return "connect";
    case VIEW_MODE_SEVER:
        return "sever";
    case VIEW_MODE_COUNT:
        break;
    }
    return "?";
}

const char *view_state_name(enum view_state state)
{
    switch (state) {
    case VIEW_STATE_UNKNOWN:
        return "unknown";
    case VIEW_STATE_STEADY:
        return "steady";
    case VIEW_STATE_SUSPECT:
        return "suspect";
    case VIEW_STATE_NO_WRITER:
        return "no_writer";
    case VIEW_STATE_AMBIGUOUS:
        return "ambiguous";
    case VIEW_STATE_FROZEN:
        return "frozen";
    case VIEW_STATE_STALE:
        return "stale";
    case VIEW_STATE_COUNT:
        break;
    }
    return "?";
}

const char *view_role_name(enum view_role role)
{
    switch (role) {
    case VIEW_ROLE_WRITER:
        return "writer";
    case VIEW_ROLE_READER:
        return "reader";
    case VIEW_ROLE_COUNT:
        break;
    }
    return "?";
}
