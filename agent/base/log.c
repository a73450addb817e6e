/* SPDX-License-Identifier: Apache-2.0
 *
 * log.c - see log.h: one event, one line, one write(2).
 *
 * 1. A line is valid JSON (or safe text) whatever a server answered: control bytes are escaped,
 *    bytes that are not UTF-8 become U+FFFD.
 * 2. A line has at most LOG_LINE_MAX bytes, which a pipe takes whole or not at all. Fields that do
 *    not fit are left out, and the line says "truncated".
 * 3. Never waits: if the descriptor takes nothing, the line is lost. The process ignores SIGPIPE.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "proto/hash.h"
#include "proto/utf8.h"

/* PIPE_BUF. Larger: two processes' lines could mix in one pipe. */
#define LOG_LINE_MAX 4096
/* Kept free for what closes a line. */
#define LOG_TAIL_MAX 64
/* No string takes more than this of a line, so that one long message leaves room for the fields. */
#define LOG_STRING_MAX 2048
/* So many events have a counter of their own; all further events share the last one. */
#define LOG_EVENTS_MAX 128
#define LOG_WINDOW_NS  ((uint64_t)10 * 1000000000)

struct log_line {
    size_t len;
    bool full;
    char bytes[LOG_LINE_MAX];
};

struct log_rate {
    uint32_t hash;
    uint32_t count;
    uint64_t suppressed;
    uint64_t start_ns;
};

static struct {
    bool json;
    enum log_level least;
    bool torn; /* the last line went out in part: begin the next with a newline */
    struct log_rate rates[LOG_EVENTS_MAX];
} log_state = {.least = LOG_INFO};

static const char *const log_level_names[LOG_LEVEL_COUNT] = {"debug", "info", "warning", "error"};

void log_init(bool json, enum log_level least)
{
    log_state.json = json;
    log_state.least = least;
}

static void put(struct log_line *line, const char *bytes, size_t len)
{
    if (line->full || len > LOG_LINE_MAX - LOG_TAIL_MAX - line->len) {
        line->full = true;
        return;
    }
    memcpy(line->bytes + line->len, bytes, len);
    line->len += len;
}

static void put_text(struct log_line *line, const char *text)
{
    put(line, text, strlen(text));
}

static void put_int(struct log_line *line, int64_t num)
{
    char text[24];
    put(line, text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)num));
}

/* `size` 0: the byte is not UTF-8. No character that a terminal acts upon gets through. */
static void put_char(struct log_line *line, const char *text, size_t size, uint32_t code)
{
    char escape[UTF8_ESCAPE_SIZE];
    if (size == 0)
        put_text(line, "\xef\xbf\xbd");
    else if (code == '\n')
        put_text(line, "\\n");
    else if (code == '\t')
        put_text(line, "\\t");
    else if (utf8_is_control(code)) {
        utf8_escape(code, escape);
        put_text(line, escape);
    } else if (code == '"' || code == '\\')
        put(line, (char[]){'\\', (char)code}, 2);
    else
        put(line, text, size);
}

/* The inside of a JSON string. */
static void put_escaped(struct log_line *line, const char *text)
{
    size_t start = line->len, left = strlen(text);
    while (left > 0 && !line->full) {
        uint32_t code = 0;
        size_t size = utf8_next(text, left, &code);
        if (line->len - start > LOG_STRING_MAX) {
            put_text(line, "...");
            return;
        }
        put_char(line, text, size, code);
        size += size == 0;
        text += size;
        left -= size;
    }
}

static void put_string(struct log_line *line, const char *text)
{
    if (!text) {
        put_text(line, "null");
        return;
    }
    put_text(line, "\"");
    put_escaped(line, text);
    put_text(line, "\"");
}

static bool is_word(const char *text)
{
    if (!text || *text == '\0')
        return false;
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text >= 0x7f || *text == '"' || *text == '\\' || *text == '=')
            return false;
    return true;
}

static void put_value(struct log_line *line, const struct log_field *field)
{
    if (field->type == LOG_TYPE_INT)
        put_int(line, field->num);
    else if (field->type == LOG_TYPE_BOOL)
        put_text(line, field->num != 0 ? "true" : "false");
    else if (!log_state.json && is_word(field->str))
        put_text(line, field->str);
    else
        put_string(line, field->str);
}

static void put_field(struct log_line *line, const struct log_field *field)
{
    size_t start = line->len;
    put_text(line, log_state.json ? "," : " ");
    if (log_state.json)
        put_string(line, field->key);
    else
        put_text(line, field->key);
    put_text(line, log_state.json ? ":" : "=");
    put_value(line, field);
    if (line->full)
        line->len = start;
}

static void put_time(struct log_line *line)
{
    struct timespec now;
    struct tm parts;
    char text[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    put(line, text, len);
    snprintf(text, sizeof(text), ".%03dZ", (int)(now.tv_nsec / 1000000));
    put_text(line, text);
}

static void put_head(struct log_line *line, enum log_level level, const char *event,
                     const char *message)
{
    bool json = log_state.json;
    put_text(line, json ? "{\"time\":\"" : "");
    put_time(line);
    put_text(line, json ? "\",\"level\":\"" : " ");
    put_text(line, log_level_names[level]);
    put_text(line, json ? "\",\"event\":\"" : " ");
    put_escaped(line, event);
    put_text(line, json ? "\",\"message\":\"" : ": ");
    put_escaped(line, message);
    put_text(line, json ? "\"" : "");
}

static void close_line(struct log_line *line)
{
    bool truncated = line->full;
    line->len += (size_t)snprintf(line->bytes + line->len, LOG_TAIL_MAX, "%s%s\n",
                                  !truncated       ? ""
                                  : log_state.json ? ",\"truncated\":true"
                                                   : " truncated=true",
                                  log_state.json ? "}" : "");
}

static void write_line(const struct log_line *line)
{
    const char *bytes = line->bytes;
    size_t len = line->len;
    ssize_t written;
    if (!log_state.torn) { /* the newline in front is needed only after a torn line */
        bytes++;
        len--;
    }
    do
        written = write(STDERR_FILENO, bytes, len);
    while (written < 0 && errno == EINTR);
    if (written > 0)
        log_state.torn = (size_t)written < len;
}

static struct log_rate *rate_of(const char *event)
{
    uint32_t hash = (uint32_t)hash_text(event) | 1; /* 0 marks a free counter */
    struct log_rate *rate = log_state.rates;
    while (rate->hash != 0 && rate->hash != hash && rate < &log_state.rates[LOG_EVENTS_MAX - 1])
        rate++;
    if (rate->hash == 0)
        rate->hash = hash;
    return rate;
}

/* Whether this line goes out. *ret_suppressed: how many lines of its event were not let out before
 * it. */
static bool rate_allows(const char *event, uint64_t *ret_suppressed)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    struct log_rate *rate = rate_of(event);
    if (rate->count == 0 || now_ns - rate->start_ns >= LOG_WINDOW_NS) {
        rate->start_ns = now_ns;
        rate->count = 0;
    }
    if (rate->count >= LOG_BURST) {
        rate->suppressed++;
        return false;
    }
    rate->count++;
    *ret_suppressed = rate->suppressed;
    rate->suppressed = 0;
    return true;
}

void log_fields(enum log_level level, const char *event, const char *message,
                const struct log_field *fields, size_t count)
{
    int saved = errno;
    uint64_t suppressed;
    if (level >= log_state.least && rate_allows(event, &suppressed)) {
        struct log_line line;
        line.len = 1;
        line.bytes[0] = '\n';
        line.full = false;
        put_head(&line, level, event, message);
        for (size_t i = 0; i < count; i++)
            put_field(&line, &fields[i]);
        if (suppressed != 0)
            put_field(&line, &LOG_INT("suppressed", suppressed));
        close_line(&line);
        write_line(&line);
    }
    errno = saved;
}
