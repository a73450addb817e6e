/* SPDX-License-Identifier: Apache-2.0
 *
 * http_reader.c - answers of HTTP as they may come, in one piece and byte by byte, and what is refused.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/http/reader.h"
#include "tests/support/test.h"

#define BODY_MAX 100

static struct http_reader r;

static void take(const char *text, size_t piece, bool end)
{
    size_t left = strlen(text);

    http_reader_done(&r);
    http_reader_init(&r, BODY_MAX);
    for (; left > 0; text += piece < left ? piece : left, left -= piece < left ? piece : left)
        http_reader_take(&r, text, piece < left ? piece : left);
    if (end)
        http_reader_end(&r);
}

static void assert_answer(const char *text, bool end, unsigned status, const char *body)
{
    const size_t pieces[] = {1, 2, 7, 10000};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        take(text, pieces[i], end);
        if (r.state != HTTP_DONE)
            fail_msg("%s: %s", text, r.wrong ? r.wrong : "it is not over");
        assert_int_equal(r.status, status);
        assert_string_equal(r.body ? r.body : "", body);
        assert_int_equal(r.body_count, strlen(body));
    }
}

static void assert_refused(const char *text, const char *why)
{
    for (size_t piece = 1; piece < 20; piece++) {
        take(text, piece, false);
        if (r.state != HTTP_FAILED || !strstr(r.wrong, why))
            fail_msg("%s: %s", text, r.state == HTTP_FAILED ? r.wrong : "taken");
    }
}

static void a_body_is_counted_chunked_or_ends_with_the_connection(void **state)
{
    (void)state;
    assert_answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, 200, "hello");
    assert_answer("HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: Chunked\r\n\r\n"
                  "3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n",
                  false, 503, "hello");
    assert_answer("HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello", true, 200, "hello");
    assert_answer("HTTP/1.0 200\nServer: x\n\nhello", true, 200, "hello");
    assert_answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, 200, "");
    assert_answer("HTTP/1.1 204 No Content\r\n\r\n", false, 204, "");
    assert_answer("HTTP/1.1 200 OK\r\ncontent-length:\t2 \r\nContent-Length: 2\r\n\r\nhi", false,
                  200, "hi");
}

static void what_follows_an_answer_is_not_looked_at(void **state)
{
    (void)state;
    assert_answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 500 No\r\n", false, 200,
                  "hi");
}

static void interim_answers_are_passed_over(void **state)
{
    (void)state;
    assert_answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nContent-Length: 9\r\n\r\n"
                  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
                  false, 200, "hi");
    assert_refused("HTTP/1.1 101 Switching Protocols\r\n\r\n", "does not come to its answer");
    assert_refused("HTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 a\r\n\r\n"
                   "HTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 a\r\n\r\n",
                   "does not come to its answer");
}

static void the_servers_clock_is_read_from_its_date(void **state)
{
    static const char *const WRONG[] = {
        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 CET",  "Sun, 06 Nox 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 28:49:37 GMT",  "",
    };
    char text[200];
    (void)state;
    take("HTTP/1.1 204 No\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n", 100, false);
    assert_int_equal(r.date, 784111777);
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        snprintf(text, sizeof(text), "HTTP/1.1 204 No\r\nDate: %s\r\n\r\n", WRONG[i]);
        take(text, 200, false);
        assert_int_equal(r.state, HTTP_DONE);
        assert_int_equal(r.date, 0);
    }
}

static void what_is_not_http_is_refused_at_its_first_line(void **state)
{
    (void)state;
    assert_refused("\x15\x03\x03\x00\x02\x02\x46", "not HTTP/1.1");
    assert_refused("SSH-2.0-OpenSSH_9.2\r\n", "not HTTP/1.1");
    assert_refused("HTTP/2 200 OK\r\n", "not HTTP/1.1");
    assert_refused("HTTP/1.1 20 OK\r\n", "not HTTP/1.1");
    assert_refused("HTTP/1.1 2000 OK\r\n", "not HTTP/1.1");
    assert_refused("HTTP/1.1 099 OK\r\n", "not HTTP/1.1");
    assert_refused(" HTTP/1.1 200 OK\r\n", "not HTTP/1.1");
}

static void what_can_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    assert_refused("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "two ways");
    assert_refused("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", "two ways");
    assert_refused("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", "two ways");
    assert_refused("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                   "two ways");
    assert_refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "a coding");
    assert_refused(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "a coding");
    assert_refused("HTTP/1.1 200 OK\r\nServer: x\r\n y\r\n\r\n", "a header that is none");
    assert_refused("HTTP/1.1 200 OK\r\nServer : x\r\n\r\n", "a header that is none");
    assert_refused("HTTP/1.1 200 OK\r\nServer\r\n\r\n", "a header that is none");
    assert_refused("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", "a header that is none");
    assert_refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
                   "without a length");
    assert_refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n123456789\r\n",
                   "without a length");
    assert_refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
                   "longer than it says");
}

static void lines_headers_and_bodies_have_a_ceiling(void **state)
{
    char text[HTTP_LINE_SIZE * 3] = "HTTP/1.1 200 OK\r\nX: ";
    (void)state;
    memset(text + strlen(text), 'x', HTTP_LINE_SIZE);
    assert_refused(text, "a header without end");
    strcpy(text, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i <= HTTP_HEADERS_MAX; i++)
        strcat(text, "A: b\r\n");
    assert_refused(text, "headers without end");
    strcpy(text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    for (int i = 0; i <= HTTP_HEADERS_MAX; i++)
        strcat(text, "A: b\r\n");
    assert_refused(text, "headers without end");
    strcpy(text, "HTTP/1.1 200 OK\r\n\r\n");
    memset(text + strlen(text), 'x', BODY_MAX + 1);
    assert_refused(text, "more than is looked at");
    strcpy(text, "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n");
    memset(text + strlen(text), 'x', BODY_MAX + 1);
    assert_refused(text, "more than is looked at");
}

static void an_answer_that_is_cut_off_is_none(void **state)
{
    static const char *const CUT[] = {
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nH",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CUT) / sizeof(CUT[0]); i++) {
        take(CUT[i], 3, true);
        assert_int_equal(r.state, HTTP_FAILED);
        assert_string_equal(r.wrong, "has closed the connection in the middle of its answer");
    }
    take("", 1, true);
    assert_string_equal(r.wrong, "has closed the connection without an answer");
}

static int leave(void **state)
{
    (void)state;
    http_reader_done(&r);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_body_is_counted_chunked_or_ends_with_the_connection),
        TEST(what_follows_an_answer_is_not_looked_at),
        TEST(interim_answers_are_passed_over),
        TEST(the_servers_clock_is_read_from_its_date),
        TEST(what_is_not_http_is_refused_at_its_first_line),
        TEST(what_can_be_read_in_two_ways_is_refused),
        TEST(lines_headers_and_bodies_have_a_ceiling),
        TEST(an_answer_that_is_cut_off_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, leave);
}
