/* SPDX-License-Identifier: Apache-2.0
 *
 * permit.h - sees to it that homing-sever has this process' permit (proto/permit.h).
 *
 * One pass: a managed connect calls permit_renew(). If the same homing-sever still has the permit,
 * nothing is to be done. Else one thread hands over anew (handover.h). Then the caller writes its
 * tag (tags.h). Whatever fails costs severing, and nothing else.
 *
 * 1. Only the process that has set up this memory writes into it. A forked child finds it zeroed
 *    and sets up its own; a vforked child leaves its parent's alone.
 * 2. One descriptor outlives a call. It is only looked at, and when it is replaced, it is closed if
 *    it is still ours.
 * 3. No thread waits: while one hands over, others go on. If it is killed then, none does again.
 */
#ifndef HOMING_SHIM_PERMIT_PERMIT_H
#define HOMING_SHIM_PERMIT_PERMIT_H

#include "shim/permit/tags.h"

/* Makes sure, as far as possible now, that tags can be written and that homing-sever has the
 * permit. `instance` names the homing-sever that the view tells of; 0: there is none. Returns this
 * process' tags; NULL: it is not to be severed, or cannot be. Changes errno. */
struct tags *permit_renew(uint64_t instance, uint64_t now_ms);

/* What permit_renew() has returned last; NULL: nothing, or it was not called yet. Changes errno. */
struct tags *permit_tags(void);

#endif
