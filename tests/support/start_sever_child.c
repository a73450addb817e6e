/* SPDX-License-Identifier: Apache-2.0
 *
 * start_sever_child.c - does what homingd does about homing-sever when it starts, and ends:
 * start_sever_child RUN_DIR. Its exit code: 0, or what sever_child_start() said, without its sign.
 */
#include "config.h"

#include <stdio.h>

#include "agent/base/privilege.h"
#include "agent/sever/client/sever_child.h"

int main(int argc, char **argv)
{
    int rv = argc == 2 ? sever_child_start(argv[1], true) : -22;

    if (rv == 0)
        rv = privilege_keep(0);
    return -rv;
}
