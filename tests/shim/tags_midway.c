/* SPDX-License-Identifier: Apache-2.0
 *
 * tags_midway.c - one thread is stopped at each instruction of what it does to the tags, and another
 * one does something to them meanwhile, from its beginning to its end. Afterwards each tag is as it
 * was last written or cleared. All of it happens within one tick of the clock.
 */
#include "config.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/permit/tags.h"
#include "tests/support/stepped.h"
#include "tests/support/test.h"

enum {
    TAGGED = 3,   /* the descriptor in question */
    BESIDE = 2,   /* another one, whose tag nobody touches */
    FAR = 1500,   /* one for which more of the memory has to be mapped */
    UNTAGGED = 1, /* one that was never tagged */
    FIRST = 33,
    NEW = 44,
    TICK = 100
};

static struct tags tags;
static uint64_t claim;
static int file;
static uint32_t slots;

static void write_tag(int fd, uint64_t cookie)
{
    tags_write(&tags, fd, &(struct tags_tag){cookie, 7, cookie, TICK});
}

static void start(void)
{
    tags = (struct tags){0};
    write_tag(BESIDE, 22);
    write_tag(TAGGED, FIRST);
    claim = tags_claim(&tags, false);
    file = tags_open(&tags, &slots);
}

static void move(void)
{
    if (!tags_move(&tags, claim, file, slots))
        _exit(9);
}

static void write_new(void)
{
    write_tag(TAGGED, NEW);
}

static void write_untagged(void)
{
    write_tag(UNTAGGED, NEW);
}

static void clear(void)
{
    tags_write(&tags, TAGGED, &(struct tags_tag){0});
}

static void write_again_and_clear(void)
{
    write_new();
    clear();
}

static void clear_and_write(void)
{
    clear();
    write_new();
}

static void reach_far(void)
{
    write_tag(FAR, NEW);
}

static void reach_far_and_clear(void)
{
    reach_far();
    clear();
}

/* What is done, what is done meanwhile, and the cookies that there are afterwards. */
struct midway {
    void (*stopped)(void);
    void (*meanwhile)(void);
    uint64_t tagged, untagged, far;
};

static const struct midway *it;

static bool slot_is(int fd, uint64_t cookie)
{
    const struct tag_memory *now =
        (struct tag_memory *)(atomic_load(&tags.place) & ~0xff00000000000fffull);
    const struct tag *slot = &now->slots[fd];

    if (tags_cookie(&tags, fd) != cookie)
        return false;
    return cookie == 0 ||
           (atomic_load(&slot->endpoint) == 7 && atomic_load(&slot->generation) == cookie &&
            atomic_load(&slot->since_ms) == TICK);
}

static bool all_is_as_last_written(void)
{
    return slot_is(BESIDE, 22) && slot_is(TAGGED, it->tagged) && slot_is(UNTAGGED, it->untagged) &&
           (it->far == 0 || slot_is(FAR, it->far));
}

static void assert_midway(const struct midway *what)
{
    it = what;
    stepped_assert(&(struct stepped){start, what->stopped, what->meanwhile, all_is_as_last_written,
                                     .parts = 0});
}

static void a_tag_that_is_written_while_the_tags_move_stays(void **test)
{
    (void)test;
    assert_midway(&(struct midway){move, write_new, .tagged = NEW});
}

static void a_first_tag_that_is_written_while_the_tags_move_stays(void **test)
{
    (void)test;
    assert_midway(&(struct midway){move, write_untagged, .tagged = FIRST, .untagged = NEW});
}

static void a_tag_that_is_cleared_while_the_tags_move_does_not_come_back(void **test)
{
    (void)test;
    assert_midway(&(struct midway){move, clear, .tagged = 0});
}

static void what_was_done_last_counts(void **test)
{
    (void)test;
    assert_midway(&(struct midway){move, write_again_and_clear, .tagged = 0});
    assert_midway(&(struct midway){move, clear_and_write, .tagged = NEW});
}

static void more_may_be_mapped_while_the_tags_move(void **test)
{
    (void)test;
    assert_midway(&(struct midway){move, reach_far, .tagged = FIRST, .far = NEW});
    assert_midway(&(struct midway){move, reach_far_and_clear, .tagged = 0, .far = NEW});
}

static void the_tags_may_move_while_one_is_written(void **test)
{
    (void)test;
    assert_midway(&(struct midway){write_new, move, .tagged = NEW});
    assert_midway(&(struct midway){write_untagged, move, .tagged = FIRST, .untagged = NEW});
}

static void the_tags_may_move_while_one_is_cleared(void **test)
{
    (void)test;
    assert_midway(&(struct midway){clear, move, .tagged = 0});
}

static void the_tags_may_move_or_change_while_more_is_mapped(void **test)
{
    (void)test;
    assert_midway(&(struct midway){reach_far, move, .tagged = FIRST, .far = NEW});
    assert_midway(&(struct midway){reach_far, write_new, .tagged = NEW, .far = NEW});
    assert_midway(&(struct midway){reach_far, clear, .tagged = 0, .far = NEW});
}

/* As a forked child can, which has it mapped, too. */
static void child_that_moves(void)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(77);
    raise(SIGSTOP);
    move();
    raise(SIGSTOP);
    _exit(0);
}

static void a_move_comes_to_its_end_while_another_process_writes_a_tag_for_ever(void **test)
{
    enum {
        STEPS = 200000
    };
    int status, steps = 0;

    (void)test;
    if (!STEP_TESTS)
        skip();
    start();
    struct tag *slot = &place_at(atomic_load(&tags.place))->slots[TAGGED];
    pid_t pid = fork();
    if (pid == 0)
        child_that_moves();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status))
        skip();
    do {
        atomic_fetch_add(&slot->since_ms, 1);
        status = stepped_next(pid, true, 0);
    } while (!stepped_stops_itself(status) && WIFSTOPPED(status) && ++steps < STEPS);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(file);
    assert_true(stepped_stops_itself(status));
    assert_in_range(steps, 1, STEPS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tag_that_is_written_while_the_tags_move_stays),
        TEST(a_first_tag_that_is_written_while_the_tags_move_stays),
        TEST(a_tag_that_is_cleared_while_the_tags_move_does_not_come_back),
        TEST(what_was_done_last_counts),
        TEST(more_may_be_mapped_while_the_tags_move),
        TEST(the_tags_may_move_while_one_is_written),
        TEST(the_tags_may_move_while_one_is_cleared),
        TEST(the_tags_may_move_or_change_while_more_is_mapped),
        TEST(a_move_comes_to_its_end_while_another_process_writes_a_tag_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
