/* SPDX-License-Identifier: Apache-2.0
 *
 * process.h - what /proc tells of another process.
 *
 * A pid alone names a process only until it ends: then another one may have the number. Together with
 * when it was started, it names one process.
 */
#ifndef HOMING_AGENT_BASE_PROCESS_H
#define HOMING_AGENT_BASE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/inet_address.h"

/* When it was started, in the kernel's ticks since its own start. 0: it is not there, or /proc does not
 * show it to this process. */
uint64_t process_started(pid_t pid);

/* Whether this process has ended, or its number is another one's by now. If /proc does not show who has the
 * number, it counts as the same as long as anybody has it. */
bool process_is_over(pid_t pid, uint64_t started);

/* Its state, as ps(1) has it: 'D' if it waits where no signal reaches it. 0: it is not there, or /proc does not
 * show it. */
char process_state(pid_t pid);

/* The name of its program, cut to 15 bytes; "" if /proc does not show it. */
#define PROCESS_NAME_SIZE 16
void process_name(pid_t pid, char ret_name[PROCESS_NAME_SIZE]);

/* Calls `fn` for each that /proc shows. False: it shows none. */
typedef void process_fn(void *arg, pid_t pid);
bool process_each(process_fn *fn, void *arg);

/* The number of its network namespace; 0: it is not shown. */
uint64_t process_netns(pid_t pid);

/* A TCP connection of some process in that network namespace, as the kernel lists it: one that is being made or that
 * stands, at least to one side. */
struct process_connection {
    struct inet_address peer;
    uint32_t uid;
    uint32_t inode; /* of its socket */
};
typedef void process_connection_fn(void *arg, const struct process_connection *connection);
void process_each_connection(pid_t pid, process_connection_fn *fn, void *arg);

/* A socket, and who has it open. */
struct process_socket {
    uint32_t inode;
    pid_t pid; /* one of them; 0: nobody that /proc shows */
};

/* Fills in the pids, from the descriptors of all processes. Returns of how many processes /proc does not
 * show them to this one. The sockets are sorted afterwards, by inode. */
uint32_t process_find_sockets(struct process_socket *sockets, uint32_t count);

/* Whether it has mapped a file with this name, without its folder. */
bool process_has_mapped(pid_t pid, const char *name);

/* Whether a filter of system calls is upon it. */
bool process_is_filtered(pid_t pid);

/* Whether it has called chroot(). Its root directory itself is not asked: whoever serves that might never answer. */
bool process_is_chrooted(pid_t pid);

/* A pidfd names one process for ever, also one of a pid namespace that is not seen here. */

/* Of the process that made the other end of a Unix socket, whose pid is this, or 0 if it is not seen here. Or
 * negative errno. */
int process_open_peer(int socket, pid_t pid);

/* Of a child, whose number is nobody else's until it is waited for. It can be read when the child has ended. Or
 * negative errno. */
int process_open_child(pid_t pid);

/* Whether `fd` is a pidfd of a process that has not ended. */
bool process_is_alive(int fd);

/* Whether a process may still run, as far as the kernel tells, of which process_open_peer() returned this. If not,
 * its pid may be another one's by now. */
bool process_may_run(int opened);

/* The same for all pidfds of one process, and another one for each other process since the machine was started.
 * 0: this kernel does not tell (before Linux 6.9). */
uint64_t process_id(int fd);

#endif
