/* SPDX-License-Identifier: Apache-2.0
 *
 * missing.c - any bytes as the list of programs whose permits were lost, as they are, and again with the right sum
 * behind them. What is taken says the same when it is saved and loaded again.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/state/disk.h"
#include "agent/state/missing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct missing_place here = {
    .clock = {.monotonic_ms = 50000, .boot_ms = 80000, .boot_id = "b"}, .pids = 7};

static void must(bool good)
{
    if (!good)
        abort();
}

/* A text of its own, decoded, makes the same text. */
static void check_again(const struct state_missing *list)
{
    struct state_missing again;
    char *first, *second;
    size_t len, len2;

    must(missing_encode(&here, list, &first, &len) == 0);
    must(missing_decode(first, len, &here, &again) == 0);
    must(missing_encode(&here, &again, &second, &len2) == 0);
    must(len == len2 && memcmp(first, second, len) == 0);
    free(again.owned);
    free(first);
    free(second);
}

static void decode(const char *text, size_t len)
{
    struct state_missing list;

    if (missing_decode(text, len, &here, &list))
        return;
    must(list.missing_count <= MISSING_MAX && list.held_count <= MISSING_MAX);
    must(list.since_ms <= here.clock.monotonic_ms);
    check_again(&list);
    free(list.owned);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 32);

    if (!text)
        return 0;
    decode((const char *)data, size);
    if (size > 0)
        memcpy(text, data, size);
    uint64_t sum = state_disk_sum(text, size);
    decode(text, size + (size_t)sprintf(text + size, "sum %016" PRIx64 "\n", sum));
    free(text);
    return 0;
}
