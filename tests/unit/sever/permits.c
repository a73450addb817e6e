/* SPDX-License-Identifier: Apache-2.0
 *
 * permits.c - who gets in and who loses when no more permits can be held; and which restored ones end with their
 * process.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/sever/permits/guard.h"
#include "agent/sever/permits/held.h"
#include "agent/sever/permits/keep.h"
#include "agent/sever/permits/permits.h"
#include "agent/sever/permits/rights.h"
#include "agent/sever/permits/tag_memory.h"
#include "tests/support/fake_loop.h"
#include "tests/support/test.h"

enum {
    MAX = 8,
    WAIT_MS = 200, /* the kernel's longest wait for pages */
    ALICE = 1001,
    BOB = 1002,
    CAROL = 1003
};

static struct loop *loop;
static struct closer *closer;
static struct permits *permits;
static uint32_t gone;
static int keep_end;
static uint32_t asked;
static uint64_t handing_over; /* a process; 0: this one */
static uint64_t last_took_ms;
static int pins[MAX], pin_count;

/* The kernel itself is asked; it is counted how often. What takes time without a wait is this machine's
 * load, and so is what a wait takes longer than the kernel's. */
enum tag_memory_use __real_tag_memory_use(struct deputies *asking, struct deputy_owner owner,
                                          int fd, uint64_t *ret_took_ms);
enum tag_memory_use __wrap_tag_memory_use(struct deputies *asking, struct deputy_owner owner,
                                          int fd, uint64_t *ret_took_ms);

enum tag_memory_use __wrap_tag_memory_use(struct deputies *asking, struct deputy_owner owner,
                                          int fd, uint64_t *ret_took_ms)
{
    enum tag_memory_use use = __real_tag_memory_use(asking, owner, fd, ret_took_ms);

    asked++;
    if (use != TAG_MEMORY_PINNED)
        *ret_took_ms = 0;
    else if (*ret_took_ms > WAIT_MS)
        *ret_took_ms = WAIT_MS;
    last_took_ms = *ret_took_ms;
    return use;
}

static void group_gone(void *arg, struct group *group)
{
    (void)arg;
    (void)group;
    gone++;
}

static int rig_setup(void **state)
{
    (void)state;
    guard_init();
    gone = 0;
    asked = 0;
    loop = loop_new();
    closer = closer_new(loop);
    permits = permits_new(loop, closer, MAX, group_gone, NULL);
    assert_non_null(permits);
    return 0;
}

static int rig_teardown(void **state)
{
    (void)state;
    permits_free(permits);
    closer_free(closer);
    while (pin_count > 0)
        close(pins[--pin_count]);
    assert_int_equal(fake_loop_watchers(loop), 0);
    loop_free(loop);
    return 0;
}

uint64_t __real_process_id(int process);
uint64_t __wrap_process_id(int process);

uint64_t __wrap_process_id(int process)
{
    return handing_over ? handing_over : __real_process_id(process);
}

/* The program's end of its connection. Each time it is another process. */
static int hand_over(uid_t uid, uint64_t netns, int expected)
{
    static uint64_t processes = 1000;
    const struct permit_from from = {.netns = netns, .uid = uid};
    int pair[2];

    handing_over = ++processes;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(permits_add(permits, &from, pair[0], open("/dev/null", O_RDONLY | O_CLOEXEC),
                                 open("/dev/null", O_RDONLY | O_CLOEXEC)),
                     expected);
    handing_over = 0;
    return pair[1];
}

static bool is_held(int fd)
{
    struct pollfd at = {.fd = fd};

    return poll(&at, 1, 0) == 0;
}

static struct permits_figures figures(void)
{
    struct permits_figures f;

    permits_figures(permits, &f);
    return f;
}

static const struct quota_note *note_of(const struct permits_figures *f, uid_t uid)
{
    for (uint32_t i = 0; i < f->note_count; i++)
        if (f->notes[i].uid == uid)
            return &f->notes[i];
    return NULL;
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static void who_has_little_gets_in_and_who_has_the_most_loses_the_oldest(void **state)
{
    int fds[MAX + 2];

    (void)state;
    for (int i = 0; i < MAX; i++)
        fds[i] = hand_over(i % 4 == 3 ? BOB : ALICE, 1, 0);
    fds[MAX] = hand_over(CAROL, 1, 0);
    fds[MAX + 1] = hand_over(CAROL, 1, 0);
    for (int i = 0; i < MAX + 2; i++)
        assert_int_equal(is_held(fds[i]), i >= 2);
    struct permits_figures f = figures();
    assert_int_equal(f.permits, MAX);
    assert_int_equal(f.taken_away, 2);
    assert_int_equal(f.refused, 0);
    assert_int_equal(f.note_count, 1);
    assert_int_equal(note_of(&f, ALICE)->taken_away, 2);
    close_all(fds, MAX + 2);
}

static void who_has_the_most_does_not_get_in(void **state)
{
    int fds[MAX + 1];

    (void)state;
    for (int i = 0; i < MAX; i++)
        fds[i] = hand_over(i < 2 ? BOB : ALICE, 1, 0);
    fds[MAX] = hand_over(ALICE, 1, -EDQUOT);
    for (int i = 0; i < MAX; i++)
        assert_true(is_held(fds[i]));
    struct permits_figures f = figures();
    assert_int_equal(f.refused, 1);
    assert_int_equal(f.taken_away, 0);
    assert_int_equal(note_of(&f, ALICE)->refused, 1);
    assert_null(note_of(&f, BOB));
    close_all(fds, MAX + 1);
}

/* However often each of them tries. */
static void two_users_end_with_half_each_and_take_nothing_from_each_other(void **state)
{
    int fds[6 * MAX], count = 0;

    (void)state;
    while (count < MAX)
        fds[count++] = hand_over(ALICE, 1, 0);
    for (int i = 0; i < MAX / 2; i++)
        fds[count++] = hand_over(BOB, 1, 0);
    for (int i = 0; i < MAX; i++) {
        fds[count++] = hand_over(BOB, 1, -EDQUOT);
        fds[count++] = hand_over(ALICE, 1, -EDQUOT);
    }
    struct permits_figures f = figures();
    assert_int_equal(f.permits, MAX);
    assert_int_equal(f.taken_away, MAX / 2);
    assert_int_equal(permits_first_group(permits)->count, MAX / 2);
    close_all(fds, (size_t)count);
}

static void namespaces_of_one_user_share_what_he_has(void **state)
{
    int fds[MAX + 3];

    (void)state;
    for (int i = 0; i < MAX; i++)
        fds[i] = hand_over(0, i < 2 ? 1 : 2, 0);
    fds[MAX] = hand_over(0, 3, 0);
    fds[MAX + 1] = hand_over(0, 2, -EDQUOT);
    fds[MAX + 2] = hand_over(0, 3, 0);
    for (int i = 0; i < MAX; i++)
        assert_int_equal(is_held(fds[i]), i < 2 || i > 3);
    close_all(fds, MAX + 3);
}

/* One user with many namespaces has no more for that. */
static void namespaces_count_within_their_user_alone(void **state)
{
    int fds[MAX + 2];

    (void)state;
    for (int i = 0; i < MAX; i++)
        fds[i] = hand_over(ALICE, (uint64_t)i + 1, 0);
    fds[MAX] = hand_over(BOB, 1, 0);
    fds[MAX + 1] = hand_over(ALICE, 100, -EDQUOT);
    assert_int_equal(figures().taken_away, 1);
    assert_int_equal(gone, 1);
    close_all(fds, MAX + 2);
}

static void where_the_kernel_tells_of_no_namespace_it_is_the_same_between_users(void **state)
{
    int fds[MAX + 2];

    (void)state;
    for (int i = 0; i < MAX; i++)
        fds[i] = hand_over(ALICE, 0, 0);
    fds[MAX] = hand_over(BOB, 0, 0);
    fds[MAX + 1] = hand_over(ALICE, 0, -EDQUOT);
    assert_int_equal(figures().permits, MAX);
    close_all(fds, MAX + 2);
}

static void those_who_lost_the_most_are_named(void **state)
{
    int fds[MAX], other[3 * QUOTA_NOTES + 1], count = 0;

    (void)state;
    for (int i = 0; i < MAX; i++)
        fds[i] = hand_over((uid_t)(2000 + i), 1, 0);
    for (int i = 0; i < QUOTA_NOTES; i++) {
        other[count++] = hand_over((uid_t)(3000 + i), 1, -EDQUOT);
        other[count++] = hand_over((uid_t)(3000 + i), 1, -EDQUOT);
    }
    other[count++] = hand_over(4000, 1, -EDQUOT);
    struct permits_figures f = figures();
    assert_int_equal(f.note_count, QUOTA_NOTES);
    assert_non_null(note_of(&f, 4000));
    assert_int_equal(f.refused, 2 * QUOTA_NOTES + 1);
    close_all(fds, MAX);
    close_all(other, (size_t)count);
}

/* ---- what is kept ---- */

/* The other end is the supervisor's. Nobody waits for it. */
static int keep_at(void)
{
    struct timeval patience = {.tv_usec = 1000};
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
    permits_set_keep(permits, pair[0]);
    keep_end = pair[0];
    return pair[1];
}

static int hand_over_own(void)
{
    const struct permit_from from = {.netns = 1, .pid = getpid(), .uid = ALICE};
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(permits_add(permits, &from, pair[0], open("/dev/null", O_RDONLY | O_CLOEXEC),
                                 open("/dev/null", O_RDONLY | O_CLOEXEC)),
                     0);
    return pair[1];
}

static uint32_t open_descriptors(void)
{
    uint32_t n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

struct left {
    uint32_t before;
    uint32_t count;
    uint32_t most; /* descriptors at once, more than before */
    int copies[4 * MAX];
};

static void leave(void *arg, const char *name, const int *fds, uint32_t count)
{
    struct left *left = arg;

    (void)name;
    for (uint32_t i = 0; i < count; i++)
        left->copies[left->count++] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
    uint32_t more = open_descriptors() - left->before;
    left->most = more > left->most ? more : left->most;
}

static void who_leaves_all_permits_needs_no_more_descriptors_for_each(void **state)
{
    struct left left = {.count = 0};
    int fds[MAX], supervisor = keep_at();

    (void)state;
    for (int i = 0; i < MAX; i++)
        fds[i] = hand_over_own();
    left.before = open_descriptors();
    permits_leave(permits, leave, &left);
    assert_int_equal(left.count, 2 * MAX + GROUP_NETLINKS);
    assert_in_range(left.most, 1, GROUP_NETLINKS + 3); /* and those of one permit */
    assert_null(permits_first_group(permits));
    close_all(left.copies, left.count);
    close_all(fds, MAX);
    close(supervisor), close(keep_end);
}

/* What the supervisor has, by what it was told. */
static void hear(int supervisor, uint32_t *stored, uint32_t *removed)
{
    struct rights rights;
    char text[KEEP_MESSAGE];
    ssize_t n;

    *stored = *removed = 0;
    while ((n = rights_receive(supervisor, text, sizeof(text), MSG_DONTWAIT, &rights)) > 0) {
        *stored += rights.count == 2 && strstr(text, "FDNAME=permit-");
        *removed += strncmp(text, KEEP_REMOVE "permit-", strlen(KEEP_REMOVE "permit-")) == 0;
        close_all(rights.fds, rights.count);
    }
}

static void what_the_supervisor_did_not_take_is_said_after_the_pause(void **state)
{
    uint32_t stored, removed;
    int supervisor = keep_at(), first = hand_over_own(), other = hand_over_own();

    (void)state;
    hear(supervisor, &stored, &removed);
    assert_int_equal(stored, 2);
    while (send(keep_end, "", 1, MSG_DONTWAIT) == 1)
        ;
    int third = hand_over_own(), fourth = hand_over_own(); /* are not taken */
    close(first);
    assert_true(fake_loop_poll(loop));
    hear(supervisor, &stored, &removed);
    assert_int_equal(stored + removed, 0);
    close(other); /* in the pause */
    assert_true(fake_loop_poll(loop));
    fake_loop_advance(loop, 4000);
    hear(supervisor, &stored, &removed);
    assert_int_equal(stored + removed, 0);
    fake_loop_advance(loop, 2000);
    hear(supervisor, &stored, &removed);
    assert_int_equal(stored, 2);
    assert_int_equal(removed, 2);
    fake_loop_advance(loop, 20000); /* once */
    close(third);
    assert_true(fake_loop_poll(loop));
    hear(supervisor, &stored, &removed);
    assert_int_equal(stored, 0);
    assert_int_equal(removed, 1);
    close(fourth);
    permits_set_keep(permits, -1);
    close(supervisor), close(keep_end);
}

/* ---- restored ones, whose process has ended ---- */

static int new_tags(bool pinned)
{
    uint64_t head[3] = {TAG_MAGIC, TAG_VERSION, TAG_SLOTS_MIN};
    int pipes[2], fd = memfd_create("homing-tags", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    loff_t at = 0;

    assert_int_equal(ftruncate(fd, (off_t)tag_memory_size(TAG_SLOTS_MIN)), 0);
    assert_int_equal(pwrite(fd, head, sizeof(head), 0), sizeof(head));
    assert_int_equal(fcntl(fd, F_ADD_SEALS, PERMIT_TAG_SEALS), 0);
    if (pinned) { /* until rig_teardown() */
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        assert_true(splice(fd, &at, pipes[1], NULL, sizeof(head), 0) > 0);
        close(pipes[1]);
        pins[pin_count++] = pipes[0];
    }
    return fd;
}

/* A pidfd of a process that has ended. */
static int ended_process(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    assert_true(fd >= 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return fd;
}

static void restore(uid_t uid, uint64_t netns, int process, int tags)
{
    static uint64_t serial;
    const struct kept_permit kept = {.serial = ++serial, .netns = netns, .uid = uid};
    char name[KEEP_NAME_SIZE];

    keep_permit_name(&kept, name);
    assert_true(permits_restore(permits, name, (const int[]){tags, process}, KEEP_FDS));
}

static void *map_tags(int tags)
{
    void *map =
        mmap(NULL, tag_memory_size(TAG_SLOTS_MIN), PROT_READ | PROT_WRITE, MAP_SHARED, tags, 0);

    assert_ptr_not_equal(map, MAP_FAILED);
    return map;
}

static void assert_asked(uint32_t times)
{
    assert_int_equal(asked, times);
}

/* Other work: at each of its turns it may find one more question, and no second one. */
static struct loop_timer *other;
static uint32_t turns;

static void other_turn(void *arg)
{
    (void)arg;
    assert_in_range(asked, 0, ++turns);
    if (asked < 3 && turns < 1000)
        loop_timer_set(other, 0);
}

/* So its first beat does not come late, whatever is restored. */
static void nothing_is_asked_while_permits_are_restored_and_then_one_at_a_turn(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        restore(ALICE, 1, ended_process(), new_tags(false));
    assert_asked(0);
    assert_int_equal(figures().permits, 3);
    turns = 0;
    other = loop_timer_new(loop, other_turn, NULL);
    loop_timer_set(other, 0);
    fake_loop_advance(loop, 0);
    loop_timer_free(other);
    assert_asked(3);
    assert_int_equal(figures().permits, 0);
}

static void memory_of_a_living_process_is_never_asked_about(void **state)
{
    int tags = new_tags(false), own_tags = fcntl(tags, F_DUPFD_CLOEXEC, 0);

    (void)state;
    restore(ALICE, 1, (int)syscall(SYS_pidfd_open, getpid(), 0), tags);
    fake_loop_advance(loop, 60000);
    assert_asked(0);
    void *map = map_tags(own_tags); /* it has not been sealed */
    assert_int_equal(munmap(map, tag_memory_size(TAG_SLOTS_MIN)), 0);
    close(own_tags);
    assert_int_equal(figures().permits, 1);
}

static void a_memory_that_a_child_goes_on_with_is_asked_about_again_until_it_is_not(void **state)
{
    int tags = new_tags(false);
    void *map = map_tags(tags);

    (void)state;
    restore(ALICE, 1, ended_process(), tags);
    fake_loop_advance(loop, 0);
    assert_asked(1);
    fake_loop_advance(loop, 4999);
    assert_asked(1);
    fake_loop_advance(loop, 1);
    assert_asked(2);
    assert_int_equal(figures().permits, 1);
    munmap(map, tag_memory_size(TAG_SLOTS_MIN));
    fake_loop_advance(loop, 5000);
    assert_int_equal(figures().permits, 0);
    assert_int_equal(figures().pinned, 0);
}

static void
who_holds_a_memory_back_loses_what_his_ended_processes_left_and_nobody_else_does(void **state)
{
    int bobs = new_tags(false);
    void *map = map_tags(bobs);

    (void)state;
    restore(BOB, 1, ended_process(), bobs);
    restore(ALICE, 1, (int)syscall(SYS_pidfd_open, getpid(), 0), new_tags(false));
    for (int i = 0; i < 4; i++)
        restore(ALICE, (uint64_t)i % 2 + 1, ended_process(), new_tags(true));
    fake_loop_advance(loop, 0);
    assert_asked(1);
    assert_int_equal(figures().permits, 2);
    assert_int_equal(figures().pinned, 4);
    fake_loop_advance(loop, 10000);
    assert_true(asked > 1); /* about Bob's, once others had had their time */
    assert_int_equal(figures().permits, 2);
    munmap(map, tag_memory_size(TAG_SLOTS_MIN));
}

static void after_a_wait_others_come_first_for_longer_than_it_was(void **state)
{
    (void)state;
    restore(ALICE, 1, ended_process(), new_tags(true));
    restore(BOB, 1, ended_process(), new_tags(true));
    fake_loop_advance(loop, 0);
    assert_asked(1);
    assert_true(last_took_ms > 0);
    fake_loop_advance(loop, last_took_ms);
    assert_asked(1);
    fake_loop_advance(loop, 60000);
    assert_asked(2);
    assert_int_equal(figures().permits, 0);
}

static void root_of_one_container_takes_nothing_from_root_of_another(void **state)
{
    int others = new_tags(false);
    void *map = map_tags(others);

    (void)state;
    restore(0, 2, ended_process(), others);
    restore(0, 1, ended_process(), new_tags(true));
    fake_loop_advance(loop, 60000);
    assert_int_equal(figures().permits, 1);
    assert_int_equal(figures().pinned, 1);
    munmap(map, tag_memory_size(TAG_SLOTS_MIN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, who_has_little_gets_in_and_who_has_the_most_loses_the_oldest),
        TEST_IN(rig, who_has_the_most_does_not_get_in),
        TEST_IN(rig, two_users_end_with_half_each_and_take_nothing_from_each_other),
        TEST_IN(rig, namespaces_of_one_user_share_what_he_has),
        TEST_IN(rig, namespaces_count_within_their_user_alone),
        TEST_IN(rig, where_the_kernel_tells_of_no_namespace_it_is_the_same_between_users),
        TEST_IN(rig, those_who_lost_the_most_are_named),
        TEST_IN(rig, who_leaves_all_permits_needs_no_more_descriptors_for_each),
        TEST_IN(rig, what_the_supervisor_did_not_take_is_said_after_the_pause),
        TEST_IN(rig, nothing_is_asked_while_permits_are_restored_and_then_one_at_a_turn),
        TEST_IN(rig, memory_of_a_living_process_is_never_asked_about),
        TEST_IN(rig, a_memory_that_a_child_goes_on_with_is_asked_about_again_until_it_is_not),
        TEST_IN(rig,
                who_holds_a_memory_back_loses_what_his_ended_processes_left_and_nobody_else_does),
        TEST_IN(rig, after_a_wait_others_come_first_for_longer_than_it_was),
        TEST_IN(rig, root_of_one_container_takes_nothing_from_root_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
