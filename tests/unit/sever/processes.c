/* SPDX-License-Identifier: Apache-2.0
 *
 * processes.c - which permits are one process': what the chains say is what a walk through all of them says.
 */
#include "config.h"

#include <string.h>

#include "agent/sever/permits/processes.h"
#include "tests/support/dice.h"
#include "tests/support/test.h"

enum {
    MOST = 64,
    STEPS = 5000
};

static struct processes processes;
static struct permit permits[MOST]; /* the newest last */
static struct permit *held[MOST];
static uint32_t count;

/* Some share a chain, some a pid, as of one that has ended, and some are not seen. */
static void roll_process(uint64_t *dice, struct permit *ret_permit)
{
    static const pid_t pids[] = {0, 7, 7 + PROCESSES_CHAINS, 8};

    ret_permit->pid = pids[dice_roll(dice, 4)];
    ret_permit->started = ret_permit->pid ? dice_roll(dice, 3) : 0;
    ret_permit->process_id =
        dice_roll(dice, 2) ? (uint64_t)ret_permit->pid * 8 + ret_permit->started + 1 : 0;
}

static void come(uint64_t *dice)
{
    struct permit *permit = permits;

    while (permit->number)
        permit++;
    *permit = (struct permit){.number = 1};
    roll_process(dice, permit);
    processes_add(&processes, permit);
    held[count++] = permit;
}

static void go(uint64_t *dice)
{
    uint32_t i = dice_roll(dice, count);

    processes_remove(&processes, held[i]);
    held[i]->number = 0;
    memmove(held + i, held + i + 1, (--count - i) * sizeof(*held));
}

static void assert_the_same(const struct permit *of)
{
    const struct permit *permit = processes_newest(&processes, of);

    for (uint32_t i = count; i-- > 0;) {
        if (!processes_are_same(held[i], of))
            continue;
        assert_ptr_equal(permit, held[i]);
        permit = processes_before(permit, of);
    }
    assert_null(permit);
}

static void chains_say_what_a_walk_through_all_says(void **state)
{
    uint64_t dice = 1;

    (void)state;
    for (int i = 0; i < STEPS; i++) {
        struct permit of = {.number = 0};

        if (count < MOST && (count == 0 || dice_roll(&dice, 2)))
            come(&dice);
        else
            go(&dice);
        roll_process(&dice, &of);
        assert_the_same(&of);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(chains_say_what_a_walk_through_all_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
