/* SPDX-License-Identifier: Apache-2.0
 *
 * heirs.h - stories (story.h) of servers that have no term, and say whom they follow (W12).
 */
#ifndef HOMING_TESTS_SUPPORT_HEIRS_H
#define HOMING_TESTS_SUPPORT_HEIRS_H

#include "tests/support/story.h"

#define SELF(member) (11u + (member))
#define STRANGER     99u

/* What a member says, to be changed; and what the decision knows of it. */
struct report *says(uint32_t member);
const struct topo_member *at(uint32_t member);
bool is_heir(uint32_t member);

/* From now on; heard within a moment. */
void follow(uint32_t member, uint64_t self);
void claim(uint32_t member);
void has(uint32_t member, uint64_t position);
/* Now. */
void claims_now(uint32_t member);
void dies(uint32_t member);
/* For so long it follows nobody. */
void detach(uint32_t member, uint64_t ms);
/* A wrote 20 more, of which the others have 18, and is gone. */
void crash(void);

void assert_epoch(struct term term, uint64_t epoch);

/* cmocka set-ups, with three members at position 100: of which nothing is known; A writes and the
 * others follow it; after crash() B succeeded. */
int set_up_unheard(void **state);
int set_up(void **state);
int set_up_succeeded(void **state);

#endif
