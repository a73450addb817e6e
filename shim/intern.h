/* SPDX-License-Identifier: Apache-2.0
 *
 * intern.h - strings that live as long as the process: names in lists that musl frees as a whole.
 */
#ifndef HOMING_SHIM_INTERN_H
#define HOMING_SHIM_INTERN_H

#include <stddef.h>

/* Different names that can be kept; spellings in upper and lower case count twice. */
#define INTERN_MAX 64

/* The kept copy of `len` bytes of `text`, NUL-terminated; NULL: no room, or too long for a name.
 * Lock-free; never allocates. */
char *intern(const char *text, size_t len);

#endif
