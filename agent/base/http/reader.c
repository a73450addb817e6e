/* SPDX-License-Identifier: Apache-2.0
 *
 * reader.c - as reader.h says. Called by client.c.
 *
 * Lines are gathered into one buffer, and read when they are whole; a body is copied as it comes.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "agent/base/http/reader.h"

static void fail(struct http_reader *r, const char *wrong)
{
    r->state = HTTP_FAILED;
    r->wrong = wrong;
}

void http_reader_init(struct http_reader *r, size_t body_max)
{
    *r = (struct http_reader){.part = HTTP_STATUS_LINE, .body_max = body_max};
}

void http_reader_done(struct http_reader *r)
{
    free(r->body);
    r->body = NULL;
    r->body_count = r->body_size = 0;
}

/* Numbers and dates. */

/* `digits` decimal digits at *at, which goes on behind them. */
static bool take_number(const char **at, int digits, int *ret)
{
    int value = 0;

    for (; digits > 0; digits--, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        value = value * 10 + (**at - '0');
    }
    *ret = value;
    return true;
}

static bool take_text(const char **at, const char *text)
{
    size_t length = strlen(text);

    if (strncmp(*at, text, length) != 0)
        return false;
    *at += length;
    return true;
}

static bool take_month(const char **at, int *ret)
{
    static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (*ret = 0; *ret < 12; (*ret)++)
        if (strncmp(*at, MONTHS + 3 * *ret, 3) == 0) {
            *at += 3;
            return true;
        }
    return false;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", the one form that may be sent; 0: it is another one. */
static int64_t parse_date(const char *at)
{
    struct tm tm = {.tm_isdst = 0};

    if (strlen(at) != 29 || at[3] != ',')
        return 0;
    at += 4;
    if (!take_text(&at, " ") || !take_number(&at, 2, &tm.tm_mday) || !take_text(&at, " ") ||
        !take_month(&at, &tm.tm_mon) || !take_text(&at, " ") || !take_number(&at, 4, &tm.tm_year) ||
        !take_text(&at, " ") || !take_number(&at, 2, &tm.tm_hour) || !take_text(&at, ":") ||
        !take_number(&at, 2, &tm.tm_min) || !take_text(&at, ":") ||
        !take_number(&at, 2, &tm.tm_sec) || strcmp(at, " GMT") != 0)
        return 0;
    if (tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
        return 0;
    tm.tm_year -= 1900;
    time_t seconds = timegm(&tm);
    return seconds > 0 ? seconds : 0;
}

/* Up to 18 digits, and nothing else. */
static bool parse_length(const char *text, uint64_t *ret)
{
    size_t count = strspn(text, "0123456789");

    if (count == 0 || count > 18 || text[count] != '\0')
        return false;
    *ret = strtoull(text, NULL, 10);
    return true;
}

/* Up to 8 hex digits; what may follow them is an extension that nobody uses. */
static bool parse_chunk_size(const char *text, uint64_t *ret)
{
    size_t count = strspn(text, "0123456789abcdefABCDEF");

    if (count == 0 || count > 8)
        return false;
    *ret = strtoull(text, NULL, 16);
    text += count + strspn(text + count, " \t");
    return *text == '\0' || *text == ';';
}

/* The body. */

/* As much room as is needed, doubled until then; the NUL has its own byte. */
static bool body_reserve(struct http_reader *r, size_t wanted)
{
    size_t size = r->body_size == 0 ? 1024 : r->body_size;

    while (size <= wanted)
        size *= 2;
    if (size == r->body_size)
        return true;
    char *body = realloc(r->body, size);
    if (!body)
        return false;
    r->body = body;
    r->body_size = size;
    return true;
}

static void body_add(struct http_reader *r, const uint8_t *bytes, size_t count)
{
    if (count > r->body_max - r->body_count) {
        fail(r, "answers with more than is looked at");
        return;
    }
    if (!body_reserve(r, r->body_count + count)) {
        fail(r, "could not be heard: out of memory");
        return;
    }
    memcpy(r->body + r->body_count, bytes, count);
    r->body_count += count;
    r->body[r->body_count] = '\0';
}

/* Takes what there is of the part that `left` counts; returns how much. */
static size_t take_counted(struct http_reader *r, const uint8_t *bytes, size_t count)
{
    size_t n = count < r->left ? count : (size_t)r->left;

    body_add(r, bytes, n);
    r->left -= n;
    if (r->left == 0 && r->state == HTTP_READING) {
        if (r->part == HTTP_CHUNK)
            r->part = HTTP_CHUNK_END;
        else
            r->state = HTTP_DONE;
    }
    return n;
}

/* Lines. */

/* "HTTP/1.1 200 OK"; the words at its end, and the blank before them, may be missing. */
static void read_status(struct http_reader *r, const char *line)
{
    int minor, status;

    if (!take_text(&line, "HTTP/1.") || !take_number(&line, 1, &minor) || !take_text(&line, " ") ||
        !take_number(&line, 3, &status) || (*line != '\0' && *line != ' ') || status < 100) {
        fail(r, "answers with something that is not HTTP/1.1");
        return;
    }
    r->status = (unsigned)status;
    r->headers = 0;
    r->framing = HTTP_UNTIL_CLOSED;
    r->counted = false;
    r->date = 0;
    r->part = HTTP_HEADER;
}

static void read_length(struct http_reader *r, const char *value)
{
    uint64_t length;

    if (!parse_length(value, &length) || (r->counted && length != r->left)) {
        fail(r, "says in two ways, or in none, how long its answer is (Content-Length)");
        return;
    }
    r->counted = true;
    r->left = length;
    if (r->framing == HTTP_UNTIL_CLOSED)
        r->framing = HTTP_COUNTED;
}

static void read_coding(struct http_reader *r, const char *value)
{
    if (strcasecmp(value, "chunked") != 0 || r->framing == HTTP_CHUNKED)
        fail(r, "sends its answer in a coding that was not asked for (Transfer-Encoding)");
    r->framing = HTTP_CHUNKED;
}

/* A name, a colon at once behind it, and a value between blanks. */
static void read_header(struct http_reader *r, char *line)
{
    char *colon = strchr(line, ':');

    if (!colon || colon == line || strcspn(line, " \t") < (size_t)(colon - line)) {
        fail(r, "sends a header that is none");
        return;
    }
    *colon = '\0';
    char *value = colon + 1 + strspn(colon + 1, " \t");
    for (size_t n = strlen(value); n > 0 && strchr(" \t", value[n - 1]); n--)
        value[n - 1] = '\0';
    if (strcasecmp(line, "content-length") == 0)
        read_length(r, value);
    else if (strcasecmp(line, "transfer-encoding") == 0)
        read_coding(r, value);
    else if (strcasecmp(line, "date") == 0)
        r->date = parse_date(value);
}

static bool counts_header(struct http_reader *r)
{
    if (++r->headers <= HTTP_HEADERS_MAX)
        return true;
    fail(r, "sends headers without end");
    return false;
}

/* The empty line: what comes next follows from the headers. */
static void end_headers(struct http_reader *r)
{
    if (r->status < 200) {
        if (r->status == 101 || ++r->interims > HTTP_INTERIMS_MAX)
            fail(r, "does not come to its answer");
        r->part = HTTP_STATUS_LINE;
    } else if (r->framing == HTTP_CHUNKED && r->counted) {
        fail(r, "says in two ways, or in none, how long its answer is (Content-Length)");
    } else if (r->status == 204 || r->status == 304 ||
               (r->framing == HTTP_COUNTED && r->left == 0)) {
        r->state = HTTP_DONE;
    } else {
        r->part = r->framing == HTTP_CHUNKED ? HTTP_CHUNK_SIZE : HTTP_BODY;
    }
}

static void read_chunk_size(struct http_reader *r, const char *line)
{
    if (!parse_chunk_size(line, &r->left))
        fail(r, "sends a chunk without a length");
    r->part = r->left > 0 ? HTTP_CHUNK : HTTP_TRAILER;
}

static void read_line(struct http_reader *r, char *line)
{
    switch (r->part) {
    case HTTP_STATUS_LINE:
        read_status(r, line);
        break;
    case HTTP_HEADER:
        if (*line == '\0')
            end_headers(r);
        else if (counts_header(r))
            read_header(r, line);
        break;
    case HTTP_CHUNK_SIZE:
        read_chunk_size(r, line);
        break;
    case HTTP_CHUNK_END:
        if (*line != '\0')
            fail(r, "sends a chunk that is longer than it says");
        r->part = HTTP_CHUNK_SIZE;
        break;
    default: /* HTTP_TRAILER */
        if (*line == '\0')
            r->state = HTTP_DONE;
        else
            counts_header(r);
    }
}

/* One byte of a line. It ends with CR LF, or LF alone; no other control character is in it but TAB. */
static void take_line_byte(struct http_reader *r, uint8_t byte)
{
    if (byte == '\n') {
        if (r->line_count > 0 && r->line[r->line_count - 1] == '\r')
            r->line_count--;
        r->line[r->line_count] = '\0';
        r->line_count = 0;
        read_line(r, r->line);
        return;
    }
    bool after_cr = r->line_count > 0 && r->line[r->line_count - 1] == '\r';
    if (after_cr || byte == 0x7f || (byte < ' ' && byte != '\t' && byte != '\r'))
        fail(r, r->status == 0 ? "answers with something that is not HTTP/1.1"
                               : "sends a header that is none");
    else if (r->line_count == HTTP_LINE_SIZE - 1)
        fail(r, r->status == 0 ? "answers with something that is not HTTP/1.1"
                               : "sends a header without end");
    else
        r->line[r->line_count++] = (char)byte;
}

static size_t take_some(struct http_reader *r, const uint8_t *bytes, size_t count)
{
    if (r->part == HTTP_CHUNK || (r->part == HTTP_BODY && r->framing == HTTP_COUNTED))
        return take_counted(r, bytes, count);
    if (r->part == HTTP_BODY) {
        body_add(r, bytes, count);
        return count;
    }
    take_line_byte(r, *bytes);
    return 1;
}

void http_reader_take(struct http_reader *r, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;

    while (count > 0 && r->state == HTTP_READING) {
        size_t n = take_some(r, at, count);
        at += n;
        count -= n;
    }
}

void http_reader_end(struct http_reader *r)
{
    if (r->state != HTTP_READING)
        return;
    if (r->part == HTTP_BODY && r->framing == HTTP_UNTIL_CLOSED)
        r->state = HTTP_DONE;
    else if (r->part == HTTP_STATUS_LINE && r->line_count == 0)
        fail(r, "has closed the connection without an answer");
    else
        fail(r, "has closed the connection in the middle of its answer");
}
