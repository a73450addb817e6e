/* SPDX-License-Identifier: Apache-2.0
 *
 * reader.h - an answer of HTTP/1.0 or 1.1, byte by byte as it comes. Pure: no socket, no clock.
 *
 * One pass: client.c hands what it receives to http_reader_take(), and says with http_reader_end()
 * that no more will come. When the state is HTTP_DONE, status, date and body are the answer.
 *
 * 1. An answer is strict, whole, or HTTP_FAILED: what could be read in two ways is not read at all.
 * 2. What is kept is bounded: one line, and `body_max` bytes of body.
 * 3. What follows the answer to the one question is not looked at.
 */
#ifndef HOMING_AGENT_BASE_HTTP_READER_H
#define HOMING_AGENT_BASE_HTTP_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* Longest line, with its final NUL. Servers send some 100 bytes; those that set cookies, 4096. */
    HTTP_LINE_SIZE = 4096,
    /* Lines of headers, and those behind the last chunk. */
    HTTP_HEADERS_MAX = 64,
    /* Interim answers (1xx) before the one that counts. */
    HTTP_INTERIMS_MAX = 4,
};

enum http_state {
    HTTP_READING,
    HTTP_DONE,
    HTTP_FAILED, /* `wrong` says why */
};

/* How the end of the body is told. */
enum http_framing {
    HTTP_UNTIL_CLOSED,
    HTTP_COUNTED, /* Content-Length */
    HTTP_CHUNKED,
};

/* What comes next. */
enum http_part {
    HTTP_STATUS_LINE,
    HTTP_HEADER,
    HTTP_BODY,
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK,
    HTTP_CHUNK_END,
    HTTP_TRAILER,
};

struct http_reader {
    enum http_state state;
    const char *wrong; /* of HTTP_FAILED: what the server does, to go on after "the server" */
    unsigned status;   /* 0: the line with it has not come yet */
    int64_t date;      /* the server's clock, in seconds since 1970; 0: it does not say */
    char *body;        /* with a NUL behind it; NULL while there is none */
    size_t body_count;

    enum http_part part;
    enum http_framing framing;
    bool counted;  /* there was a Content-Length */
    uint64_t left; /* of the body, or of the chunk */
    uint32_t headers, interims;
    size_t body_size, body_max;
    size_t line_count;
    char line[HTTP_LINE_SIZE];
};

/* A body of more than `body_max` bytes is a failure. */
void http_reader_init(struct http_reader *r, size_t body_max);
void http_reader_take(struct http_reader *r, const void *bytes, size_t count);
/* The server has closed its side. */
void http_reader_end(struct http_reader *r);
/* Frees the body. */
void http_reader_done(struct http_reader *r);

#endif
