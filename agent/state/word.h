/* SPDX-License-Identifier: Apache-2.0
 *
 * word.h - the words of a line of saved text, one after the other. Called by text.c. Pure.
 *
 * Each reads what comes next in *text up to a blank, and goes behind it. False: that makes no sense.
 */
#ifndef HOMING_AGENT_STATE_WORD_H
#define HOMING_AGENT_STATE_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/inet_address.h"

bool word_number(char **text, uint64_t *ret);
/* Neither 0 nor above 65535. */
bool word_port(char **text, uint16_t *ret);
/* Not "", and with its NUL not longer than `size`. */
bool word_text(char **text, char *ret, size_t size);
/* An address and, as the next word, its port. */
bool word_address(char **text, struct inet_address *ret);

#endif
