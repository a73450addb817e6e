/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: any bytes as a saved state, as they are, and again with the first line and the sum
 * made right. What is taken is safe to use, and says the same when it is saved and loaded again.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/publish/state_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct conf_member members[] = {
    {.host = "10.77.0.2", .port = 5432},
    {.host = "db-b.internal", .port = 5432},
    {.host = "fd00::3", .port = 5433},
};
static const struct conf_cluster cluster = {
    .name = "orders", .members = members, .member_count = 3};
static const struct state_clock now = {.monotonic_ms = 50000, .boot_ms = 80000, .boot_id = "b"};

static void must(bool good)
{
    if (!good)
        abort();
}

static void check_verdict(const struct verdict *v)
{
    must(v->state < CLUSTER_STATE_COUNT && v->reason < REASON_COUNT);
    must(v->writer == MEMBER_NONE || v->writer < cluster.member_count);
    must(v->rival == MEMBER_NONE || v->rival < cluster.member_count);
    must(v->demoted >> cluster.member_count == 0 && v->readers >> cluster.member_count == 0);
    must(v->writer == MEMBER_NONE || !(v->demoted >> v->writer & 1));
    must(v->confirmed_ms <= now.monotonic_ms && v->since_ms <= now.monotonic_ms);
}

/* Its text, decoded, makes the same text. */
static void check_again(const struct state_cluster *saved)
{
    struct state_cluster again;
    char *first, *second;
    size_t len, len2;

    must(state_text_encode(&cluster, saved, &now, &first, &len) == 0);
    must(state_text_decode(first, len, &cluster, &now, &again) == 0);
    must(state_text_encode(&cluster, &again, &now, &second, &len2) == 0);
    must(len == len2 && memcmp(first, second, len) == 0);
    free(again.endpoints);
    free(first);
    free(second);
}

static void decode(const char *text, size_t len)
{
    struct state_cluster saved;

    if (state_text_decode(text, len, &cluster, &now, &saved))
        return;
    must(saved.have_mode == (saved.mode != 0) && saved.mode < CONF_MODE_COUNT);
    check_verdict(&saved.verdict);
    check_again(&saved);
    free(saved.endpoints);
}

static void decode_recent(const char *text, size_t len)
{
    struct verdict v = {0};
    char again[STATE_RECENT_MAX];

    if (!state_text_decode_recent(text, len, &now, 1, &v))
        return;
    must(v.confirmed_ms <= now.monotonic_ms);
    must(state_text_encode_recent(&v, &now, 1, again) == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char first[] = "homing-state 1\n";
    size_t len = sizeof(first) - 1 + size;
    char *text = malloc(len + 32);

    if (!text)
        return 0;
    decode((const char *)data, size);
    decode_recent((const char *)data, size);
    memcpy(text, first, sizeof(first) - 1);
    if (size > 0)
        memcpy(text + sizeof(first) - 1, data, size);
    len += (size_t)snprintf(text + len, 32, "sum %016" PRIx64 "\n", state_text_sum(text, len));
    decode(text, len);
    free(text);
    return 0;
}
