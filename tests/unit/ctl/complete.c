/* SPDX-License-Identifier: Apache-2.0
 *
 * complete.c - what the shell is offered at each place of the command line; clusters, members and
 * names are those of an agent that this test stands in for.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/ctl/commands.h"
#include "agent/ctl/complete.h"
#include "proto/limits.h"
#include "proto/msg.h"
#include "tests/support/test.h"

static char base[] = "/tmp/homing-complete-XXXXXX";
static char directory[64], admin[96], agent[64];
static pid_t agent_pid;

/* ---- the agent ---- */

static void put_names(struct msg_writer *w, const char *a, const char *b)
{
    msg_open_map(w);
    msg_put_str(w, "names");
    msg_put_array(w, 2);
    msg_put_str(w, a);
    msg_put_str(w, b);
    msg_close(w);
}

static void put_cluster(struct msg_writer *w, const char *name, const char *member)
{
    msg_open_map(w);
    msg_put_key_str(w, "cluster", name);
    msg_put_str(w, "members");
    msg_open_array(w);
    msg_open_map(w);
    msg_put_key_str(w, "member", member);
    msg_close(w);
    msg_close(w);
    msg_put_str(w, "endpoints");
    msg_open_array(w);
    put_names(w, "orders-db", "orders-db.internal");
    put_names(w, "$(touch x)", "orders;ls");
    msg_close(w);
    msg_close(w);
}

static void put_status(struct msg_writer *w)
{
    msg_put_reply(w, 1);
    msg_open_map(w);
    msg_put_str(w, "clusters");
    msg_open_array(w);
    put_cluster(w, "orders", "db-a:5432");
    put_cluster(w, "orders`id`", "[fd00::1]:5432");
    msg_close(w);
    msg_close(w);
}

static _Noreturn void serve(int listener)
{
    struct msg_writer w;
    char request[1000];

    msg_writer_init(&w, HOMING_REPLY_MAX);
    put_status(&w);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0 || read(fd, request, sizeof(request)) <= 0 ||
            write(fd, w.data, w.len) != (ssize_t)w.len)
            _exit(1);
        close(fd);
    }
}

static int rig_setup(void **state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    assert_non_null(mkdtemp(base));
    snprintf(directory, sizeof(directory), "%s/run-admin", base);
    snprintf(admin, sizeof(admin), "%s/admin.sock", directory);
    snprintf(agent, sizeof(agent), "%s/run/agent.sock", base);
    assert_int_equal(mkdir(directory, 0700), 0);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", admin);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(listener, 5), 0);
    agent_pid = fork();
    if (agent_pid == 0)
        serve(listener);
    close(listener);
    return agent_pid > 0 ? 0 : -1;
}

static int rig_teardown(void **state)
{
    (void)state;
    kill(agent_pid, SIGKILL);
    waitpid(agent_pid, NULL, 0);
    unlink(admin);
    rmdir(directory);
    return rmdir(base);
}

/* ---- the shell ---- */

#define WORDS_MAX 8

/* What is offered behind these words, the last under the cursor, each followed by a blank. */
static const char *offered(const char *const words[WORDS_MAX])
{
    static char text[4096];
    char *copies[WORDS_MAX + 1] = {NULL};
    FILE *out = fmemopen(text, sizeof(text), "w");

    assert_non_null(out);
    for (int i = 0; i < WORDS_MAX && words[i]; i++)
        copies[i] = (char *)words[i];
    complete(out, copies);
    fputc('\0', out);
    fclose(out);
    for (char *at = text; *at; at++)
        *at = *at == '\n' ? ' ' : *at;
    return text;
}

#define OFFERED(...) offered((const char *const[WORDS_MAX]){__VA_ARGS__})

static void commands_and_options_are_offered_first(void **state)
{
    (void)state;
    assert_string_equal(OFFERED("sta"), "status ");
    assert_string_equal(OFFERED("-o", "json", "re"), "resolve reload ");
    assert_string_equal(OFFERED("--"), "--socket --with --assume --help --version ");
    assert_string_equal(OFFERED("help", "un"), "unfreeze ");
    for (size_t i = 0; i < commands_count; i++)
        assert_non_null(strstr(OFFERED(""), commands[i].name));
}

static void an_options_value_is_offered_behind_it(void **state)
{
    (void)state;
    assert_string_equal(OFFERED("-o", ""), "json ");
    assert_string_equal(OFFERED("status", "--output", "x"), "");
    assert_string_equal(OFFERED("--socket", "/ru"), COMPLETE_FILES " ");
    assert_string_equal(OFFERED("run", "--with", "libp"), COMPLETE_FILES " ");
    assert_string_equal(OFFERED("run", "--with", "libpq.so.5", "ph"), COMPLETE_PROGRAMS " ");
    assert_string_equal(OFFERED("--help", "sta"), "status ");
}

static void arguments_are_offered_by_what_they_are(void **state)
{
    (void)state;
    assert_string_equal(OFFERED("--socket", agent, "status", ""), "orders ");
    assert_string_equal(OFFERED("--socket", agent, "accept", "orders", ""),
                        "db-a:5432 [fd00::1]:5432 ");
    assert_string_equal(OFFERED("--socket", agent, "accept", "orders", "db"), "db-a:5432 ");
    assert_string_equal(OFFERED("mode", "orders", ""), "off observe names connect sever default ");
    assert_string_equal(OFFERED("mode", "orders", "o"), "off observe ");
    assert_string_equal(OFFERED("run", "--", "psql", ""), COMPLETE_PROGRAMS " ");
    assert_string_equal(OFFERED("reload", ""), "");
    assert_string_equal(OFFERED("mode", "orders", "off", ""), "");
    assert_string_equal(OFFERED("banana", ""), "");
}

static void no_word_that_a_shell_would_obey_is_offered(void **state)
{
    const char *names = OFFERED("--socket", agent, "explain", "");

    (void)state;
    assert_non_null(strstr(names, "orders-db.internal "));
    assert_null(strpbrk(names, "$();`"));
    assert_string_equal(OFFERED("--socket", agent, "resolve", "$"), "");
}

static void without_an_agent_nothing_is_offered_for_what_it_knows(void **state)
{
    (void)state;
    assert_string_equal(OFFERED("--socket", base, "status", ""), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commands_and_options_are_offered_first),
        TEST(an_options_value_is_offered_behind_it),
        TEST(arguments_are_offered_by_what_they_are),
        TEST(no_word_that_a_shell_would_obey_is_offered),
        TEST(without_an_agent_nothing_is_offered_for_what_it_knows),
    };

    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
