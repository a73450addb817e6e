/* SPDX-License-Identifier: Apache-2.0
 *
 * view_names.c - as view_names.h says.
 */
#include "config.h"

#include <string.h>

#include "proto/view_names.h"

const char *view_mode_name(enum view_mode mode)
{
    static const char *const names[VIEW_MODE_COUNT] = {"gone",  "off",     "observe",
                                                       "names", "connect", "sever"};
    return (unsigned)mode < VIEW_MODE_COUNT ? names[mode] : "?";
}

const char *view_state_name(enum view_state state)
{
    static const char *const names[VIEW_STATE_COUNT] = {
        "unknown", "steady", "suspect", "no_writer", "ambiguous", "frozen", "stale"};
    return (unsigned)state < VIEW_STATE_COUNT ? names[state] : "?";
}

const char *view_role_name(enum view_role role)
{
    static const char *const names[VIEW_ROLE_COUNT] = {"writer", "reader"};
    return (unsigned)role < VIEW_ROLE_COUNT ? names[role] : "?";
}

bool view_mode_parse(const char *text, enum view_mode *ret_mode)
{
    for (unsigned mode = VIEW_MODE_OFF; mode < VIEW_MODE_COUNT; mode++)
        if (strcmp(text, view_mode_name((enum view_mode)mode)) == 0) {
            *ret_mode = (enum view_mode)mode;
            return true;
        }
    return false;
}

bool view_role_parse(const char *text, enum view_role *ret_role)
{
    for (unsigned role = 0; role < VIEW_ROLE_COUNT; role++)
        if (strcmp(text, view_role_name((enum view_role)role)) == 0) {
            *ret_role = (enum view_role)role;
            return true;
        }
    return false;
}
