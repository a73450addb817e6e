/* SPDX-License-Identifier: Apache-2.0
 *
 * http_reader.c - what a hostile server of HTTP answers. The first byte of the input is how many bytes
 * arrive at a time (0: all). Whatever comes, what is kept is bounded, and the answer is the same however
 * it is cut into pieces.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/http/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY_MAX 512

static void must(bool good)
{
    if (!good)
        abort();
}

static void take(struct http_reader *r, const uint8_t *data, size_t size, size_t piece)
{
    http_reader_init(r, BODY_MAX);
    for (size_t at = 0; at < size; at += piece)
        http_reader_take(r, data + at, piece < size - at ? piece : size - at);
    http_reader_end(r);
    must(r->state == HTTP_DONE || r->state == HTTP_FAILED);
    must((r->state == HTTP_FAILED) == !!r->wrong);
    must(r->body_count <= BODY_MAX && r->body_size <= 4 * BODY_MAX &&
         r->line_count < HTTP_LINE_SIZE);
    must(r->body_count == 0 || r->body[r->body_count] == '\0');
    must(r->state == HTTP_FAILED || (r->status >= 200 && r->status <= 999));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_reader whole, pieces;
    if (size < 2)
        return 0;
    take(&whole, data + 1, size - 1, size - 1);
    take(&pieces, data + 1, size - 1, data[0] == 0 ? size - 1 : data[0]);
    must(whole.state == pieces.state && whole.wrong == pieces.wrong);
    must(whole.status == pieces.status && whole.date == pieces.date);
    must(whole.state == HTTP_FAILED || whole.body_count == pieces.body_count);
    must(whole.state == HTTP_FAILED || whole.body_count == 0 ||
         memcmp(whole.body, pieces.body, whole.body_count) == 0);
    http_reader_done(&whole);
    http_reader_done(&pieces);
    return 0;
}
