/* SPDX-License-Identifier: Apache-2.0
 *
 * text.h - how homingctl spells ages, sizes, and words that came from elsewhere.
 */
#ifndef HOMING_AGENT_CTL_SHOW_TEXT_H
#define HOMING_AGENT_CTL_SHOW_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Enough for every text_age() and text_size(). */
#define TEXT_SHORT 16

/* Two units at most: "0.3 s", "42 s", "5 min", "3 h 12 min", "4 d 7 h". */
void text_age(uint64_t ms, char ret[TEXT_SHORT]);

/* "0 B", "512 B", "16.0 MiB". */
void text_size(uint64_t bytes, char ret[TEXT_SHORT]);

/* Fit for a terminal: control characters and what is not UTF-8 become '?'. Cut off, between
 * characters, to what fits into `size` with its NUL. Returns its width in characters. */
size_t text_clean(const char *text, char *ret, size_t size);

/* Prints it line by line, each of them clean and with its newline: mistakes of a configuration. */
void text_put_lines(FILE *out, const char *text);

#endif
