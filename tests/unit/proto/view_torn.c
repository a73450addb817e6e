/* SPDX-License-Identifier: Apache-2.0
 *
 * view_torn.c - V1 between threads and processes: readers beside a writer at full rate, and a
 * writer that is killed, or stopped after each of its instructions, in the middle of a change.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/dice.h"
#include "tests/support/test.h"
#include "tests/unit/proto/view_pattern.h"

enum {
    READERS = 3,
    WRITES = 50000,
    KILLS = 100,
    STEPS_MAX = 1000000,
    INTERRUPTS = 50
};

static void *base;
static size_t size;
static struct view_writer writer;
static struct view_map map;
static struct name name, fresh;

/* Shared, so that a forked writer writes the same view. */
static int rig_setup(void **state)
{
    (void)state;
    size = view_size(HOMING_VIEW_SLOTS_MIN, PATTERN_CLUSTERS, PATTERN_NAMES);
    base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || !name_canonical("orders-db", &name) ||
        !name_canonical("orders-ro.internal", &fresh))
        return -1;
    view_write_init(&writer, base, size, HOMING_VIEW_SLOTS_MIN, PATTERN_CLUSTERS, 1);
    return view_map_check(base, size, &map) ? 0 : -1;
}

static int rig_teardown(void **state)
{
    (void)state;
    return munmap(base, size);
}

static void write_one(uint64_t n)
{
    struct view_entry entry = pattern_entry(n);

    view_write_entry(&writer, &name, &entry);
    pattern_write_members(&writer, 1, n);
    view_write_confirmed(&writer, &name, entry.confirmed_ms);
}

/* What a reader saw; `finished` is the only word that the threads share besides the view. */
struct reader {
    pthread_t thread;
    uint64_t whole, torn, mixed, went_back;
};

static atomic_bool finished;

/* Every address that tells one n has the same text: the first member's name is asked for. The list
 * may have changed since `at` was read; then no name is found for it, and none that is another's. */
static bool official_whole(const struct view_address *at)
{
    char official[VIEW_OFFICIAL_SIZE];

    return view_read_official(&map, 1, at->text, 0, official) == 0 ||
           pattern_official_whole(official, at);
}

static void read_one(struct reader *r, uint64_t *last)
{
    struct view_address at[8];
    struct view_entry entry;
    enum view_found found = view_read(&map, &name, &entry);
    uint32_t count = view_read_members(&map, 1, 0xff, at, 8);

    r->torn += found == VIEW_TORN;
    r->whole += found == VIEW_FOUND;
    if (found == VIEW_FOUND) {
        r->mixed += !pattern_entry_whole(&entry);
        r->went_back += entry.generation < *last;
        *last = entry.generation;
    }
    r->mixed += count > 0 && (!pattern_members_whole(at, count) || !official_whole(&at[0]));
}

static void *reader_main(void *arg)
{
    struct reader *r = arg;
    uint64_t last = 0;

    while (!atomic_load(&finished))
        read_one(r, &last);
    return NULL;
}

/* V1; run under ThreadSanitizer too. */
static void readers_beside_a_writer_see_only_whole_answers(void **state)
{
    struct reader readers[READERS] = {0};
    uint64_t last = 0;

    (void)state;
    atomic_store(&finished, false);
    write_one(1);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i].thread, NULL, reader_main, &readers[i]), 0);
    for (uint64_t n = 2; n < WRITES; n++)
        write_one(n);
    atomic_store(&finished, true);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        print_message("# reader %d: %llu whole, %llu torn\n", i,
                      (unsigned long long)readers[i].whole, (unsigned long long)readers[i].torn);
        assert_int_equal(readers[i].mixed, 0);
        assert_int_equal(readers[i].went_back, 0);
        read_one(&readers[i], &last);
        assert_int_equal(last, WRITES - 1);
    }
}

static void assert_whole_at_least(uint64_t least)
{
    char official[VIEW_OFFICIAL_SIZE];
    struct view_address at[8];
    struct view_entry entry;
    uint32_t count = view_read_members(&map, 1, 0xff, at, 8);

    assert_int_equal(view_read(&map, &name, &entry), VIEW_FOUND);
    assert_true(pattern_entry_whole(&entry));
    assert_true(entry.generation >= least);
    assert_true(pattern_members_whole(at, count));
    assert_true(view_read_official(&map, 1, at[0].text, 0, official) > 0);
    assert_true(pattern_official_whole(official, &at[0]));
}

static pid_t fork_writer(uint64_t from)
{
    pid_t pid = fork();

    if (pid == 0)
        for (uint64_t n = from;; n++)
            write_one(n);
    assert_true(pid > 0);
    return pid;
}

/* Waits, a random number of answers long, until the writer is well under way; then kills it. */
static void a_killed_writer_leaves_whole_answers(void **state)
{
    struct view_entry entry = {0};
    uint64_t from = 1, dice = 1;

    (void)state;
    write_one(0);
    for (int i = 0; i < KILLS; i++, from = entry.generation + 1) {
        pid_t pid = fork_writer(from);
        uint64_t until = from + dice_roll(&dice, 200);

        while (view_read(&map, &name, &entry) != VIEW_FOUND || entry.generation < until)
            ;
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_whole_at_least(until);
        assert_int_equal(view_read(&map, &name, &entry), VIEW_FOUND);
    }
}

static void change_an_answer(void)
{
    write_one(3);
}

static void add_a_name(void)
{
    struct view_entry entry = pattern_entry(3);

    view_write_entry(&writer, &fresh, &entry);
}

/* Runs `change` in a child, instruction by instruction; `look` after each: every stop is a place
 * where the writer could have been killed. False: this machine does not let us. */
static bool step_through(void (*change)(void), void (*look)(void))
{
    int status, steps = 0;
    pid_t pid = fork();

    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(77);
        raise(SIGSTOP);
        change();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        return false;
    while (WIFSTOPPED(status) && steps++ < STEPS_MAX) {
        look();
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
    }
    print_message("# %d steps\n", steps);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return true;
}

static void look_for_whole_answers(void)
{
    assert_whole_at_least(2);
}

static void at_every_instruction_of_a_change_the_view_is_whole(void **state)
{
    (void)state;
    if (!STEP_TESTS)
        skip();
    write_one(1);
    write_one(2);
    if (!step_through(change_an_answer, look_for_whole_answers))
        skip();
    assert_whole_at_least(3);
}

/* In an otherwise empty view the slot's place is known: as soon as its hash is there, all is. */
static void look_for_the_name_in_part(void)
{
    struct view_entry entry;
    enum view_found found = view_read(&map, &fresh, &entry);
    uint64_t hash = writer.slots[fresh.hash & map.slot_mask].hash;

    assert_int_equal(found, hash ? VIEW_FOUND : VIEW_ABSENT);
    assert_true(found == VIEW_ABSENT || pattern_entry_whole(&entry));
}

/* A key is complete before it can be found. */
static void at_every_instruction_a_new_name_is_absent_or_whole(void **state)
{
    struct view_entry entry;

    (void)state;
    if (!STEP_TESTS)
        skip();
    if (!step_through(add_a_name, look_for_the_name_in_part))
        skip();
    assert_int_equal(view_read(&map, &fresh, &entry), VIEW_FOUND);
}

/* Reads between one stop and the next, and judges what it read before another. */
static void read_whole_or_exit(void)
{
    struct view_address at[8];
    struct view_entry entry;
    char official[VIEW_OFFICIAL_SIZE];
    enum view_found found;
    uint32_t count, len;

    for (;;) {
        raise(SIGSTOP);
        found = view_read(&map, &name, &entry);
        count = view_read_members(&map, 1, 0xff, at, 8);
        len = view_read_official(&map, 1, at[0].text, 0, official);
        raise(SIGSTOP);
        if (found != VIEW_FOUND || !pattern_entry_whole(&entry))
            _exit(1);
        if (!pattern_members_whole(at, count))
            _exit(2);
        if (len && !pattern_official_whole(official, &at[0]))
            _exit(3);
    }
}

/* Lets the child go on by at most so many instructions, or to its next stop. Returns how many. */
static int step_reader(pid_t pid, int instructions)
{
    int status, steps = 0;

    for (status = 0; steps < instructions && !(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
         steps++) {
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSTOPPED(status));
    }
    return steps;
}

static int continue_reader(pid_t pid)
{
    int status;

    assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSTOPPED(status) ? 0 : WEXITSTATUS(status);
}

/* V1, for certain: two changes overwrite the copy that the reader is at, wherever it is. */
static void changes_at_any_instruction_of_a_read_do_not_mix(void **state)
{
    int status, steps;
    uint64_t n = 1;
    pid_t pid;

    (void)state;
    if (!STEP_TESTS)
        skip();
    write_one(n++);
    pid = fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(77);
        read_whole_or_exit();
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status))
        skip();
    steps = step_reader(pid, STEPS_MAX);
    print_message("# %d instructions\n", steps);
    assert_int_equal(continue_reader(pid), 0);
    for (int i = 0; i < INTERRUPTS; i++) {
        step_reader(pid, (int)((int64_t)steps * i / INTERRUPTS));
        write_one(n++);
        write_one(n++);
        assert_int_equal(continue_reader(pid), 0);
        assert_int_equal(continue_reader(pid), 0);
    }
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, readers_beside_a_writer_see_only_whole_answers),
        TEST_IN(rig, a_killed_writer_leaves_whole_answers),
        TEST_IN(rig, at_every_instruction_of_a_change_the_view_is_whole),
        TEST_IN(rig, changes_at_any_instruction_of_a_read_do_not_mix),
        TEST_IN(rig, at_every_instruction_a_new_name_is_absent_or_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
