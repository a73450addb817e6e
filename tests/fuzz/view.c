/* SPDX-License-Identifier: Apache-2.0
 *
 * view.c - any bytes as a view (V2). The first eight say what is put right, so that the rest is
 * reached, and whether another thread changes words of the view while it is read.
 */
#include "config.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "proto/view_read.h"
#include "tests/support/dice.h"

enum {
    CONTROL = 8,
    HAS_HEADER = 1, /* magic, version and size are right */
    HAS_KEY = 2,    /* "orders-db" is a key where it belongs */
    MUTATES = 4,
    HAS_STRIDES = 8 /* those of the tables are what they are now */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the other thread changes between `go` and `stopped`. */
static view_word *mutable;
static size_t mutable_words;
static uint64_t mutator_dice;
static sem_t go, stopped;
static atomic_bool stop;

static void *mutator_main(void *arg)
{
    for (;;) {
        sem_wait(&go);
        while (!atomic_load(&stop)) {
            view_word *word = &mutable[dice_next(&mutator_dice) % mutable_words];

            atomic_store_explicit(word, dice_next(&mutator_dice) << (dice_next(&mutator_dice) & 56),
                                  memory_order_release);
        }
        sem_post(&stopped);
    }
    return arg;
}

static void mutator_start(void *base, size_t size, uint64_t seed)
{
    static bool runs;
    pthread_t thread;

    if (!runs && (sem_init(&go, 0, 0) || sem_init(&stopped, 0, 0) ||
                  pthread_create(&thread, NULL, mutator_main, NULL) || pthread_detach(thread)))
        abort();
    runs = true;
    mutable = base;
    mutable_words = size / sizeof(view_word);
    mutator_dice = seed;
    atomic_store(&stop, false);
    sem_post(&go);
}

static void mutator_stop(void)
{
    atomic_store(&stop, true);
    sem_wait(&stopped);
}

static void put_header(void *base, size_t size)
{
    const uint64_t header[3] = {VIEW_MAGIC, (uint64_t)VIEW_MAJOR << 32, size};

    if (size >= sizeof(header))
        memcpy(base, header, sizeof(header));
}

static void put_strides(void *base, size_t size)
{
    struct view_header *header = base;

    if (size < sizeof(*header))
        return;
    header->slot_stride = sizeof(struct view_slot);
    header->cluster_stride = sizeof(struct view_cluster);
    header->official_stride = sizeof(struct view_official);
}

static void put_key(const struct view_map *map, const struct name *name)
{
    struct view_slot *slot = (struct view_slot *)view_slot_at(map, name->hash);

    slot->hash = name->hash;
    slot->len = name->len;
    for (uint32_t i = 0; i < name_words(name); i++)
        slot->name[i] = name->words[i];
}

static void check_entry(const struct view_map *map, const struct view_entry *entry)
{
    if (entry->mode == VIEW_MODE_GONE || entry->mode >= VIEW_MODE_COUNT ||
        entry->state >= VIEW_STATE_COUNT || entry->role >= VIEW_ROLE_COUNT ||
        (entry->family != 4 && entry->family != 6) || entry->cluster >= map->cluster_count ||
        strnlen(entry->text4, sizeof(entry->text4)) == sizeof(entry->text4) ||
        strnlen(entry->text6, sizeof(entry->text6)) == sizeof(entry->text6))
        abort();
    view_entry_stale(entry, 100000);
}

static void check_address(const struct view_address *at)
{
    if ((at->address.family != 4 && at->address.family != 6) ||
        strnlen(at->text, sizeof(at->text)) == sizeof(at->text))
        abort();
}

/* Those asked for by a flag have it; VIEW_MEMBER_ALL brings those without any too. */
static void check_members(const struct view_map *map, uint32_t cluster, uint8_t flags)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];
    uint32_t count = view_read_members(map, cluster, flags, at, HOMING_VIEW_ADDRESSES_MAX);

    if (count > HOMING_VIEW_ADDRESSES_MAX)
        abort();
    for (uint32_t i = 0; i < count; i++) {
        check_address(&at[i]);
        if (flags != VIEW_MEMBER_ALL && (at[i].flags & flags) == 0)
            abort();
    }
}

/* The name of the member whose address is asked for, which is any text. */
static void check_official(const struct view_map *map, uint32_t cluster, const char *text)
{
    char name[VIEW_OFFICIAL_SIZE];
    uint32_t len = view_read_official(map, cluster, text, VIEW_MEMBER_WRITER, name);

    if (len > HOMING_NAME_MAX || (len && strnlen(name, sizeof(name)) != len))
        abort();
}

static void check_index(const struct view_map *map)
{
    static const struct inet_address addresses[] = {
        {.bytes = {10, 77, 0, 2}, .family = 4, .port = 5432}, {.family = 6}};

    for (int i = 0; i < 2; i++) {
        uint32_t at = 0, cluster, found = 0;

        while (view_index_next(map, view_address_key(&addresses[i]), &at, &cluster))
            if (cluster >= map->cluster_count || ++found > HOMING_VIEW_PROBES_MAX)
                abort();
    }
}

static void read_all(const struct view_map *map, const struct name *name)
{
    struct view_entry entry;

    check_index(map);

    if (view_read(map, name, &entry) == VIEW_FOUND) {
        check_entry(map, &entry);
        check_members(map, entry.cluster, VIEW_MEMBER_ALL);
        check_official(map, entry.cluster, entry.text4);
    }
    check_official(map, 0, "10.77.0.2");
    check_official(map, UINT32_MAX, "10.77.0.2");
    check_members(map, 0, VIEW_MEMBER_ALL);
    check_members(map, 0, VIEW_MEMBER_READER);
    view_heartbeat_ms(map);
    view_retired(map);
    view_changes(map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct name name, other;
    struct view_map map;
    void *base;

    if (size < CONTROL || !name_canonical("orders-db", &name) || !name_canonical("b", &other))
        return 0;
    base = malloc(size - CONTROL + 1);
    memcpy(base, data + CONTROL, size - CONTROL);
    if (data[0] & HAS_HEADER)
        put_header(base, size - CONTROL);
    if (data[0] & HAS_STRIDES)
        put_strides(base, size - CONTROL);
    if (view_map_check(base, size - CONTROL, &map)) {
        if (data[0] & HAS_KEY)
            put_key(&map, &name);
        if (data[0] & MUTATES)
            mutator_start(base, size - CONTROL, data[1]);
        for (int i = 0; i < (data[0] & MUTATES ? 8 : 1); i++) {
            read_all(&map, &name);
            read_all(&map, &other);
        }
        if (data[0] & MUTATES)
            mutator_stop();
    }
    free(base);
    return 0;
}
