/* SPDX-License-Identifier: Apache-2.0
 *
 * notify.h - tells the service manager how homingd is: sd_notify(3) without its library.
 */
#ifndef HOMING_AGENT_BASE_NOTIFY_H
#define HOMING_AGENT_BASE_NOTIFY_H

/* Sends lines such as "READY=1", "STOPPING=1" or "WATCHDOG=1" to $NOTIFY_SOCKET. 0: sent, or nobody
 * asked. Never waits: -EAGAIN, or -errno, which is nothing to act upon. */
int notify_send(const char *lines);

#endif
