/* SPDX-License-Identifier: Apache-2.0
 *
 * view_names.h - the words for the view's modes, states and roles: what an operator writes and
 * reads, and what is saved.
 *
 * Used by the agent and by tests. libhoming.so prints nothing and goes without.
 */
#ifndef HOMING_PROTO_VIEW_NAMES_H
#define HOMING_PROTO_VIEW_NAMES_H

#include <stdbool.h>

#include "proto/view_format.h"

/* "?" for what is none. */
const char *view_mode_name(enum view_mode mode);
const char *view_state_name(enum view_state state);
const char *view_role_name(enum view_role role);

/* A mode that can be configured or ordered: "gone" is none. False, with *ret_mode untouched: no
 * such mode. */
bool view_mode_parse(const char *text, enum view_mode *ret_mode);
bool view_role_parse(const char *text, enum view_role *ret_role);

#endif
