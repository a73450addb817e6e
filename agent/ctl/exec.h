/* SPDX-License-Identifier: Apache-2.0
 *
 * exec.h - `homingctl run -- CMD…`: starts a program under the shim.
 */
#ifndef HOMING_AGENT_CTL_EXEC_H
#define HOMING_AGENT_CTL_EXEC_H

#include "agent/ctl/options.h"

/* As env(1): the command was not found, or cannot be run. */
#define EXEC_NOT_FOUND  127
#define EXEC_CANNOT_RUN 126

/* Replaces this process, or returns the exit code to end with. */
int exec_run(char **argv, const struct options *options);

/* A library of --with as it is preloaded: a path is made absolute, because the program, or a child of
 * it, may be in another directory when ld.so opens it. malloc'd. EXIT_USAGE: no file can be read
 * there, or ld.so would take the path for several; that is said on stderr. */
enum exit_code exec_library(const char *given, char **ret_path);

/* The LD_PRELOAD to run with, malloc'd. `old`: the present one; "". `library`: the shim of this
 * installation, or NULL. The shim is in front, so that no other library's getaddrinfo() hides its
 * own, and `with` behind it. But if `old` has a libhoming.so, that one stays where it is: two would
 * each act, and a "$LIB" there serves 32-bit programs, too. NULL: there is no shim to preload, or
 * no memory. */
char *exec_preload(const char *old, const char *library, const char *const *with);

#endif
