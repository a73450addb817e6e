/* SPDX-License-Identifier: Apache-2.0
 *
 * late.c - how often, and for how long, a process that never had a view asks an agent that does not
 * answer in time.
 *
 * The shim keeps this for as long as its process lives, so each test is a process of its own. No
 * time passes in it: the shim's system calls come through here, so that a wait ends at once, is
 * noted, and moves the clock; and what the agent does, it does while somebody waits long enough.
 */
#include "config.h"

#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/view/attach.h"
#include "tests/support/fake_agent.h"
#include "tests/support/test.h"

#define NOW    1000
#define NOBODY UINT64_MAX

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static struct fake_agent agent;

static struct {
    uint64_t answers_after_ms; /* it answers who waits for longer; NOBODY: it never does */
    uint64_t held_up_ms;       /* a process that sends its request comes back so much later */
    unsigned turned_away;      /* how many it has no time for */
    uint64_t passed_ms;        /* of the shim's clock */
    uint64_t longest_ms;       /* that was waited for at once */
} world = {.answers_after_ms = NOBODY};

/* ---- the shim's way out ---- */

int clock_gettime(clockid_t id, struct timespec *ret)
{
    (void)id;
    *ret = (struct timespec){.tv_sec = (time_t)(NOW + world.passed_ms) / 1000,
                             .tv_nsec = (long)((NOW + world.passed_ms) % 1000) * 1000000};
    return 0;
}

static void turn_away(void)
{
    static const uint8_t busy[] = {0x94, 1,    0,   0x82, 0xa4, 'c', 'o',  'd',
                                   'e',  0xa4, 'b', 'u',  's',  'y', 0xa7, 'm',
                                   'e',  's',  's', 'a',  'g',  'e', 0xa0, 0xc0};
    int client = accept(agent.listen_fd, NULL, NULL);

    if (client < 0 || send(client, busy, sizeof(busy), MSG_NOSIGNAL) < 0)
        _exit(98);
    close(client);
}

/* Somebody waits: for a reply, or because he was turned away.
 * Whether there is something to read. */
static long wait_for(struct pollfd *what, uint64_t ms)
{
    world.longest_ms = ms > world.longest_ms ? ms : world.longest_ms;
    if (!what || (ms <= world.answers_after_ms && !world.turned_away)) {
        world.passed_ms += ms;
        return 0;
    }
    if (!world.turned_away)
        fake_agent_serve(&agent);
    else
        turn_away(), world.turned_away--;
    return poll(what, 1, 0);
}

/* Under a name of its own, because libc's declaration has no arguments to hand on. */
long syscall_taken(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");

long syscall_taken(long number, long a, long b, long c, long d, long e, long f)
{
    static long (*real)(long, ...);
    long r;

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "syscall");
#ifdef SYS_poll
    if (number == SYS_poll)
        return wait_for((struct pollfd *)a, (uint64_t)c);
#else
    if (number == SYS_ppoll)
        return wait_for((struct pollfd *)a,
                        (uint64_t)((const struct timespec *)c)->tv_sec * 1000 +
                            (uint64_t)((const struct timespec *)c)->tv_nsec / 1000000);
#endif
    r = real(number, a, b, c, d, e, f);
    if (number == SYS_sendto)
        world.passed_ms += world.held_up_ms;
    return r;
}

/* ---- the agent's side ---- */

static void listener(int backlog)
{
    if (fake_agent_view(&agent, HOMING_VIEW_SLOTS_MIN, 1) ||
        fake_agent_listen(&agent, address.sun_path, backlog))
        _exit(99);
}

/* Who has knocked since the last time, and was not served. */
static int asked(void)
{
    struct pollfd knocks = {.fd = agent.listen_fd, .events = POLLIN};
    int count = 0;

    for (; poll(&knocks, 1, 0) == 1; count++)
        close(accept(agent.listen_fd, NULL, NULL));
    return count;
}

static void knock_until_full(void)
{
    int fd;

    do
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    while (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
}

/* Runs a story in a process of its own; it returns 0, or the number of the step that went wrong. */
static void in_a_process(int (*story)(void))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(story());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- stories ---- */

static bool waited(uint64_t ms)
{
    uint64_t longest = world.longest_ms;

    world.longest_ms = 0;
    return longest == ms;
}

static int silent(void)
{
    listener(8);
    if (attach_current(NOW) || asked() != 1 || !waited(HOMING_ATTACH_DEADLINE_MS))
        return 1;
    if (attach_current(NOW) || asked() != 0) /* a lookup keeps the pause */
        return 2;
    if (attach_for_connect(NOW) || asked() != 1 || !waited(HOMING_ATTACH_PATIENCE_MS))
        return 3;
    if (attach_for_connect(NOW) || attach_current(NOW + HOMING_ATTACH_PAUSE_MS - 1) || asked() != 0)
        return 4;
    if (attach_current(NOW + HOMING_ATTACH_PAUSE_MS) || asked() != 1)
        return 5;
    if (attach_for_connect(NOW + HOMING_ATTACH_PAUSE_MS) || asked() != 0)
        return 6;
    if (attach_for_connect(NOW + 10000) || asked() != 1)
        return 7;
    return waited(HOMING_ATTACH_DEADLINE_MS) ? 0 : 8; /* never again for longer */
}

static int full(void)
{
    uint64_t before;

    listener(0);
    knock_until_full();
    if (attach_current(NOW) || world.passed_ms)
        return 1;
    if (attach_for_connect(NOW) || world.passed_ms != HOMING_ATTACH_PATIENCE_MS)
        return 2;
    before = world.passed_ms;
    return attach_for_connect(NOW) || world.passed_ms != before ? 3 : 0;
}

static int late(void)
{
    listener(8);
    world.answers_after_ms = 3 * HOMING_ATTACH_DEADLINE_MS;
    if (attach_current(NOW) || asked() != 1)
        return 1;
    return attach_for_connect(NOW) && attach_current(NOW) == attach_present() ? 0 : 2;
}

static int crowded(void)
{
    listener(8);
    world.turned_away = 4;
    world.answers_after_ms = 0;
    if (attach_current(NOW) || world.turned_away != 3)
        return 1;
    return attach_for_connect(NOW) && world.turned_away == 0 ? 0 : 2;
}

static int crowded_for_ever(void)
{
    listener(8);
    world.turned_away = 1000;
    if (attach_current(NOW) || attach_for_connect(NOW))
        return 1;
    if (world.passed_ms != HOMING_ATTACH_PATIENCE_MS)
        return 2;
    return attach_for_connect(NOW) || world.passed_ms != HOMING_ATTACH_PATIENCE_MS ? 3 : 0;
}

static int held_up(void)
{
    listener(8);
    world.answers_after_ms = HOMING_ATTACH_DEADLINE_MS - 1;
    world.held_up_ms = 50 * HOMING_ATTACH_DEADLINE_MS;
    return attach_current(NOW) ? 0 : 1;
}

static int absent(void)
{
    unlink(address.sun_path);
    if (attach_current(NOW))
        return 1;
    listener(8);
    if (attach_for_connect(NOW) || asked() != 0)
        return 2;
    return attach_for_connect(NOW + HOMING_ATTACH_PAUSE_MS) || asked() != 1 ? 3 : 0;
}

static void a_silent_agent_is_waited_for_longer_once_by_a_connect(void **state)
{
    (void)state;
    in_a_process(silent);
}

static void an_agent_with_a_full_backlog_is_knocked_at_for_as_long_once(void **state)
{
    (void)state;
    in_a_process(full);
}

static void an_agent_too_late_for_a_lookup_is_in_time_for_the_connect(void **state)
{
    (void)state;
    in_a_process(late);
}

static void who_was_turned_away_by_a_crowded_agent_comes_again_at_its_connect(void **state)
{
    (void)state;
    in_a_process(crowded);
}

static void an_agent_that_is_always_crowded_costs_one_bounded_wait(void **state)
{
    (void)state;
    in_a_process(crowded_for_ever);
}

static void a_process_that_was_not_run_while_it_asked_still_waits_for_the_answer(void **state)
{
    (void)state;
    in_a_process(held_up);
}

static void an_absent_agent_is_asked_at_the_pauses_only(void **state)
{
    (void)state;
    in_a_process(absent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_silent_agent_is_waited_for_longer_once_by_a_connect),
        TEST(an_agent_with_a_full_backlog_is_knocked_at_for_as_long_once),
        TEST(an_agent_too_late_for_a_lookup_is_in_time_for_the_connect),
        TEST(who_was_turned_away_by_a_crowded_agent_comes_again_at_its_connect),
        TEST(an_agent_that_is_always_crowded_costs_one_bounded_wait),
        TEST(a_process_that_was_not_run_while_it_asked_still_waits_for_the_answer),
        TEST(an_absent_agent_is_asked_at_the_pauses_only),
    };
    char folder[] = "/tmp/homing-late-XXXXXX";
    int failed;

    if (!mkdtemp(folder))
        return 1;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/agent.sock", folder);
    setenv("HOMING_SOCKET", address.sun_path, 1);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(address.sun_path);
    rmdir(folder);
    return failed;
}
