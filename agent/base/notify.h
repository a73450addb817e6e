/* SPDX-License-Identifier: Apache-2.0
 *
 * notify.h - tells the service manager how homingd is: sd_notify(3) without its library.
 */
#ifndef HOMING_AGENT_BASE_NOTIFY_H
#define HOMING_AGENT_BASE_NOTIFY_H

/* Sends lines such as "READY=1", "STOPPING=1" or "WATCHDOG=1" to $NOTIFY_SOCKET. 0: sent, or there
 * is no such variable. Never waits. -EAGAIN or another -errno: not sent, and nothing needs to be
 * done about it. */
int notify_send(const char *lines);

#endif
