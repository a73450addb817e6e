/* SPDX-License-Identifier: Apache-2.0
 *
 * descriptor.h - the shim's own descriptors, in a process that is not ours.
 */
#ifndef HOMING_SHIM_LIBC_DESCRIPTOR_H
#define HOMING_SHIM_LIBC_DESCRIPTOR_H

struct pollfd;
struct stat;

/* No descriptor of the shim has a number below this one. A program that runs with 0, 1 or 2 closed
 * may open one of them at any moment, or write to it. */
#define DESCRIPTOR_LOWEST 3

void descriptor_close(int fd);

/* Moves a new descriptor to `number` or above, or to DESCRIPTOR_LOWEST or above if there is no such
 * number. Returns the descriptor; negative if `fd` was, or if no number is left. */
int descriptor_lift(int fd, int number);

/* Both as libc's resolver does it, where there is more than one system call for it: a program that
 * has forbidden itself all others goes on. Both change errno. */

/* As poll(). `at` may be NULL: then it sleeps. */
int descriptor_poll(struct pollfd *at, int ms);

/* As fstat(). */
int descriptor_stat(int fd, struct stat *ret_status);

#endif
