/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_place.h - where homing-sever listens, where its file is, and how an operator starts it.
 *
 * homingd starts one itself only before it drops its capabilities (sever_child.h). Later it can but say how.
 */
#ifndef HOMING_AGENT_SEVER_CLIENT_SEVER_PLACE_H
#define HOMING_AGENT_SEVER_CLIENT_SEVER_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/un.h>

#include "agent/sever/client/lost.h"

/* Its socket for this run directory. False: too long for a socket's name. */
bool sever_place_address(const char *run_dir, struct sockaddr_un *ret_at);

/* Its file. -ENOENT: there is none beside this program's own, in ../libexec/homing/ or the same directory. */
int sever_place_find(char ret_path[PATH_MAX]);

/* What an operator types as root to have one that this process can use: its service, if there is one for
 * this run directory, or else the program itself, as this process' user. "": it is not installed. */
void sever_place_command(const char *run_dir, char ret_command[LOST_COMMAND]);

#endif
