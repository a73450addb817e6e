/* SPDX-License-Identifier: Apache-2.0
 *
 * intern.h - strings that live as long as the process, for names in lists that musl frees as a
 * whole.
 */
#ifndef HOMING_SHIM_VIEW_INTERN_H
#define HOMING_SHIM_VIEW_INTERN_H

#include <stddef.h>

/* What all strings may take: some hundred names of hosts, each of which is kept once. A name in
 * upper and in lower case counts twice. */
#define INTERN_BYTES 16384

/* The kept copy of `len` bytes of `text`, with a NUL behind them. NULL: there is no room, or they
 * are too long for a name. Lock-free. May change errno. */
char *intern(const char *text, size_t len);

#endif
