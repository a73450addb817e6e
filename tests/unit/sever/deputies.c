/* SPDX-License-Identifier: Apache-2.0
 *
 * deputies.c - processes that may hang: they are kept, replaced, charged to who makes them hang, and do nothing more once
 * they are given up. Real processes, that wait for a pipe; the kernel's word on that, the clock and SIGKILL are stood in for.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/process.h"
#include "agent/sever/deputy/deputies.h"
#include "tests/support/test.h"

enum {
    PIECES = 8,
    ALICE = 1001,
    BOB = 1002,
    CAROL = 1003,
    DAVE = 1004,
    STEP_MS = 20,  /* from one look at the clock to the next */
    SHORT_MS = 100 /* a wait that is an accident */
};

/* What deputies have done, for all to see. */
struct done {
    _Atomic int times[PIECES];
    _Atomic int by[PIECES];
    _Atomic int waiting[PIECES]; /* pids */
    bool waits[PIECES];          /* for the pipe */
};

static struct done *done;
static struct deputies deputies;
static int reading, writing; /* the pipe */
static uint64_t clock_ms, clock_end_ms;
static bool immortal, no_processes;
static struct deputy_owner owners[PIECES];

char __wrap_process_state(pid_t pid);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret_now);
pid_t __real_fork(void);
pid_t __wrap_fork(void);
int __real_kill(pid_t pid, int signo);
int __wrap_kill(pid_t pid, int signo);

char __wrap_process_state(pid_t pid)
{
    for (int i = 0; i < PIECES; i++)
        if (atomic_load(&done->waiting[i]) == pid)
            return 'D';
    return 'R';
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ret_now)
{
    (void)id;
    clock_ms += clock_ms < clock_end_ms ? STEP_MS : 0;
    *ret_now = (struct timespec){(time_t)(clock_ms / 1000), (long)(clock_ms % 1000 * 1000000)};
    return 0;
}

pid_t __wrap_fork(void)
{
    if (!no_processes)
        return __real_fork();
    errno = EAGAIN;
    return -1;
}

int __wrap_kill(pid_t pid, int signo)
{
    return immortal ? 0 : __real_kill(pid, signo);
}

/* ---- the scene ---- */

static int work_there(struct deputy_desk *desk, int fd, int none)
{
    char byte;
    int i;

    (void)none;
    while ((i = deputy_take(desk)) >= 0) {
        atomic_fetch_add(&done->times[i], 1);
        atomic_store(&done->by[i], getpid());
        if (!done->waits[i])
            continue;
        atomic_store(&done->waiting[i], getpid());
        (void)!read(fd, &byte, 1);
    }
    return getpid();
}

static struct deputy_owner owner_of(const void *arg, uint32_t piece)
{
    (void)arg;
    return owners[piece];
}

/* The first time that it was seen to be tried, each piece is of its own connection. Returns who was done last. */
static int work(uint32_t count, struct deputy_piece *pieces)
{
    static uint64_t connections;
    struct deputy_work w = {.fn = work_there,
                            .fd = reading,
                            .second = -1,
                            .bytes = "",
                            .owner = owner_of,
                            .pieces = pieces,
                            .count = count};

    memset(pieces, 0, count * sizeof(*pieces));
    for (uint32_t i = 0; i < count; i++)
        pieces[i].what = ++connections;
    assert_int_equal(deputies_run(&deputies, &w), 0);
    return w.answer;
}

static void let_go(void)
{
    close(writing);
    writing = -1;
}

static void limit(uint32_t of_owner, uint32_t of_uid, uint32_t max)
{
    deputies_init(&deputies, (struct deputies_limits){of_owner, of_uid, max});
}

static int rig_setup(void **state)
{
    int ends[2];
    void *shared =
        mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    (void)state;
    if (shared == MAP_FAILED || pipe(ends))
        return -1;
    done = shared;
    reading = ends[0];
    writing = ends[1];
    clock_ms = 1000;
    clock_end_ms = UINT64_MAX;
    immortal = no_processes = false;
    memset(owners, 0, sizeof(owners));
    limit(2, 4, 8);
    return 0;
}

/* All of its children have ended afterwards. */
static int rig_teardown(void **state)
{
    (void)state;
    if (writing >= 0)
        let_go();
    immortal = false;
    deputies_done(&deputies);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    close(reading);
    return munmap(done, sizeof(*done));
}

/* ---- tests ---- */

static void one_deputy_does_all_that_does_not_hang(void **state)
{
    struct deputy_piece pieces[PIECES];
    int first = work(PIECES, pieces), second = work(PIECES, pieces);

    (void)state;
    assert_int_not_equal(first, getpid());
    assert_int_equal(first, second);
    for (int i = 0; i < PIECES; i++) {
        assert_int_equal(done->times[i], 2);
        assert_int_equal(done->by[i], first);
        assert_int_equal(pieces[i].fate, DEPUTY_TRIED);
    }
}

static void after_a_rest_it_is_another_one(void **state)
{
    struct deputy_piece pieces[1];
    int first = work(1, pieces);

    (void)state;
    deputies_rest(&deputies);
    (void)waitpid(first, NULL, 0); /* if that was not done yet */
    assert_int_not_equal(work(1, pieces), first);
}

static void one_that_was_killed_is_replaced(void **state)
{
    struct deputy_piece pieces[1];
    int first = work(1, pieces);

    (void)state;
    __real_kill(first, SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t)first, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
    assert_int_not_equal(work(1, pieces), first);
    assert_int_equal(pieces[0].fate, DEPUTY_TRIED);
}

static void one_that_hangs_is_replaced_and_what_it_had_left_is_done(void **state)
{
    struct deputy_piece pieces[4];

    (void)state;
    done->waits[1] = true;
    immortal = true;
    work(4, pieces);
    assert_int_equal(done->by[0], done->by[1]);
    assert_int_not_equal(done->by[2], done->by[1]);
    assert_int_equal(done->by[3], done->by[2]);
    assert_int_equal(pieces[1].fate, DEPUTY_STUCK);
    assert_int_equal(pieces[2].fate, DEPUTY_TRIED);
    assert_true(deputies_hang(&deputies, pieces[1].ticket));
}

/* SIGKILL does not reach it before the kernel lets it go, and here not even then. */
static void one_that_was_given_up_does_nothing_more_when_it_goes_on(void **state)
{
    struct deputy_piece pieces[4];

    (void)state;
    done->waits[1] = true;
    immortal = true;
    work(4, pieces);
    int hung = done->by[1];
    let_go();
    assert_int_equal(waitid(P_PID, (id_t)hung, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(done->times[i], 1);
    assert_int_not_equal(done->by[2], hung);
    assert_false(deputies_hang(&deputies, pieces[1].ticket));
}

static void work_that_is_taken_back_has_no_further_pieces(void **state)
{
    static struct deputy_desk desk = {.count = 3, .pieces = {4, 5, 6}};

    (void)state;
    struct deputy deputy = {.desk = &desk};
    assert_int_equal(deputy_take(&desk), 4);
    assert_int_equal(deputy_stop(&deputy), 1);
    assert_int_equal(deputy_take(&desk), -1);
}

/* The second piece lets the first one go on: they wait together. */
static int wait_for_second(struct deputy_desk *desk, int fd, int none)
{
    int i;

    (void)fd, (void)none;
    while ((i = deputy_take(desk)) >= 0) {
        atomic_fetch_add(&done->times[i], 1);
        if (i == 0)
            atomic_store(&done->waiting[i], getpid());
        while (i == 0 && !atomic_load(&done->times[1]))
            usleep(1000);
    }
    return 0;
}

static void one_that_comes_back_soon_is_on_nobodys_account(void **state)
{
    struct deputy_piece pieces[3] = {{.what = 901}, {.what = 902}, {.what = 903}};
    struct deputy_work w = {.fn = wait_for_second,
                            .fd = -1,
                            .second = -1,
                            .bytes = "",
                            .owner = owner_of,
                            .pieces = pieces,
                            .count = 3};

    (void)state;
    limit(1, 4, 8);
    owners[0].uid = owners[2].uid = ALICE; /* her second one is tried after all */
    clock_end_ms = clock_ms + SHORT_MS;
    assert_int_equal(deputies_run(&deputies, &w), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pieces[i].fate, DEPUTY_TRIED);
        assert_int_equal(done->times[i], 1);
    }
}

static void an_owner_has_so_many_and_the_others_are_served(void **state)
{
    struct deputy_piece pieces[4], again[1];

    (void)state;
    immortal = true;
    for (int i = 0; i < 3; i++) {
        owners[i].uid = ALICE;
        done->waits[i] = true;
    }
    owners[3].uid = BOB;
    work(4, pieces);
    assert_int_equal(pieces[0].fate, DEPUTY_STUCK);
    assert_int_equal(pieces[1].fate, DEPUTY_STUCK);
    assert_int_equal(pieces[2].fate, DEPUTY_OWES);
    assert_int_equal(done->times[2], 0);
    assert_int_equal(pieces[3].fate, DEPUTY_TRIED);
    assert_true(deputies_tell(&deputies, owners[0]));
    assert_false(deputies_tell(&deputies, owners[0]));
    let_go();
    for (int i = 0; i < 2; i++)
        assert_int_equal(waitid(P_PID, (id_t)done->by[i], &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
    work(1, again); /* she owes nothing any more */
    assert_int_equal(again[0].fate, DEPUTY_TRIED);
}

static void what_one_hangs_on_is_not_tried_again(void **state)
{
    struct deputy_piece piece = {.what = 77};
    struct deputy_work w = {.fn = work_there,
                            .fd = reading,
                            .second = -1,
                            .bytes = "",
                            .owner = owner_of,
                            .pieces = &piece,
                            .count = 1};

    (void)state;
    immortal = true;
    done->waits[0] = true;
    assert_int_equal(deputies_run(&deputies, &w), 0);
    uint64_t ticket = piece.ticket;
    piece = (struct deputy_piece){.what = 77};
    assert_int_equal(deputies_run(&deputies, &w), 0);
    assert_int_equal(piece.fate, DEPUTY_STUCK);
    assert_int_equal(piece.ticket, ticket);
    assert_int_equal(done->times[0], 1);
}

/* Places are cheap: who makes network namespaces without end has no more than so many at all of them. */
static void a_user_has_no_more_at_many_places(void **state)
{
    struct deputy_piece pieces[6];

    (void)state;
    immortal = true;
    for (int i = 0; i < 5; i++) {
        owners[i] = (struct deputy_owner){ALICE, (uint64_t)i};
        done->waits[i] = true;
    }
    owners[5] = (struct deputy_owner){BOB, 0};
    work(6, pieces);
    assert_int_equal(pieces[3].fate, DEPUTY_STUCK);
    assert_int_equal(pieces[4].fate, DEPUTY_OWES);
    assert_int_equal(pieces[5].fate, DEPUTY_TRIED);
}

static void if_all_hang_nothing_is_tried_and_nothing_waits(void **state)
{
    static const uint32_t users[] = {ALICE, BOB, CAROL, DAVE};
    struct deputy_piece pieces[4];

    (void)state;
    limit(2, 4, 2);
    immortal = true;
    for (int i = 0; i < 4; i++) {
        owners[i].uid = users[i];
        done->waits[i] = true;
    }
    work(4, pieces);
    assert_int_equal(pieces[2].fate, DEPUTY_STUCK); /* the one more that was at work */
    assert_int_equal(pieces[3].fate, DEPUTY_NONE);
    assert_int_equal(done->times[3], 0);
}

static void without_processes_the_caller_may_try_by_itself_only_while_none_hangs(void **state)
{
    struct deputy_piece pieces[2] = {{.what = 801}, {.what = 802}};
    struct deputy_work w = {.fn = work_there,
                            .fd = reading,
                            .second = -1,
                            .bytes = "",
                            .owner = owner_of,
                            .pieces = pieces,
                            .count = 1};

    (void)state;
    no_processes = true;
    assert_int_equal(deputies_run(&deputies, &w), -EAGAIN);
    assert_int_equal(pieces[0].fate, DEPUTY_TODO);
    no_processes = false;
    immortal = true;
    done->waits[0] = true;
    assert_int_equal(deputies_run(&deputies, &w), 0);
    assert_int_equal(pieces[0].fate, DEPUTY_STUCK);
    no_processes = true;
    w.pieces = &pieces[1];
    assert_int_equal(deputies_run(&deputies, &w), 0);
    assert_int_equal(pieces[1].fate, DEPUTY_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, one_deputy_does_all_that_does_not_hang),
        TEST_IN(rig, after_a_rest_it_is_another_one),
        TEST_IN(rig, one_that_was_killed_is_replaced),
        TEST_IN(rig, one_that_hangs_is_replaced_and_what_it_had_left_is_done),
        TEST_IN(rig, one_that_was_given_up_does_nothing_more_when_it_goes_on),
        TEST_IN(rig, work_that_is_taken_back_has_no_further_pieces),
        TEST_IN(rig, one_that_comes_back_soon_is_on_nobodys_account),
        TEST_IN(rig, an_owner_has_so_many_and_the_others_are_served),
        TEST_IN(rig, what_one_hangs_on_is_not_tried_again),
        TEST_IN(rig, a_user_has_no_more_at_many_places),
        TEST_IN(rig, if_all_hang_nothing_is_tried_and_nothing_waits),
        TEST_IN(rig, without_processes_the_caller_may_try_by_itself_only_while_none_hangs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
