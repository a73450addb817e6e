/* SPDX-License-Identifier: Apache-2.0
 *
 * exec.h - `homingctl run -- CMD…`: starts a program under the shim.
 */
#ifndef HOMING_AGENT_CTL_EXEC_H
#define HOMING_AGENT_CTL_EXEC_H

/* As env(1): the command was not found, or cannot be run. */
#define EXEC_NOT_FOUND  127
#define EXEC_CANNOT_RUN 126

/* Replaces this process, or returns the exit code to end with. `socket`: --socket, or NULL. */
int exec_run(char **argv, const char *socket);

#endif
