/* SPDX-License-Identifier: Apache-2.0
 *
 * bad.c - runs the cases of bad.txt: bad configurations and the exact lines that they are
 * answered with. Only what no text file can hold stands here.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/conf/conf.h"
#include "agent/probe/engines/postgresql/postgresql_kind.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

enum {
    TESTS_MAX = 100
};

/* One that is here to stay: the errors list them all. */
static const struct engine_kind *const engines[] = {&engine_kind_postgresql, NULL};

static int leave_folder(void **state)
{
    unlink("t.yaml");
    return folder_leave(state);
}

/* What conf_load() prints, without the file's name; the caller frees. */
static char *load(const char *yaml, size_t len, int *ret_r)
{
    static struct conf *const untouched = (struct conf *)&folder;
    struct conf *conf = untouched;
    char *answer = NULL;
    size_t size;
    FILE *file = fopen("t.yaml", "w");
    assert_int_equal(fwrite(yaml, 1, len, file), len);
    fclose(file);
    FILE *out = open_memstream(&answer, &size);
    *ret_r = conf_load("t.yaml", engines, out, &conf);
    fclose(out);
    if (*ret_r == 0)
        conf_free(conf);
    else
        assert_ptr_equal(conf, untouched);
    for (char *name = answer; (name = strstr(name, "t.yaml:"));)
        memmove(name, name + 7, strlen(name + 7) + 1);
    return answer;
}

/* All lines being warnings, or there being none, is what success is. */
static int expected_result(const char *answer)
{
    for (const char *line = answer; *line != '\0'; line = strchr(line, '\n') + 1)
        if (strncmp(strchr(strchr(line, ':') + 1, ':'), ": warning: ", 11) != 0)
            return -EINVAL;
    return 0;
}

static void check(const char *yaml, size_t len, const char *expected)
{
    int rv;
    char *answer = load(yaml, len, &rv);
    assert_string_equal(answer, expected);
    assert_int_equal(rv, expected_result(expected));
    free(answer);
}

/* *state: the pairs below one sentence of bad.txt. */
static void each_is_answered_as_written(void **state)
{
    char *pair = *state;
    while (pair) {
        char *next = strstr(pair, "====\n");
        char *answer = strncmp(pair, "----\n", 5) == 0 ? pair : strstr(pair, "\n----\n") + 1;
        if (next)
            *next = '\0';
        check(pair, (size_t)(answer - pair), answer + 5);
        pair = next ? next + 5 : NULL;
    }
}

static void bytes_that_are_not_text_are_refused(void **state)
{
    (void)state;
    check("a:\n  b\0c\n", 9, "2:4: not text: a NUL byte; save the file as UTF-8\n");
    check("a: \xff\n", 5, "1:4: not text: invalid leading UTF-8 octet; save the file as UTF-8\n");
    check("a: \"\x01\"\n", 7,
          "1:5: not text: control characters are not allowed; save the file as UTF-8\n");
    check("\xff\xfe"
          "a\0",
          4, "1:4: not text: a NUL byte; save the file as UTF-8\n");
}

static void a_byte_order_mark_is_no_column(void **state)
{
    static const char yaml[] = "\xef\xbb\xbf"
                               "agent: {}\nclusters: []\n";
    (void)state;
    check(yaml, sizeof(yaml) - 1, "2:11: warning: no clusters; this agent has nothing to do\n");
    check(yaml, 3, "1:1: the file is empty; an agent without clusters is written 'clusters: []'\n");
    check(yaml, 2, "1:1: not text: incomplete UTF-8 octet sequence; save the file as UTF-8\n");
}

static void a_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct conf *conf = NULL;
    char *answer = NULL;
    size_t size;
    FILE *out = open_memstream(&answer, &size);
    assert_int_equal(conf_load("/nowhere/homing.yaml", engines, out, &conf), -ENOENT);
    assert_int_equal(conf_load("/", engines, out, &conf), -EISDIR);
    fclose(out);
    assert_string_equal(answer, "/nowhere/homing.yaml: cannot be read: No such file or directory; "
                                "check the path and its permissions\n"
                                "/: cannot be read: Is a directory; "
                                "check the path and its permissions\n");
    free(answer);
}

static void more_errors_than_fit_are_counted(void **state)
{
    (void)state;
    char yaml[4096] = "";
    int rv;
    for (int i = 0; i < 60; i++)
        snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml), "unknown%d: x\n", i);
    char *answer = load(yaml, strlen(yaml), &rv);
    assert_int_equal(rv, -EINVAL);
    assert_non_null(strstr(answer, "\n50:1: unknown key 'unknown49'; "));
    assert_non_null(strstr(answer, "\n 10 more errors; correct these first\n"));
    free(answer);
}

static char *read_cases(void)
{
    char path[4096];
    static char *text; /* static: gcc 12 takes it for dangling otherwise */
    size_t size = 0;
    const char *top = getenv("HOMING_SRCDIR");
    snprintf(path, sizeof(path), "%s/tests/unit/conf/bad.txt", top ? top : ".");
    FILE *file = fopen(path, "r");
    if (!file || getdelim(&text, &size, '\0', file) < 0) {
        perror(path);
        exit(1);
    }
    fclose(file);
    return text;
}

int main(void)
{
    struct CMUnitTest tests[TESTS_MAX] = {
        TEST(bytes_that_are_not_text_are_refused),
        TEST(a_byte_order_mark_is_no_column),
        TEST(a_file_that_is_not_there_is_named),
        TEST(more_errors_than_fit_are_counted),
    };
    size_t count = 3;
    char *text = read_cases();
    for (char *at = strstr(text, "\n==== "); at && count < TESTS_MAX;) {
        char *name = at + 6;
        at = strstr(name, "\n==== ");
        char *end = strchr(name, '\n');
        *end = '\0';
        if (at)
            at[1] = '\0';
        tests[count++] = (struct CMUnitTest){
            .name = name, .test_func = each_is_answered_as_written, .initial_state = end + 1};
    }
    int failed = _cmocka_run_group_tests("conf_bad", tests, count, folder_enter, leave_folder);
    free(text);
    return failed;
}
