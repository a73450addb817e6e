/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_child.h - starts homing-sever where homingd may, so that a plain homingd severs, too.
 *
 * Called once by main.c, before homingd drops its capabilities. Later homingd cannot start one, and
 * tells the operator how to.
 */
#ifndef HOMING_AGENT_SEVER_CLIENT_SEVER_CHILD_H
#define HOMING_AGENT_SEVER_CLIENT_SEVER_CHILD_H

#include <stdbool.h>

/* Starts homing-sever for this run directory if this process has CAP_NET_ADMIN and none answers. It
 * is found beside this program's own file: in ../libexec/homing/, or in the same directory. It
 * outlives homingd. 0: started, or there is one, or we may not; or negative errno. */
int sever_child_start(const char *run_dir, bool json_log);

#endif
