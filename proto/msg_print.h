/* SPDX-License-Identifier: Apache-2.0
 *
 * msg_print.h - values as JSON, and strings for terminals; called by homingctl.
 */
#ifndef HOMING_PROTO_MSG_PRINT_H
#define HOMING_PROTO_MSG_PRINT_H

#include <stdio.h>

#include "proto/msg.h"

/* JSON on one line, without a newline. Control bytes are escaped, bytes that are not UTF-8 become
 * U+FFFD, binary becomes hexadecimal text: safe for terminals and parsers alike. */
void msg_print_json(FILE *out, const struct msg_value *value);

/* A string's text as it may be shown on a terminal: control bytes and what is not UTF-8 become
 * '?'. Nothing for what is no string. */
void msg_print_text(FILE *out, const struct msg_value *value);

#endif
