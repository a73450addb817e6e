/* SPDX-License-Identifier: Apache-2.0
 *
 * notify.h - tells the service manager how homingd is, and gives it homing-sever's descriptors
 * to keep: sd_notify(3) without its library.
 */
#ifndef HOMING_AGENT_BASE_NOTIFY_H
#define HOMING_AGENT_BASE_NOTIFY_H

#include <stdint.h>

/* Sends lines such as "READY=1", "STOPPING=1" or "WATCHDOG=1" to $NOTIFY_SOCKET. 0: sent, or there
 * is no such variable. Never waits. -EAGAIN or another -errno: not sent, and nothing needs to be
 * done about it. */
int notify_send(const char *lines);

/* The same with descriptors, such as "FDSTORE=1\nFDNAME=x". They stay the caller's. */
#define NOTIFY_FDS_MAX 4
int notify_send_fds(const char *lines, const int *fds, uint32_t count);

#endif
