/* SPDX-License-Identifier: Apache-2.0
 *
 * age.c - a socket that somebody knew before a moment is told from one that nobody knew. The first tests ask the
 * kernel, on one processor, of which they take the numbers; the others know of made-up ones.
 */
#include "config.h"

#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/sever/sweep/age.h"
#include "tests/support/test.h"

enum {
    ATTEMPTS = 100
};

static int socket_new(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    return fd;
}

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
    return cookie;
}

/* Not one that is counted down. */
static uint64_t next_cookie(void)
{
    uint64_t cookie;

    do {
        int fd = socket_new();
        cookie = cookie_of(fd);
        close(fd);
    } while (cookie >> 63);
    return cookie;
}

static void stay_on(int cpu)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

/* One that this process may run on, after this one; -1: there is none. */
static int next_cpu(const cpu_set_t *may, int cpu)
{
    while (++cpu < CPU_SETSIZE)
        if (CPU_ISSET(cpu, may))
            return cpu;
    return -1;
}

static cpu_set_t allowed;

static int stay_setup(void **state)
{
    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
    stay_on(next_cpu(&allowed, -1));
    return 0;
}

static int stay_teardown(void **state)
{
    (void)state;
    return sched_setaffinity(0, sizeof(allowed), &allowed);
}

/* Another process that takes numbers on the same processor at that moment is no reason to fail. */
static bool is_younger_in_the_end(struct age *age, int unknown[ATTEMPTS])
{
    for (int i = 0; i < ATTEMPTS; i++) {
        age_note(age);
        if (age_is_after(age, unknown ? cookie_of(unknown[i]) : next_cookie()))
            return true;
    }
    return false;
}

static void an_old_socket_that_nobody_knew_is_younger_than_one_that_somebody_did(void **state)
{
    int unknown[ATTEMPTS], known = socket_new();
    struct age age;

    (void)state;
    for (int i = 0; i < ATTEMPTS; i++)
        unknown[i] = socket_new();
    uint64_t before = cookie_of(known);
    age_now(&age);
    assert_true(is_younger_in_the_end(&age, unknown));
    assert_false(age_is_after(&age, before));
    for (int i = 0; i < ATTEMPTS; i++)
        close(unknown[i]);
    close(known);
}

static void what_was_known_on_whatever_processor_stays_older(void **state)
{
    uint64_t before[64];
    uint32_t count = 0;
    struct age age;

    (void)state;
    for (int cpu = -1; (cpu = next_cpu(&allowed, cpu)) >= 0 && count < 64;) {
        stay_on(cpu);
        before[count++] = next_cookie();
    }
    age_now(&age);
    for (int cpu = -1; (cpu = next_cpu(&allowed, cpu)) >= 0;) {
        stay_on(cpu);
        assert_true(is_younger_in_the_end(&age, NULL));
    }
    for (uint32_t i = 0; i < count; i++)
        assert_false(age_is_after(&age, before[i]));
}

/* One after the other, with none for another process between. */
static bool take(struct age *age, uint64_t ret_cookies[AGE_ROOM])
{
    uint64_t before = next_cookie();
    bool undisturbed = true;

    age_note(age);
    for (int i = 0; i < AGE_ROOM; i++) {
        ret_cookies[i] = next_cookie();
        undisturbed &= i == 0 ? age->fresh || ret_cookies[i] == before + 2
                              : ret_cookies[i] == ret_cookies[i - 1] + 1;
    }
    return undisturbed;
}

static void there_is_room_for_what_one_list_asks_for(void **state)
{
    uint64_t cookies[AGE_ROOM];
    struct age age;

    (void)state;
    age_now(&age);
    while (!age.fresh)
        for (int i = take(&age, cookies) ? 0 : AGE_ROOM; i < AGE_ROOM; i++)
            assert_true(age_is_after(&age, cookies[i]));
}

static void in_the_end_all_is_known(void **state)
{
    struct age age;

    (void)state;
    age_now(&age);
    for (int i = 0; i < AGE_BATCH && !age.fresh; i++)
        age_go_on(&age);
    assert_int_not_equal(age.fresh, 0);
    for (int cpu = -1; (cpu = next_cpu(&allowed, cpu)) >= 0;) {
        stay_on(cpu);
        for (int i = 0; i < AGE_BATCH; i++)
            (void)next_cookie();
        assert_true(age_is_after(&age, next_cookie()));
    }
}

static void of_a_batch_that_was_begun_before_only_what_follows_counts(void **state)
{
    const struct age none = {0}, started = {.known = true, .begun = {{3, 9000}}, .count = 1};
    struct age age = {.known = true, .fresh = 5, .begun = {{3, 9000}}, .count = 1};

    (void)state;
    assert_false(age_is_after(&none, 9001));
    assert_false(age_is_after(&age, 9000));
    assert_true(age_is_after(&age, 9001));
    assert_true(age_is_after(&age, 3 * AGE_BATCH));
    assert_false(
        age_is_after(&age, 3 * AGE_BATCH + 1)); /* another processor's, perhaps of before */
    assert_false(age_is_after(&age, 4 * AGE_BATCH));
    assert_true(age_is_after(&age, 4 * AGE_BATCH + 1));
    assert_false(age_is_after(&started, 4 * AGE_BATCH + 1));
    assert_false(age_is_after(&age, 0));
    assert_false(age_is_after(&age, UINT64_MAX - 3)); /* counted down */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(stay, an_old_socket_that_nobody_knew_is_younger_than_one_that_somebody_did),
        TEST_IN(stay, what_was_known_on_whatever_processor_stays_older),
        TEST_IN(stay, there_is_room_for_what_one_list_asks_for),
        TEST_IN(stay, in_the_end_all_is_known),
        TEST(of_a_batch_that_was_begun_before_only_what_follows_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
