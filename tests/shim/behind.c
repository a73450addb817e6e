/* SPDX-License-Identifier: Apache-2.0
 *
 * behind.c - a thread that did not run after it had read the clock: what another thread has noted
 * meanwhile is later than its own time, and is not taken for very old.
 *
 * The clock is the test's. The shim's system calls come through here, are counted, and let the other
 * thread's part be done in the middle of the first one's. The agent answers in the midst of one, too:
 * no lookup waits for another thread of ours.
 */
#include "config.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shim/permit/permit.h"
#include "shim/steer/late.h"
#include "shim/steer/steer.h"
#include "shim/view/consult.h"
#include "shim/view/process.h"
#include "tests/support/fake_agent.h"
#include "tests/support/test.h"

#define NOW      1000000
#define BEHIND   (HOMING_HEARTBEAT_MS + 50)
#define INSTANCE 77

static struct fake_agent agent;
static struct name name;
static struct sockaddr_in server = {.sin_family = AF_INET};
static struct sockaddr_un permits = {.sun_family = AF_UNIX};
static uint64_t now_ms = NOW, passes_ms; /* after the next look at the clock */
static unsigned polls, connects, cookies;
static void (*meanwhile)(void); /* once, when a socket's cookie is asked for next */
static bool serves;             /* the agent, once, as soon as it is asked */

int clock_gettime(clockid_t id, struct timespec *ret)
{
    (void)id;
    *ret = (struct timespec){.tv_sec = (time_t)(now_ms / 1000),
                             .tv_nsec = (long)(now_ms % 1000) * 1000000};
    now_ms += passes_ms;
    passes_ms = 0;
    return 0;
}

long syscall_taken(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");

long syscall_taken(long number, long a, long b, long c, long d, long e, long f)
{
    static long (*real)(long, ...);
    void (*then)(void) = meanwhile;

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "syscall");
#ifdef SYS_poll
    polls += number == SYS_poll;
#endif
    polls += number == SYS_ppoll;
    connects += number == SYS_connect;
    if (number == SYS_getsockopt && c == SO_COOKIE) {
        cookies++;
        meanwhile = NULL;
        if (then)
            then();
    }
    long rv = real(number, a, b, c, d, e, f);
    if (serves && number == SYS_sendto) {
        serves = false;
        fake_agent_serve(&agent);
    }
    return rv;
}

/* ---- the agent ---- */

static void mode(enum view_mode mode)
{
    struct view_entry entry = {.mode = mode,
                               .state = VIEW_STATE_STEADY,
                               .family = 4,
                               .port = ntohs(server.sin_port),
                               .endpoint = name.hash,
                               .generation = 7,
                               .confirmed_ms = now_ms,
                               .max_stale_ms = 60000,
                               .text4 = "127.0.0.1"};

    view_write_heartbeat(&agent.writer, now_ms);
    assert_int_equal(view_write_entry(&agent.writer, &name, &entry), 0);
}

static void attach(void)
{
    serves = true;
    assert_non_null(attach_for_connect(now_ms));
    assert_false(serves);
}

static void attach_first(const char *path)
{
    struct view_address member = {.flags = VIEW_MEMBER_WRITER, .text = "127.0.0.1"};

    inet_address_set(4, (const uint8_t *)&server.sin_addr, ntohs(server.sin_port), &member.address);
    assert_int_equal(fake_agent_view(&agent, HOMING_VIEW_SLOTS_MIN, 1), 0);
    view_write_members(&agent.writer, 0, &member, 1);
    mode(VIEW_MODE_NAMES);
    assert_int_equal(fake_agent_listen(&agent, path, 8), 0);
    attach();
}

/* ---- the program ---- */

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(steer(connect, fd, (struct sockaddr *)&server, sizeof(server)), 0);
    return fd;
}

static void look_up_behind(void)
{
    unsigned before = cookies;

    now_ms -= 5;
    late(attach_newest());
    now_ms += 5;
    cookies = before + (cookies > before ? 1000 : 0);
}

/* ---- tests ---- */

static void a_thread_whose_clock_is_behind_does_not_overtake_another_ones_look(void **state)
{
    int fd;

    (void)state;
    mode(VIEW_MODE_NAMES);
    fd = dial();
    mode(VIEW_MODE_SEVER);
    cookies = 0;
    meanwhile = look_up_behind;
    late(attach_newest());
    assert_null(meanwhile);
    assert_in_range(cookies, 1, 999);
    assert_true(tags_cookie(permit_ready(), fd) != 0);
    close(fd);
}

static void a_heartbeat_after_the_clock_was_read_is_no_reason_to_ask_the_agent(void **state)
{
    (void)state;
    view_write_heartbeat(&agent.writer, now_ms);
    connects = 0;
    assert_non_null(attach_current(now_ms - BEHIND));
    assert_int_equal(connects, 0);
    view_write_heartbeat(&agent.writer, now_ms + BEHIND); /* of another clock */
    attach();
    assert_int_equal(connects, 1);
    view_write_heartbeat(&agent.writer, now_ms);
    assert_non_null(attach_current(now_ms));
}

static void a_permit_is_not_looked_at_again_because_another_thread_has_just_looked(void **state)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unsigned before;

    (void)state;
    assert_non_null(permit_renew(fd, 1, INSTANCE, now_ms));
    now_ms += 1000;
    assert_non_null(permit_renew(fd, 1, INSTANCE, now_ms));
    before = polls;
    assert_true(before > 0);
    assert_non_null(permit_renew(fd, 1, INSTANCE, now_ms - 5));
    assert_int_equal(polls, before);
    close(fd);
}

/* The new agent knows nothing yet. The one before it still confirms, as two do in a rollout. */
static void an_older_verdict_that_was_confirmed_after_the_clock_was_read_is_kept(void **state)
{
    struct fake_agent older = agent;
    struct view_entry unknown = {
        .mode = VIEW_MODE_SEVER, .endpoint = name.hash, .state = VIEW_STATE_UNKNOWN, .family = 4};
    struct consulted consulted;

    (void)state;
    mode(VIEW_MODE_SEVER);
    view_write_retired(&agent.writer);
    assert_int_equal(fake_agent_view(&agent, HOMING_VIEW_SLOTS_MIN, 1), 0);
    view_write_heartbeat(&agent.writer, now_ms);
    assert_int_equal(view_write_entry(&agent.writer, &name, &unknown), 0);
    assert_non_null(attach_current(now_ms)); /* V4: it comes within a second */
    now_ms += 1000;
    view_write_heartbeat(&older.writer, now_ms);
    view_write_heartbeat(&agent.writer, now_ms);
    attach();
    assert_true(attach_present()->map.instance == agent.instance);
    view_write_confirmed(&older.writer, &name, now_ms + BEHIND);
    passes_ms = BEHIND;
    assert_int_equal(consult("db.test", AF_INET, 0, &consulted), LOOKUP_ANSWER);
}

/* ---- begin and end ---- */

static int listen_at(int family, struct sockaddr *address, socklen_t len)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, address, len), 0);
    assert_int_equal(listen(fd, 64), 0);
    return fd;
}

static void listen_somewhere(const char *folder)
{
    socklen_t len = sizeof(server);
    int fd;

    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = listen_at(AF_INET, (struct sockaddr *)&server, sizeof(server));
    assert_int_equal(getsockname(fd, (struct sockaddr *)&server, &len), 0);
    snprintf(permits.sun_path, sizeof(permits.sun_path), "%s/permit.sock", folder);
    listen_at(AF_UNIX, (struct sockaddr *)&permits, sizeof(permits));
    assert_true(name_canonical("db.test", &name));
}

static void know_the_address(void)
{
    struct seen_address at = seen_address(AF_INET, &server.sin_addr);
    struct seen_lookup lookup = {.name = name.hash, .managed = true};

    seen_add(&lookup, &at);
    seen_end(&lookup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_thread_whose_clock_is_behind_does_not_overtake_another_ones_look),
        TEST(a_heartbeat_after_the_clock_was_read_is_no_reason_to_ask_the_agent),
        TEST(a_permit_is_not_looked_at_again_because_another_thread_has_just_looked),
        TEST(an_older_verdict_that_was_confirmed_after_the_clock_was_read_is_kept),
    };
    char folder[] = "/tmp/homing-behind-XXXXXX", path[64];
    int failed;

    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof(path), "%s/agent.sock", folder);
    setenv("HOMING_SOCKET", path, 1);
    listen_somewhere(folder);
    attach_first(path);
    know_the_address();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    unlink(permits.sun_path);
    rmdir(folder);
    return failed;
}
