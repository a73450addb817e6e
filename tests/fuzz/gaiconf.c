/* SPDX-License-Identifier: Apache-2.0
 *
 * gaiconf.c - any bytes as a gai.conf: what they say does not depend on the pieces in which they are
 * read, and a prefix of an address is at most as long as one.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "shim/view/gaiconf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t addresses[GAICONF_ADDRESSES][16] = {
    {[10] = 0xff, 0xff, 192, 0, 2, 1}, {[15] = 1}, {0x2a, 0x00, [15] = 1}, {0xfd, [15] = 9}};

static void feed(struct gaiconf *conf, const uint8_t *data, size_t size, size_t piece)
{
    const uint8_t *const all[] = {addresses[0], addresses[1], addresses[2], addresses[3]};

    gaiconf_init(conf, all);
    for (size_t at = 0; at < size; at += piece)
        gaiconf_feed(conf, (const char *)data + at, size - at < piece ? size - at : piece);
    gaiconf_end(conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gaiconf whole, pieces;

    feed(&whole, data, size, size);
    feed(&pieces, data, size, 1 + size % 7);
    for (int kind = 0; kind < GAICONF_KIND_COUNT; kind++) {
        if (whole.kinds[kind].given != pieces.kinds[kind].given)
            abort();
        for (int i = 0; i < GAICONF_ADDRESSES; i++)
            if (whole.kinds[kind].bits[i] != pieces.kinds[kind].bits[i] ||
                whole.kinds[kind].value[i] != pieces.kinds[kind].value[i] ||
                whole.kinds[kind].bits[i] > 128)
                abort();
    }
    return 0;
}
