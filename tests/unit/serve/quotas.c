/* SPDX-License-Identifier: Apache-2.0
 *
 * quotas.c - the sockets' quotas: crowds that are to be answered, and those that must not keep
 * others out.
 */
#include "config.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/serve_rig.h"
#include "tests/support/test.h"

static void a_uid_has_no_more_than_its_share_of_agent_sock(void **state)
{
    struct serve_rig *rig = *state;
    int fds[HOMING_CLIENTS_PER_UID_MAX];

    for (int i = 0; i < HOMING_CLIENTS_PER_UID_MAX; i++) {
        fds[i] = serve_rig_connect(rig, SERVE_AGENT);
        assert_string_equal(serve_rig_ask(rig, fds[i], 1, "ping"), "1 \"pong\"");
    }
    int extra = serve_rig_connect(rig, SERVE_AGENT);
    assert_non_null(strstr(serve_rig_receive(rig, extra, NULL), "\"busy\""));
    assert_true(serve_rig_ends(rig, extra));

    close(extra);
    close(fds[0]);
    assert_string_equal(serve_rig_ask(rig, fds[1], 2, "ping"), "2 \"pong\""); /* a turn passes */
    extra = serve_rig_connect(rig, SERVE_AGENT);
    assert_string_equal(serve_rig_ask(rig, extra, 1, "ping"), "1 \"pong\"");
    close(extra);
    for (int i = 1; i < HOMING_CLIENTS_PER_UID_MAX; i++)
        close(fds[i]);
}

/* A program has its place until it is run to read the reply, and a hundred that start together on a
 * busy machine may all not be. */
static void a_crowd_of_one_uid_that_does_not_read_yet_is_answered(void **state)
{
    enum {
        CROWD = 200
    };
    int fds[CROWD];

    for (int i = 0; i < CROWD; i++) {
        fds[i] = serve_rig_connect(*state, SERVE_AGENT);
        serve_rig_request(fds[i], 1, "ping", 0);
    }
    for (int i = CROWD - 1; i >= 0; i--)
        assert_string_equal(serve_rig_receive(*state, fds[i], NULL), "1 \"pong\"");
    for (int i = 0; i < CROWD; i++)
        close(fds[i]);
}

static void our_own_uid_gets_in_at_admin_sock_whatever_happens_at_agent_sock(void **state)
{
    struct serve_rig *rig = *state;
    int agent[HOMING_CLIENTS_PER_UID_MAX], admin[HOMING_CLIENTS_PER_UID_MAX + 5];

    for (int i = 0; i < HOMING_CLIENTS_PER_UID_MAX; i++)
        agent[i] = serve_rig_connect(rig, SERVE_AGENT);
    for (int i = 0; i < HOMING_CLIENTS_PER_UID_MAX + 5; i++) {
        admin[i] = serve_rig_connect(rig, SERVE_ADMIN);
        assert_string_equal(serve_rig_ask(rig, admin[i], 1, "ping"), "1 \"pong\"");
    }
    for (int i = 0; i < HOMING_CLIENTS_PER_UID_MAX; i++)
        close(agent[i]);
    for (int i = 0; i < HOMING_CLIENTS_PER_UID_MAX + 5; i++)
        close(admin[i]);
}

static void a_few_uids_cannot_keep_another_out(void **state)
{
    enum {
        HOSTILE = HOMING_CLIENTS_MAX / HOMING_CLIENTS_PER_UID_MAX
    };
    struct serve_rig *rig = *state;
    int fds[HOMING_CLIENTS_MAX], n = 0;

    if (geteuid() != 0) {
        print_message("needs root, to come as several uids\n");
        skip();
    }
    assert_int_equal(chmod(rig->base, 0755), 0);
    for (uid_t u = 0; u < HOSTILE; u++) {
        assert_int_equal(seteuid(50000 + u), 0);
        for (int i = 0; i < HOMING_CLIENTS_PER_UID_MAX; i++)
            fds[n++] = serve_rig_connect(rig, SERVE_AGENT);
        assert_int_equal(seteuid(0), 0);
    }
    int good = serve_rig_connect(rig, SERVE_AGENT);
    assert_string_equal(serve_rig_ask(rig, good, 1, "ping"), "1 \"pong\"");
    assert_true(serve_rig_ends(rig, fds[0])); /* the oldest of a uid that has most made room */
    close(good);
    while (n > 0)
        close(fds[--n]);
}

/* ---- who connects all the time ---- */

#define MANY 50000 /* a user */

uint64_t __real_loop_now_ms(const struct loop *loop);
uint64_t __wrap_loop_now_ms(const struct loop *loop);
int __real_getsockopt(int fd, int level, int option, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len);

static uint64_t stopped_ms; /* the clock, if it stands */
static pid_t newest;        /* if not 0, each client is another process */
static uint32_t asked; /* how often for something of a socket, but for the reason of an error */

uint64_t __wrap_loop_now_ms(const struct loop *loop)
{
    return stopped_ms ? stopped_ms : __real_loop_now_ms(loop);
}

int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
    int rv = __real_getsockopt(fd, level, option, value, len);

    asked += option != SO_ERROR;
    if (rv == 0 && level == SOL_SOCKET && option == SO_PEERCRED && newest)
        ((struct ucred *)value)->pid = ++newest;
    return rv;
}

/* Whether a client of this user is answered. */
static bool is_answered(struct serve_rig *rig, uid_t uid)
{
    assert_int_equal(seteuid(uid), 0);
    int fd = serve_rig_try_connect(rig, SERVE_AGENT);
    assert_int_equal(seteuid(0), 0);
    if (fd < 0)
        return false;
    serve_rig_request(fd, 1, "ping", 0);
    bool answered = strcmp(serve_rig_receive(rig, fd, NULL), "1 \"pong\"") == 0;
    close(fd);
    return answered;
}

static void stop_the_clock(struct serve_rig *rig)
{
    stopped_ms = __real_loop_now_ms(rig->loop);
    newest = 0;
    assert_int_equal(chmod(rig->base, 0755), 0);
}

static void he_is_barred_the_nth_time(struct serve_rig *rig, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        assert_true(is_answered(rig, MANY));
    assert_false(is_answered(rig, MANY));
    assert_false(is_answered(rig, MANY));
    assert_true(is_answered(rig, MANY + 1));
    stopped_ms = 0;
}

static void who_comes_costs_two_questions_to_the_kernel(void **state)
{
    struct serve_rig *rig = *state;

    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(rig->base, 0755), 0);
    assert_true(is_answered(rig, MANY)); /* our own network namespace is known from now on */
    for (uint32_t i = 0; i < 2; i++) {
        asked = 0;
        assert_true(is_answered(rig, i == 0 ? MANY : 0));
        assert_int_equal(asked, 2);
    }
}

static void a_user_one_of_whose_processes_connects_all_the_time_is_barred(void **state)
{
    if (geteuid() != 0)
        skip();
    stop_the_clock(*state);
    he_is_barred_the_nth_time(*state, SERVE_OFTEN_ONE);
}

static void so_is_a_user_whose_processes_all_together_do(void **state)
{
    if (geteuid() != 0)
        skip();
    stop_the_clock(*state);
    newest = 1;
    he_is_barred_the_nth_time(*state, SERVE_OFTEN_ALL);
}

static void who_connects_as_often_in_a_longer_time_is_not(void **state)
{
    if (geteuid() != 0)
        skip();
    stop_the_clock(*state);
    for (int i = 0; i < 2 * SERVE_OFTEN_ONE - 2; i++) {
        assert_true(is_answered(*state, MANY));
        if (i == SERVE_OFTEN_ONE - 2)
            stopped_ms += SERVE_OFTEN_MS;
    }
    stopped_ms = 0;
}

/* Both ends of as many connections as there may be. */
static void allow_descriptors(void)
{
    const rlim_t needed = 4 * HOMING_CLIENTS_MAX;
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= needed)
        return;
    files.rlim_cur = files.rlim_max < needed ? files.rlim_max : needed;
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(serve_rig, a_uid_has_no_more_than_its_share_of_agent_sock),
        TEST_IN(serve_rig, a_crowd_of_one_uid_that_does_not_read_yet_is_answered),
        TEST_IN(serve_rig, our_own_uid_gets_in_at_admin_sock_whatever_happens_at_agent_sock),
        TEST_IN(serve_rig, a_few_uids_cannot_keep_another_out),
        TEST_IN(serve_rig, who_comes_costs_two_questions_to_the_kernel),
        TEST_IN(serve_rig, a_user_one_of_whose_processes_connects_all_the_time_is_barred),
        TEST_IN(serve_rig, so_is_a_user_whose_processes_all_together_do),
        TEST_IN(serve_rig, who_connects_as_often_in_a_longer_time_is_not),
    };
    allow_descriptors();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
