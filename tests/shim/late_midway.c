/* SPDX-License-Identifier: Apache-2.0
 *
 * late_midway.c - one thread is stopped at each instruction of what it does with connections that were
 * made while homing was not looking, and something else happens meanwhile. Afterwards, with the next
 * calls, the connection that is there has its tag.
 */
#include "config.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/libc/socket.h"
#include "shim/permit/permit.h"
#include "shim/steer/late.h"
#include "shim/steer/recall.h"
#include "shim/steer/steer.h"
#include "tests/support/fake_agent.h"
#include "tests/support/stepped.h"
#include "tests/support/test.h"

#define NUMBER   100                      /* of the descriptor in question */
#define FAR      (NUMBER + RECALL_OTHERS) /* what is recalled for a name alone has the same place */
#define OVERTAKE 1100

static struct fake_agent agent;
static struct name name;
static struct sockaddr_in server = {.sin_family = AF_INET};
static int server_fd;
static uint64_t passed_ms, no_time = 1000000;

/* No time passes but what a story lets pass, so that nothing depends on how busy the machine is. */
int clock_gettime(clockid_t id, struct timespec *ret)
{
    uint64_t now_ms = no_time + passed_ms;

    (void)id;
    *ret = (struct timespec){.tv_sec = (time_t)(now_ms / 1000),
                             .tv_nsec = (long)(now_ms % 1000) * 1000000};
    return 0;
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
                               .confirmed_ms = clock_ms(),
                               .max_stale_ms = 60000,
                               .text4 = "127.0.0.1"};

    view_write_heartbeat(&agent.writer, clock_ms());
    if (view_write_entry(&agent.writer, &name, &entry))
        _exit(99);
}

static void *serve(void *nothing)
{
    fake_agent_serve(&agent);
    return nothing;
}

static void attach(const char *path)
{
    struct view_address member = {.flags = VIEW_MEMBER_WRITER, .text = "127.0.0.1"};
    pthread_t thread;

    inet_address_set(4, (const uint8_t *)&server.sin_addr, ntohs(server.sin_port), &member.address);
    assert_int_equal(fake_agent_view(&agent, HOMING_VIEW_SLOTS_MIN, 1), 0);
    view_write_members(&agent.writer, 0, &member, 1);
    mode(VIEW_MODE_NAMES);
    assert_int_equal(fake_agent_listen(&agent, path, 8), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
    assert_non_null(attach_for_connect(clock_ms()));
    pthread_join(thread, NULL);
}

/* ---- the program ---- */

static void look_up(void)
{
    late(attach_newest());
}

static void dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || dup2(fd, NUMBER) != NUMBER || close(fd) != 0 ||
        steer(connect, NUMBER, (struct sockaddr *)&server, sizeof(server)) != 0)
        _exit(98);
}

static void dial_anew(void)
{
    close(NUMBER);
    dial();
}

static void connect_as(int number)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || dup2(fd, number) != number || close(fd) != 0 ||
        connect(number, (struct sockaddr *)&server, sizeof(server)) != 0)
        _exit(98);
}

/* As a connect does for a name that nobody manages yet. */
static void recall(int number)
{
    const struct recall_connect at = {.fd = number,
                                      .port = ntohs(server.sin_port),
                                      .address = seen_address(AF_INET, &server.sin_addr)};

    recall_for_name(&at, name.hash);
}

static void recall_near(void)
{
    recall(NUMBER);
}

static void recall_far(void)
{
    recall(FAR);
}

/* What it was told in vain in the middle of something else is tried again after a pause. */
static void go_on(void)
{
    for (int i = 0; i < 2; i++) {
        passed_ms += OVERTAKE;
        view_write_heartbeat(&agent.writer, clock_ms());
        look_up();
    }
}

/* By its own tags, or those that it has inherited. */
static bool has_tag(int number)
{
    struct tags *tags;

    go_on();
    tags = permit_ready();
    return tags && tags_cookie(tags, number) == socket_cookie(number);
}

static bool is_tagged(void)
{
    return has_tag(NUMBER);
}

/* What earlier children have left must not fill the server's queue. */
static void accept_all(void)
{
    int fd;

    while ((fd = accept(server_fd, NULL, NULL)) >= 0)
        close(fd);
}

static void start(void)
{
    struct seen_address at = seen_address(AF_INET, &server.sin_addr);
    struct seen_lookup lookup = {.name = name.hash, .managed = true};

    accept_all();
    passed_ms = 0;
    mode(VIEW_MODE_NAMES);
    seen_add(&lookup, &at);
    seen_end(&lookup);
    if (!permit_ready())
        _exit(97);
    look_up();
}

static void start_connected(void)
{
    start();
    dial();
    mode(VIEW_MODE_SEVER);
}

static void start_connected_twice(void)
{
    start();
    dial();
    dial_anew();
}

static void start_unmanaged(void)
{
    int fd;

    start();
    view_write_gone(&agent.writer, &name);
    look_up();
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || dup2(fd, NUMBER) != NUMBER || close(fd) != 0)
        _exit(98);
}

/* As connect() does. */
static void dial_unmanaged(void)
{
    const struct sockaddr *to = (struct sockaddr *)&server;

    if (steer_pass_unmanaged(NUMBER, to) ? connect(NUMBER, to, sizeof(server))
                                         : steer(connect, NUMBER, to, sizeof(server)))
        _exit(98);
}

static void start_with_two(void)
{
    start();
    connect_as(NUMBER);
    connect_as(FAR);
}

/* ---- meanwhile ---- */

static void mode_changes_and_is_noticed(void)
{
    mode(VIEW_MODE_SEVER);
    look_up();
}

static bool is_tagged_in_the_child = true;

static void child_looks(void)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(is_tagged() ? 0 : 1);
    is_tagged_in_the_child = waitpid(pid, &status, 0) == pid && status == 0;
}

static bool is_tagged_in_both(void)
{
    return is_tagged() && is_tagged_in_the_child;
}

static bool the_next_one_is_tagged(void)
{
    mode(VIEW_MODE_NAMES);
    dial_anew();
    mode(VIEW_MODE_SEVER);
    return is_tagged();
}

/* With that number it has connected to the same address once more. */
static bool the_far_one_is_tagged(void)
{
    connect_as(FAR);
    recall_far();
    mode(VIEW_MODE_SEVER);
    return has_tag(FAR);
}

/* ---- stories ---- */

static void assert_midway(void (*before)(void), void (*stopped)(void), void (*meanwhile)(void),
                          bool (*is_well)(void))
{
    stepped_assert(&(struct stepped){before, stopped, meanwhile, is_well,
                                     .parts = STEPS_BETWEEN ? 5 : 40}); /* it is far between ours */
}

static void
a_connection_that_takes_the_number_while_the_last_one_is_told_of_has_its_own_tag(void **test)
{
    (void)test;
    assert_midway(start_connected, look_up, dial_anew, is_tagged);
}

static void what_is_told_of_while_it_is_connected_anew_does_not_come_back(void **test)
{
    (void)test;
    assert_midway(start_connected, dial_anew, look_up, is_tagged);
}

static void a_mode_that_changes_while_a_connect_is_recalled_is_noticed(void **test)
{
    (void)test;
    assert_midway(start, dial, mode_changes_and_is_noticed, is_tagged);
}

static void a_name_that_comes_to_be_managed_while_its_connect_is_recalled_is_noticed(void **test)
{
    (void)test;
    assert_midway(start_unmanaged, dial_unmanaged, mode_changes_and_is_noticed, is_tagged);
}

static void a_child_that_is_forked_while_its_parent_tells_tells_too(void **test)
{
    (void)test;
    assert_midway(start_connected, look_up, child_looks, is_tagged_in_both);
}

static void a_thread_that_leaves_by_a_jump_while_it_tells_is_overtaken(void **test)
{
    (void)test;
    assert_midway(start_connected, look_up, stepped_jump, is_tagged);
}

static void a_thread_that_leaves_by_a_jump_while_it_recalls_takes_no_place_along(void **test)
{
    (void)test;
    assert_midway(start_connected_twice, dial_anew, stepped_jump, the_next_one_is_tagged);
}

static void of_two_that_are_recalled_at_once_the_next_one_is_not_taken_for_recalled(void **test)
{
    struct rlimit files;

    (void)test;
    if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur <= FAR)
        skip();
    stepped_assert(&(struct stepped){start_with_two, recall_near, recall_far, the_far_one_is_tagged,
                                     .parts = 0});
}

static void allow_descriptors(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void listen_somewhere(void)
{
    socklen_t len = sizeof(server);

    server_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(server_fd, (struct sockaddr *)&server, sizeof(server)), 0);
    assert_int_equal(listen(server_fd, 4096), 0);
    assert_int_equal(getsockname(server_fd, (struct sockaddr *)&server, &len), 0);
    assert_true(name_canonical("db.test", &name));
}

/* The loader's work is none of the stories'. */
static void warm_up(void)
{
    start_connected();
    go_on();
    assert_true(is_tagged());
    close(NUMBER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_connection_that_takes_the_number_while_the_last_one_is_told_of_has_its_own_tag),
        TEST(what_is_told_of_while_it_is_connected_anew_does_not_come_back),
        TEST(a_mode_that_changes_while_a_connect_is_recalled_is_noticed),
        TEST(a_name_that_comes_to_be_managed_while_its_connect_is_recalled_is_noticed),
        TEST(a_child_that_is_forked_while_its_parent_tells_tells_too),
        TEST(a_thread_that_leaves_by_a_jump_while_it_tells_is_overtaken),
        TEST(a_thread_that_leaves_by_a_jump_while_it_recalls_takes_no_place_along),
        TEST(of_two_that_are_recalled_at_once_the_next_one_is_not_taken_for_recalled),
    };
    char folder[] = "/tmp/homing-late-XXXXXX", path[64];
    int failed;

    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof(path), "%s/agent.sock", folder);
    setenv("HOMING_SOCKET", path, 1);
    allow_descriptors();
    listen_somewhere();
    attach(path);
    warm_up();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(folder);
    return failed;
}
