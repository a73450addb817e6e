/* SPDX-License-Identifier: Apache-2.0
 *
 * state.c - any bytes as a saved state and as a file of one, as they are, and again with the first
 * line and the end made right. What is taken is safe to use, and says the same when it is saved and
 * loaded again.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/state/disk.h"
#include "agent/state/text.h"

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
    must(saved.have_mode == (saved.mode != 0) && saved.mode < VIEW_MODE_COUNT);
    check_verdict(&saved.verdict);
    check_again(&saved);
    free(saved.endpoints);
}

/* A file, whose text is decoded if it is whole. */
static int check(const char *file, size_t size, size_t *ret_len)
{
    struct state_copy copy = {.text = malloc(size + 1), .size = size};

    must(copy.text);
    if (size > 0)
        memcpy(copy.text, file, size);
    copy.text[size] = '\0';
    int rv = state_disk_check(&copy);
    if (rv == 0) {
        must(copy.len < size && copy.text[copy.len - 1] == '\n');
        decode(copy.text, copy.len);
        *ret_len = copy.len;
    }
    free(copy.text);
    return rv;
}

/* Behind `len` bytes of text, as state/disk.c does. */
static size_t seal(char *text, size_t len)
{
    len += (size_t)sprintf(text + len, "save 7\n");
    len += (size_t)sprintf(text + len, "sum %016" PRIx64 "\n", state_disk_sum(text, len));
    return len + (size_t)sprintf(text + len, "%64s\n", "");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char first[] = "homing-state 1\n";
    size_t len = sizeof(first) - 1 + size, found = 0;
    char *text = malloc(len + 128);

    if (!text)
        return 0;
    decode((const char *)data, size);
    (void)check((const char *)data, size, &found);
    memcpy(text, first, sizeof(first) - 1);
    if (size > 0)
        memcpy(text + sizeof(first) - 1, data, size);
    decode(text, len);
    text[len++] = '\n';
    must(check(text, seal(text, len), &found) == 0 && found == len);
    free(text);
    return 0;
}
