/* SPDX-License-Identifier: Apache-2.0
 *
 * barred.h - users that have sent what can only be meant to hang us, or that leave no room to others,
 * and may not connect for a while.
 *
 * A user is a uid, or a uid in one network namespace. Of uid 0 every container has one: there it is the
 * control group of the process, and where that cannot be seen, nobody is barred. Where the file system has
 * access control lists, the socket's own keeps a barred uid out, so that it costs nothing any more.
 * Otherwise, and for who is barred in one place, the owner of the socket asks barred_has() for each that
 * it accepts.
 */
#ifndef HOMING_AGENT_BASE_BARRED_H
#define HOMING_AGENT_BASE_BARRED_H

#include <stdbool.h>
#include <sys/socket.h>

#include "agent/base/loop.h"
#include "agent/base/sockpath.h"

/* Users at once; one more takes the place of the oldest. */
#define BARRED_MAX 32
/* For how long, from the last time: who has sent what would hang us, and who was merely too many. */
#define BARRED_MS       600000
#define BARRED_FLOOD_MS 60000

struct barred;

/* `sock` stays the caller's; its socket has the mode 0666. NULL: out of memory. */
struct barred *barred_new(struct loop *loop, const struct sockpath *sock);
void barred_free(struct barred *barred); /* NULL is allowed */

/* Bars this user from now on; `why` is for the log. He is never let in earlier than was said before. */
void barred_add(struct barred *barred, const struct ucred *user, uint64_t for_ms, const char *why);

/* Where a process of root is, as its control group; 0: that cannot be seen. */
uint64_t barred_place(pid_t pid);

/* The same of the process that has connected this socket. 0 also if it has ended: its number may be another one's
 * by now, who is not to be barred for it. */
uint64_t barred_place_of(int fd, pid_t pid);

/* The place of any other user who comes from the network namespace `netns` (0: that is not known): 0 in that of `sock`,
 * else `netns`. */
uint64_t barred_place_in(struct barred *barred, uint64_t netns);

/* As barred_add(), of whom the place is known: by now the process may have ended. Of another user than root, 0 is
 * everywhere. */
void barred_add_at(struct barred *barred, const struct ucred *user, uint64_t place, uint64_t for_ms,
                   const char *why);

/* Bars him in the network namespace `netns` of his connection, as other containers have the same uid; root as by
 * barred_add(). In that of `sock`, if it is not known, or if he is barred in BARRED_PLACES others for as long: everywhere. */
#define BARRED_PLACES 2
void barred_add_from(struct barred *barred, const struct ucred *user, uint64_t netns,
                     uint64_t for_ms, const char *why);

/* `sock` holds another socket than before: it keeps the same users out. */
void barred_renew(struct barred *barred);

/* `netns`: that of the connection; 0: whoever is barred is so everywhere. */
bool barred_has(const struct barred *barred, const struct ucred *user, uint64_t netns);

#endif
