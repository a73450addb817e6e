/* SPDX-License-Identifier: Apache-2.0
 *
 * utf8.h - which bytes of a string are UTF-8; for everything that is sent, logged or shown.
 */
#ifndef HOMING_PROTO_UTF8_H
#define HOMING_PROTO_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character that `text` starts with, 1..4, and its code point. 0: it starts with none
 * (cut off, overlong, a surrogate, or beyond U+10FFFF); *ret_code is untouched. */
size_t utf8_next(const char *text, size_t len, uint32_t *ret_code);

/* What a terminal would obey instead of show: C0, DEL and C1. And what nobody sees, so that two texts
 * look alike, or that shows the rest in another order: Unicode's format characters (Cf), its line and
 * paragraph separators, and what is drawn as nothing (Default_Ignorable_Code_Point). */
bool utf8_is_control(uint32_t code);

/* The character as a JSON string has it, escaped: "\\u202e"; beyond U+FFFF as two of these. */
#define UTF8_ESCAPE_SIZE 13
void utf8_escape(uint32_t code, char ret[UTF8_ESCAPE_SIZE]);

/* Copies what is fit for a terminal: control characters and what is not UTF-8 become '?'. Cut off,
 * between characters, to what fits into `size` with its NUL. Returns the number of characters. */
size_t utf8_clean(const char *text, size_t len, char *ret, size_t size);

#endif
