/* SPDX-License-Identifier: Apache-2.0
 *
 * log.c - tests of agent/base/log.c: what arrives at stderr, byte for byte. Each test uses events
 * of its own, because the rate limit is counted per event.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "tests/support/test.h"

int __real_clock_gettime(clockid_t clock, struct timespec *ret_now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now);

static time_t clock_ahead;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now)
{
    int rv = __real_clock_gettime(clock, ret_now);
    ret_now->tv_sec += clock_ahead;
    return rv;
}

static int capture[2];
static char output[65536 + 1];

static int rig_setup(void **state)
{
    (void)state;
    return pipe2(capture, O_NONBLOCK | O_CLOEXEC);
}

static int rig_teardown(void **state)
{
    (void)state;
    close(capture[0]);
    close(capture[1]);
    return 0;
}

/* stderr is ours only while a line is written: cmocka reports there. */
#define CAPTURE(statement)                                                                         \
    do {                                                                                           \
        int saved = dup(STDERR_FILENO);                                                            \
        dup2(capture[1], STDERR_FILENO);                                                           \
        statement;                                                                                 \
        dup2(saved, STDERR_FILENO);                                                                \
        close(saved);                                                                              \
    } while (0)

static const char *drain(void)
{
    ssize_t len = read(capture[0], output, sizeof(output) - 1);
    output[len > 0 ? len : 0] = '\0';
    return output;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        count++;
    return count;
}

/* The line after its time, which is checked here. */
static const char *after_time(const char *line, const char *prefix)
{
    const char *shape = "dddd-dd-ddTdd:dd:dd.dddZ";
    size_t skip = strlen(prefix);
    assert_memory_equal(line, prefix, skip);
    for (line += skip; *shape != '\0'; shape++, line++)
        assert_true(*shape == 'd' ? *line >= '0' && *line <= '9' : *line == *shape);
    return line;
}

static void a_json_line_has_time_level_event_message_and_fields(void **state)
{
    (void)state;
    log_init(true, LOG_INFO);
    CAPTURE(log_event(LOG_WARNING, "test_json", "orders: db-a \u2192 db-b",
                      LOG_STR("cluster", "orders"), LOG_INT("ms", -12), LOG_BOOL("late", true),
                      LOG_STR("none", NULL)));
    assert_string_equal(
        after_time(drain(), "{\"time\":\""),
        "\",\"level\":\"warning\",\"event\":\"test_json\",\"message\":\"orders: db-a "
        "\u2192 db-b\",\"cluster\":\"orders\",\"ms\":-12,\"late\":true,\"none\":null}\n");
}

static void plain_text_quotes_only_what_needs_it(void **state)
{
    (void)state;
    log_init(false, LOG_INFO);
    CAPTURE(log_event(LOG_ERROR, "test_plain", "it broke", LOG_STR("host", "db-a"),
                      LOG_STR("text", "no \"route\""), LOG_STR("empty", "")));
    assert_string_equal(after_time(drain(), ""), " error test_plain: it broke host=db-a text=\"no "
                                                 "\\\"route\\\"\" empty=\"\"\n");
}

static void hostile_bytes_are_escaped(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a\nb\tc\rd", "a\\nb\\tc\\u000dd"},
        {"\x1b[31mred\x7f", "\\u001b[31mred\\u007f"},
        {"quote \" and \\", "quote \\\" and \\\\"},
        {"C1 \xc2\x9b", "C1 \\u009b"},
        {"turned \u202e15\u2066 \u200f.", "turned \\u202e15\\u2066 \\u200f."},
        {"tag \U000e0021.", "tag \\udb40\\udc21."},
        {"lone \xff\x80", "lone \xef\xbf\xbd\xef\xbf\xbd"},
        {"overlong \xc0\xaf", "overlong \xef\xbf\xbd\xef\xbf\xbd"},
        {"overlong \xe0\x80\xaf.", "overlong \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd."},
        {"surrogate \xed\xa0\x80.", "surrogate \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd."},
        {"beyond \xf4\x90\x80\x80.", "beyond \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd."},
        {"cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd"},
        {"good \u00e9\u20ac\U0001f600", "good \u00e9\u20ac\U0001f600"},
    };
    log_init(true, LOG_INFO);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[128];
        snprintf(expected, sizeof(expected), "\",\"f\":\"%s\"}\n", cases[i][1]);
        CAPTURE(log_event(LOG_INFO, "test_bytes", "m", LOG_STR("f", cases[i][0])));
        assert_non_null(strstr(drain(), expected));
    }
}

static void a_long_line_is_cut_but_stays_one_whole_object(void **state)
{
    (void)state;
    static char bytes[10000];
    memset(bytes, '\x01', sizeof(bytes) - 1); /* six bytes each when escaped */
    log_init(true, LOG_INFO);
    CAPTURE(log_event(LOG_INFO, "test_long", bytes, LOG_STR("a", bytes), LOG_STR("b", "lost")));
    const char *line = drain();
    size_t len = strlen(line);
    assert_true(len <= 4096);
    assert_null(strstr(line, "\"b\""));
    assert_string_equal(line + len - 19, ",\"truncated\":true}\n");
}

static void lines_below_the_least_level_are_not_written(void **state)
{
    (void)state;
    log_init(true, LOG_WARNING);
    CAPTURE(log_event(LOG_INFO, "test_level", "m"));
    assert_string_equal(drain(), "");
}

static void a_burst_of_one_event_is_cut_and_counted_and_others_are_not(void **state)
{
    (void)state;
    log_init(true, LOG_INFO);
    CAPTURE(for (int i = 0; i < 3 * LOG_BURST; i++) log_event(LOG_INFO, "test_burst", "m"));
    CAPTURE(log_event(LOG_INFO, "test_other", "m"));
    drain();
    assert_int_equal(count_of(output, "test_burst"), LOG_BURST);
    assert_int_equal(count_of(output, "test_other"), 1);
    clock_ahead += 10;
    CAPTURE(log_event(LOG_INFO, "test_burst", "m"));
    assert_non_null(strstr(drain(), ",\"suppressed\":40}\n"));
    CAPTURE(log_event(LOG_INFO, "test_burst", "m"));
    assert_null(strstr(drain(), "suppressed"));
}

static void a_full_pipe_loses_lines_but_never_halves_and_never_blocks(void **state)
{
    (void)state;
    static char bytes[1501];
    memset(bytes, 'x', sizeof(bytes) - 1);
    log_init(true, LOG_INFO);
    errno = 4711;
    for (int i = 0; i < 100; i++) {
        char event[24];
        snprintf(event, sizeof(event), "full_%d", i);
        CAPTURE(log_event(LOG_INFO, event, bytes));
    }
    assert_int_equal(errno, 4711);
    drain();
    assert_int_equal(count_of(output, "}\n"), count_of(output, "{\"time\""));
    CAPTURE(log_event(LOG_INFO, "test_again", "m"));
    after_time(drain(), "{\"time\":\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, a_json_line_has_time_level_event_message_and_fields),
        TEST_IN(rig, plain_text_quotes_only_what_needs_it),
        TEST_IN(rig, hostile_bytes_are_escaped),
        TEST_IN(rig, a_long_line_is_cut_but_stays_one_whole_object),
        TEST_IN(rig, lines_below_the_least_level_are_not_written),
        TEST_IN(rig, a_burst_of_one_event_is_cut_and_counted_and_others_are_not),
        TEST_IN(rig, a_full_pipe_loses_lines_but_never_halves_and_never_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
