/* SPDX-License-Identifier: Apache-2.0
 *
 * heirs.c - see heirs.h.
 */
#include "config.h"

#include "agent/decide/succession.h"
#include "tests/support/heirs.h"
#include "tests/support/test.h"

struct report *says(uint32_t member)
{
    return &story.members[member].says;
}

const struct topo_member *at(uint32_t member)
{
    return &story.c.topo.at[member];
}

bool is_heir(uint32_t member)
{
    return succession_is_heir(verdict, says(member)->self);
}

void follow(uint32_t member, uint64_t self)
{
    is_reader(member);
    says(member)->follows = self;
}

void claim(uint32_t member)
{
    is_writer(member, 0);
    says(member)->follows = 0;
}

void has(uint32_t member, uint64_t position)
{
    says(member)->position = position;
}

void claims_now(uint32_t member)
{
    claim(member);
    hears(member);
}

void dies(uint32_t member)
{
    breaks(member);
    reports(member, REPORT_REFUSED);
}

static void configure(void)
{
    story_configure(3);
    for (uint32_t m = 0; m < 3; m++) {
        says(m)->self = SELF(m);
        has(m, 100);
    }
}

int set_up_unheard(void **state)
{
    (void)state;
    configure();
    story_start(NULL);
    return 0;
}

int set_up(void **state)
{
    set_up_unheard(state);
    claim(A);
    follow(B, SELF(A));
    follow(C, SELF(A));
    run_for(200);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
    assert_int_equal(verdict->since_ms + 150, story.now_ms);
    story_forget();
    return 0;
}

void crash(void)
{
    has(A, 120);
    has(B, 118);
    has(C, 118);
    run_for(100);
    dies(A);
}

int set_up_succeeded(void **state)
{
    set_up(state);
    crash();
    claims_now(B);
    assert_verdict(B, CLUSTER_STEADY, REASON_SUCCEEDED);
    story_forget();
    return 0;
}

void assert_epoch(struct term term, uint64_t epoch)
{
    assert_int_equal(term.hi, 0);
    assert_int_equal(term.lo, epoch);
}

void detach(uint32_t member, uint64_t ms)
{
    follow(member, 0);
    run_for(ms);
}
