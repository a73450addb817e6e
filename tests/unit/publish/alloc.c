/* SPDX-License-Identifier: Apache-2.0
 *
 * alloc.c - every allocation of view, state and serve fails once: what was asked for is refused or
 * done, and nothing else is lost.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/publish/view.h"
#include "agent/state/state.h"
#include "tests/support/fail.h"
#include "tests/support/serve_rig.h"
#include "tests/support/state_rig.h"
#include "tests/support/test.h"

/* ---- view ---- */

static void make_view(void *arg)
{
    int fds = serve_rig_count_fds();
    struct view *view = view_new(10, 2, 4);

    (void)arg;
    assert_true(view || errno == ENOMEM);
    view_free(view);
    assert_int_equal(serve_rig_count_fds(), fds);
}

static void a_view_is_made_or_is_not(void **state)
{
    (void)state;
    fail_each(make_view, NULL);
}

/* ---- state ---- */

static void save_and_load(void *arg)
{
    struct state_cluster saved = state_rig_saved(), got = {0};
    struct state *state = NULL;
    char error[256];
    int rv = state_open(arg, error, sizeof(error), &state);

    assert_int_equal(rv, rv ? -ENOMEM : 0);
    if (rv)
        return;
    rv = state_save(state, &state_rig_cluster, &saved);
    assert_int_equal(rv, rv ? -ENOMEM : 0);
    if (rv == 0)
        rv = state_load(state, &state_rig_cluster, &got);
    assert_int_equal(rv, rv ? -ENOMEM : 0);
    if (rv == 0)
        state_rig_assert_same(&got, &saved);
    free(got.endpoints);
    state_close(state);
}

static void a_state_is_saved_and_loaded_or_is_said_not_to_be(void **state)
{
    struct serve_rig rig;

    (void)state;
    serve_rig_init(&rig);
    fail_each(save_and_load, rig.run_dir);
    serve_rig_done(&rig);
}

/* ---- serve ---- */

static void open_and_close(void *arg)
{
    struct serve_rig *rig = arg;
    struct serve *serve = NULL;
    int fds = serve_rig_count_fds();
    int rv = serve_rig_open(rig, false, &serve);

    if (rv == 0)
        serve_close(serve);
    else
        assert_int_not_equal(strlen(rig->error), 0);
    assert_int_equal(rv, rv ? -ENOMEM : 0);
    assert_int_equal(serve_rig_count_fds(), fds);
}

static void a_server_opens_or_says_why_not(void **state)
{
    struct serve_rig rig;

    (void)state;
    serve_rig_init(&rig);
    fail_each(open_and_close, &rig);
    serve_rig_start(&rig);
    serve_rig_done(&rig);
}

static void stop(void *arg, int events)
{
    (void)events;
    loop_stop(arg);
}

struct exchange {
    struct serve_rig *rig;
    const char *method;
    uint32_t n;
};

/* All that the test itself allocates comes first. */
static void ask_once(void *arg)
{
    const struct exchange *x = arg;
    struct serve_rig *rig = x->rig;

    fail_pause();
    int fd = serve_rig_connect(rig, SERVE_ADMIN);
    serve_rig_request(fd, 1, x->method, x->n);
    struct loop_io *io = loop_io_new(rig->loop, fd, stop, rig->loop);
    loop_io_set(io, LOOP_READ);
    fail_resume();
    loop_run(rig->loop); /* a reply or the end: a client never hangs */
    fail_pause();
    loop_io_free(io);
    close(fd);

    fd = serve_rig_connect(rig, SERVE_ADMIN);
    assert_string_equal(serve_rig_ask(rig, fd, 2, "ping"), "2 \"pong\"");
    close(fd);
    fail_resume();
}

static void a_client_is_answered_or_dropped_and_the_next_one_served(void **state)
{
    struct serve_rig rig;
    struct exchange small = {&rig, "ping", 0};
    struct exchange big = {&rig, "big", 1000000}; /* a part of it has to be kept */

    (void)state;
    serve_rig_init(&rig);
    serve_rig_start(&rig);
    fail_each(ask_once, &small);
    fail_each(ask_once, &big);
    serve_rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_view_is_made_or_is_not),
        TEST(a_state_is_saved_and_loaded_or_is_said_not_to_be),
        TEST(a_server_opens_or_says_why_not),
        TEST(a_client_is_answered_or_dropped_and_the_next_one_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
