/* SPDX-License-Identifier: Apache-2.0
 *
 * probe.h - between the parts of the unmodified program.
 */
#ifndef HOMING_TESTS_SHIM_PROBE_H
#define HOMING_TESTS_SHIM_PROBE_H

#include <stddef.h>
#include <sys/socket.h>

#define ERRNO_BEFORE 77

struct out {
    char text[8192];
    size_t len;
};

void put(struct out *out, const char *text);

/* Not printf(), which under `strict` could make a system call. */
void put_number(struct out *out, const char *before, long number);

void put_address(struct out *out, const struct sockaddr *address);

/* Runs one command. */
void probe_command(struct out *out, char **words, int count);

/* beget.c, byways.c, dial.c, midway.c. 0: not one of its commands. */
int beget_command(struct out *out, char **words, int count);
int byways_command(struct out *out, char **words, int count);
int dial_command(struct out *out, char **words, int count);
int midway_command(struct out *out, char **words, int count);

#endif
