/* SPDX-License-Identifier: Apache-2.0
 *
 * scenarios.c - the decision alone plays the files of tests/scenarios. It hears of
 * members what the probe reports of them, and of DNS nothing.
 */
#include "config.h"

#include "tests/support/scenario.h"
#include "tests/support/story.h"
#include "tests/support/test.h"

/* How a member that does not speak is quiet: since when, and what the probe reports of it. */
static struct quiet {
    bool refuses;
    unsigned ms;
} quiet[SCENARIO_SERVERS];

static int begin(void **state)
{
    for (unsigned m = 0; m < SCENARIO_SERVERS; m++)
        quiet[m] = (struct quiet){false, 0};
    return set_up_volume(state);
}

static void has_role(unsigned member, enum role role)
{
    story.members[member].says.role = role;
    story.members[member].says.term = (struct term){0, role == ROLE_WRITER};
}

static void falls_quiet(unsigned member, bool refuses)
{
    if (refuses)
        breaks(member);
    falls_silent(member);
    quiet[member] = (struct quiet){refuses, 0};
}

static void act(enum scenario_act act, unsigned server)
{
    struct story_member *member = &story.members[server];
    if (act == ACT_WRITES)
        for (unsigned m = 0; m < SCENARIO_SERVERS; m++)
            has_role(m, m == server ? ROLE_WRITER : ROLE_READER);
    else if (act == ACT_CLAIMS_ON)
        has_role(server, ROLE_WRITER);
    else if (act == ACT_STARTS)
        has_role(server, ROLE_READER);
    if (act == ACT_STARTS)
        member->says.incarnation += 0x100;
    if (act == ACT_STARTS || act == ACT_ANSWERS_AGAIN)
        member->speaks = true;
    if (act == ACT_ENDS || act == ACT_LETS_NOBODY_IN || act == ACT_FALLS_SILENT)
        falls_quiet(server, act != ACT_FALLS_SILENT);
}

/* As the probe does with `interval` 250 ms and `timeout` 1 s. */
static void report_quiet(unsigned member, unsigned ms)
{
    struct quiet *it = &quiet[member];
    if (story.members[member].speaks)
        return;
    it->ms += ms;
    if (it->refuses && it->ms % 500 == 0)
        reports(member, REPORT_REFUSED);
    else if (!it->refuses && it->ms == 250)
        reports(member, REPORT_LATE);
    else if (!it->refuses && it->ms % 1000 == 0)
        reports(member, REPORT_TIMEOUT);
}

static void run(unsigned ms)
{
    for (; ms > 0; ms -= STORY_STEP_MS) {
        run_for(STORY_STEP_MS);
        for (unsigned m = 0; m < SCENARIO_SERVERS; m++)
            report_quiet(m, STORY_STEP_MS);
    }
}

static unsigned writer(void)
{
    return verdict->writer;
}

static enum cluster_state state_now(void)
{
    return verdict->state;
}

int main(void)
{
    static const struct scenario_player player = {
        .begin = begin, .act = act, .run = run, .writer = writer, .state = state_now};
    return scenario_play_all(&player);
}
