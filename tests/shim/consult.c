/* SPDX-License-Identifier: Apache-2.0
 *
 * consult.c - many threads ask the view while agents come and go: the shim's own code, linked in,
 * so that sanitizers see it. The fake agent lives in a thread of its own.
 */
#include "config.h"

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/view/attach.h"
#include "shim/view/consult.h"
#include "shim/view/intern.h"
#include "shim/view/process.h"
#include "tests/support/fake_agent.h"
#include "tests/support/test.h"

#define THREADS 6
#define VIEWS   4

static char socket_path[64];
static _Atomic int asking;      /* threads that have not seen enough */
static _Atomic uint64_t newest; /* instance of the view handed out now */
static _Atomic int views;       /* made so far */
static _Atomic uint64_t seen;   /* instance of one that a thread had */

static void view_fill(struct fake_agent *agent)
{
    struct view_entry entry = {.mode = VIEW_MODE_NAMES,
                               .state = VIEW_STATE_STEADY,
                               .family = 4,
                               .max_stale_ms = 60000,
                               .text4 = "10.1.2.3"};
    const struct view_address readers[] = {
        {.address.family = 4, .flags = VIEW_MEMBER_READER, .text = "10.1.2.4"},
        {.address.family = 4, .flags = VIEW_MEMBER_READER, .text = "10.1.2.5"},
    };
    struct name name;

    assert_int_equal(fake_agent_view(agent, HOMING_VIEW_SLOTS_MIN, 1), 0);
    entry.confirmed_ms = clock_ms();
    view_write_members(&agent->writer, 0, readers, 2);
    assert_true(name_canonical("writer", &name));
    assert_int_equal(view_write_entry(&agent->writer, &name, &entry), 0);
    entry.role = VIEW_ROLE_READER;
    assert_true(name_canonical("reader", &name));
    assert_int_equal(view_write_entry(&agent->writer, &name, &entry), 0);
    atomic_store(&newest, agent->instance);
    atomic_fetch_add(&views, 1);
}

/* Retires its view, and goes on with a new one, each time that a thread has it and nobody else
 * comes. Who was handed it may have left by then. */
static void *agent_run(void *data)
{
    struct fake_agent *agent = data;

    while (atomic_load(&asking)) {
        struct pollfd ready = {.fd = agent->listen_fd, .events = POLLIN};

        view_write_heartbeat(&agent->writer, clock_ms());
        if (poll(&ready, 1, 20) == 1) {
            fake_agent_serve(agent);
        } else if (atomic_load(&seen) == agent->instance && atomic_load(&views) < VIEWS) {
            view_write_retired(&agent->writer);
            view_fill(agent);
        }
    }
    return NULL;
}

static bool asks_well(int i)
{
    struct consulted consulted;
    char name[] = "name-a";

    if (!attach_current(process_now_ms())) /* on a busy machine an agent may be too late */
        return true;
    if (consult("writer", AF_UNSPEC, AI_V4MAPPED, &consulted) != LOOKUP_ANSWER ||
        strcmp(consulted.text, "10.1.2.3") != 0)
        return false;
    if (consult("READER.", AF_INET, 0, &consulted) != LOOKUP_ANSWER ||
        strncmp(consulted.text, "10.1.2.", 7) != 0)
        return false;
    if (consult("nobody", AF_UNSPEC, AI_V4MAPPED, &consulted) != LOOKUP_PASS)
        return false;
    name[5] = (char)('a' + i % 26);
    return strcmp(intern(name, strlen(name)), name) == 0;
}

/* Until the last view is there. NULL: all was well. */
static void *thread_run(void *data)
{
    const uint64_t give_up_ms = clock_ms() + 60000;
    bool last = false, well = true;

    for (int i = 0; well && !last && clock_ms() < give_up_ms; i++) {
        well = asks_well(i);
        const struct attached *at = attach_current(process_now_ms());
        if (at)
            atomic_store(&seen, at->map.instance);
        last = at && atomic_load(&views) == VIEWS && at->map.instance == atomic_load(&newest);
    }
    atomic_fetch_sub(&asking, 1);
    return well && last ? NULL : data;
}

static void threads_are_answered_while_views_come_and_go(void **state)
{
    static struct fake_agent agent;
    pthread_t agent_thread, threads[THREADS];
    int failed = 0;

    (void)state;
    view_fill(&agent);
    assert_int_equal(fake_agent_listen(&agent, socket_path, 64), 0);
    atomic_store(&asking, THREADS);
    assert_int_equal(pthread_create(&agent_thread, NULL, agent_run, &agent), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, thread_run, &agent), 0);
    for (int i = 0; i < THREADS; i++) {
        void *bad;

        pthread_join(threads[i], &bad);
        failed += !!bad;
    }
    pthread_join(agent_thread, NULL);
    assert_int_equal(failed, 0);
}

static void what_was_confirmed_while_a_thread_did_not_run_is_not_stale(void **state)
{
    uint64_t now_ms = process_now_ms();
    struct view_entry entry = {
        .state = VIEW_STATE_STEADY, .confirmed_ms = now_ms, .max_stale_ms = 30000};

    (void)state;
    assert_true(view_entry_stale(&entry, now_ms - 1000));
    assert_false(view_entry_stale(&entry, consult_now_ms(&entry, now_ms - 1000)));
    assert_true(consult_now_ms(&entry, now_ms + 1) == now_ms + 1);
    entry.confirmed_ms = now_ms + 3600000; /* of another clock */
    assert_true(view_entry_stale(&entry, consult_now_ms(&entry, now_ms)));
}

static void a_chain_of_views_ends(void **state)
{
    const struct attached *at = attach_current(process_now_ms());
    unsigned depth = 0;

    (void)state;
    assert_non_null(at);
    for (; at; depth++)
        at = attach_older(at, depth);
    assert_in_range(depth, 2, ATTACH_DEPTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(threads_are_answered_while_views_come_and_go),
        TEST(what_was_confirmed_while_a_thread_did_not_run_is_not_stale),
        TEST(a_chain_of_views_ends),
    };
    char folder[] = "/tmp/homing-consult-XXXXXX";
    int failed;

    if (!mkdtemp(folder))
        return 1;
    snprintf(socket_path, sizeof(socket_path), "%s/agent.sock", folder);
    setenv("HOMING_SOCKET", socket_path, 1);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(socket_path);
    rmdir(folder);
    return failed;
}
