/* SPDX-License-Identifier: Apache-2.0
 *
 * scenario.c - see scenario.h.
 */
#include "config.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/scenario.h"
#include "tests/support/test.h"

enum {
    STEP_MS = 50,
    PAUSE_MS = 500, /* from one act to the next */
    SOON_MS = 60000,
    WHILE_MS = 2000,
    FILES_MAX = 32
};

static const char *const acts[ACT_COUNT] = {
    [ACT_WRITES] = "is the writer",
    [ACT_CLAIMS_ON] = "claims on",
    [ACT_FALLS_SILENT] = "falls silent",
    [ACT_ANSWERS_AGAIN] = "answers again",
    [ACT_ENDS] = "ends",
    [ACT_STARTS] = "starts",
    [ACT_LETS_NOBODY_IN] = "lets nobody in",
};

static const struct scenario_player *player;

/* Where the line stands, and what of it is not read yet. */
struct line {
    const char *file;
    unsigned number;
    char text[200];
    const char *rest;
};

static void wrong(const struct line *line, const char *what)
{
    unsigned writer = player->writer();
    fail_msg("%s:%u: %s: %s; the writer is %c, the state is %s", line->file, line->number,
             line->text, what, writer < SCENARIO_SERVERS ? 'a' + (int)writer : '-',
             cluster_state_name(player->state()));
}

static bool take(struct line *line, const char *words)
{
    size_t len = strlen(words);
    if (strncmp(line->rest, words, len) != 0)
        return false;
    line->rest += len;
    return true;
}

static unsigned take_server(struct line *line)
{
    unsigned server = (unsigned)(unsigned char)line->rest[0] - 'a';
    if (server >= SCENARIO_SERVERS || (line->rest[1] != ' ' && line->rest[1] != '\0'))
        wrong(line, "no server is called so");
    line->rest += 1 + (line->rest[1] == ' ');
    return server;
}

/* ---- what is seen ---- */

static bool is(const char *state)
{
    return *state == '\0' || strcmp(cluster_state_name(player->state()), state) == 0;
}

static void wait_until(const struct line *line, unsigned server, const char *state)
{
    for (unsigned ms = 0; player->writer() != server || !is(state); ms += STEP_MS) {
        if (ms > SOON_MS)
            wrong(line, "not within a minute");
        player->run(STEP_MS);
    }
}

static void stays(const struct line *line, unsigned server, const char *state)
{
    if (player->writer() != server)
        wrong(line, "it does not");
    wait_until(line, server, state);
    for (unsigned ms = 0; ms < WHILE_MS; ms += STEP_MS) {
        if (player->writer() != server || !is(state))
            wrong(line, "it does not");
        player->run(STEP_MS);
    }
}

static void see(struct line *line)
{
    unsigned server = take_server(line);
    if (take(line, "is followed") && *line->rest == '\0')
        wait_until(line, server, cluster_state_name(CLUSTER_STEADY));
    else if (take(line, "stays") && (*line->rest == '\0' || take(line, ", ")))
        stays(line, server, line->rest);
    else
        wrong(line, "these words are not known");
}

/* ---- what happens ---- */

static void act(struct line *line)
{
    unsigned server = take_server(line);
    enum scenario_act found = 0;
    while (found < ACT_COUNT && strcmp(line->rest, acts[found]) != 0)
        found++;
    if (found == ACT_COUNT)
        wrong(line, "these words are not known");
    player->act(found, server);
    player->run(PAUSE_MS);
}

static void name(struct line *line)
{
    unsigned server = take_server(line);
    if (player->name)
        player->name(server);
    player->run(PAUSE_MS);
}

static void play_line(struct line *line)
{
    line->text[strcspn(line->text, "#\n")] = '\0';
    line->rest = line->text;
    if (*line->rest == '\0')
        return;
    if (take(line, "then "))
        see(line);
    else if (take(line, "DNS names "))
        name(line);
    else
        act(line);
}

static void play(void **state)
{
    struct line line = {.file = *state};
    FILE *file = fopen(line.file, "r");
    assert_non_null(file);
    for (line.number = 1; fgets(line.text, sizeof(line.text), file); line.number++)
        play_line(&line);
    fclose(file);
}

/* ---- all of them ---- */

/* The state of each test is its file, before the set-up and after it. */
static int set_up(void **state)
{
    void *own = NULL;
    (void)state;
    return player->begin(&own);
}

static int tear_down(void **state)
{
    void *own = NULL;
    (void)state;
    return player->end ? player->end(&own) : 0;
}

int scenario_play_all(const struct scenario_player *of)
{
    struct CMUnitTest tests[FILES_MAX];
    const char *top = getenv("HOMING_SRCDIR");
    char pattern[4096];
    glob_t found;
    player = of;
    snprintf(pattern, sizeof(pattern), "%s/tests/scenarios/*.txt", top ? top : ".");
    if (glob(pattern, 0, NULL, &found) != 0 || found.gl_pathc > FILES_MAX)
        return 1;
    for (size_t i = 0; i < found.gl_pathc; i++)
        tests[i] = (struct CMUnitTest){
            .name = strrchr(found.gl_pathv[i], '/') + 1,
            .test_func = play,
            .setup_func = set_up,
            .teardown_func = tear_down,
            .initial_state = found.gl_pathv[i],
        };
    int failed = _cmocka_run_group_tests("scenarios", tests, found.gl_pathc, NULL, NULL);
    globfree(&found);
    return failed;
}
