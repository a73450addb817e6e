/* SPDX-License-Identifier: Apache-2.0
 *
 * permit.h - sees to it that homing-sever has this process' permit (proto/permit.h).
 *
 * One pass: a managed connect calls permit_renew(). If the same homing-sever still has the permit,
 * nothing is to be done. Else one thread hands over anew (handover.h). Then the caller writes its
 * tag (tags.h). Whatever fails costs severing, and nothing else.
 *
 * 1. Only the process that has set up this memory writes into it. A forked child sets up its own, with
 *    the tags of what it has inherited. A vforked child leaves its parent's alone.
 * 2. One descriptor outlives a call. It is only looked at. It is closed if it is still ours: when it
 *    is replaced, and by a forked child that has handed over itself.
 * 3. No thread waits: while one hands over, others go on. If it never comes to the end of that,
 *    another one hands over a second later.
 */
#ifndef HOMING_SHIM_PERMIT_PERMIT_H
#define HOMING_SHIM_PERMIT_PERMIT_H

#include "shim/permit/tags.h"

/* Makes sure, as far as possible now, that tags can be written and that homing-sever has the
 * permit, and that it speaks for the user and the network namespace of the socket `fd`, unless
 * that is tagged already. `cookie` is the socket's; 0: it is not to be tagged. `instance` names the
 * homing-sever that the view tells of; 0: there is none. Returns this process' tags; NULL: it
 * cannot be severed. Changes errno. */
struct tags *permit_renew(int fd, uint64_t cookie, uint64_t instance, uint64_t now_ms);

/* This process' tags, without a look at the permit. NULL: it has none, and can have none. Changes
 * errno. */
struct tags *permit_ready(void);

/* As permit_renew(), for connections that are there. True: that homing-sever has the permit. */
bool permit_hold(uint64_t instance, uint64_t now_ms);

/* What permit_renew() has returned last; NULL: nothing, or it was not called yet. Changes errno. */
struct tags *permit_tags(void);

/* Whether there are tags that `wanted` wants to be handed over: this process' own, or those that it has
 * inherited, if `instance` does not have them by the permit of which it has inherited the connection. */
bool permit_matters(uint64_t instance, uint64_t now_ms, tags_wanted_fn *wanted, const void *arg);

/* The tag of descriptor `fd` goes if it is the socket's, be it one that the parent has written before
 * it forked. False: the tags are another process'. Changes errno. */
bool permit_untag(int fd);

#endif
