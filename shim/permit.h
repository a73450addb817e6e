/* SPDX-License-Identifier: Apache-2.0
 *
 * permit.h - hands over the permit to sever, and tags connections: proto/permit.h has the contract.
 *
 * One pass: a managed connect calls permit_renew(). If what was left open is still there and the
 * same homing-sever holds it: nothing to do. Else one thread hands over anew, without ever waiting.
 * Then permit_tag() writes the tag.
 *
 * 1. A process that is not the one this memory was set up by writes nothing: a forked child finds
 *    the state wiped and sets up its own, a vforked one leaves its parent's alone.
 * 2. One descriptor outlives a call. It is only looked at, and closed when it is replaced and was
 *    found to be still ours.
 * 3. Tags outlive a hand-over: they move into the new memory.
 * 4. No lock, no wait; whatever fails costs severing, nothing else.
 */
#ifndef HOMING_SHIM_PERMIT_H
#define HOMING_SHIM_PERMIT_H

#include <stdbool.h>

#include "proto/permit.h"

struct permit;

/* Makes sure that tags can be written and that homing-sever has the permit, as far as it can be had
 * now. `instance`: of the homing-sever that the view names, 0: none. NULL: this process is not to
 * be severed, or cannot be. Changes errno. */
struct permit *permit_renew(uint64_t instance, uint64_t now_ms);

/* What the last one gave, if there was one. */
struct permit *permit_known(void);

/* Tags the socket `fd`. False: it is tagged already, and that was left as it is; `anew` writes over
 * it. `permit` NULL: nothing, as below. Changes errno, as those below do. */
bool permit_tag(struct permit *permit, int fd, uint64_t endpoint, uint64_t generation,
                uint64_t now_ms, bool anew);
void permit_untag(struct permit *permit, int fd);

void permit_count(struct permit *permit, enum tag_count what);

#endif
