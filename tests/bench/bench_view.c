/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_view.c - what one managed lookup costs below the shim: ns for the canonical name and its
 * hash, for reading the view, and for both, over one name and 1,000 names at random.
 *
 * Prints medians of ROUNDS rounds, and beside them the same loop doing nothing but choosing a name,
 * which is part of every figure. Nothing here is a test.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "proto/view_write.h"
#include "tests/bench/median.h"
#include "tests/support/clock.h"

enum {
    NAMES = 1000,
    ROUNDS = 15,
    LOOKUPS = 400000
};

/* Names of about 20 bytes, as programs have them in memory: at any alignment. */
static char texts[NAMES][64];
static struct name names[NAMES];
static uint16_t order[LOOKUPS];
static struct view_map map;

static const char *text_of(uint32_t i)
{
    return texts[i] + i % 8;
}

static void work_choose(uint32_t i)
{
    __asm__ volatile("" : : "r"(text_of(i)) : "memory");
}

static void work_canonical(uint32_t i)
{
    struct name name;

    name_canonical(text_of(i), &name);
    __asm__ volatile("" : : "r"(&name) : "memory");
}

static void work_read(uint32_t i)
{
    struct view_entry entry;

    view_read(&map, &names[i], &entry);
    __asm__ volatile("" : : "r"(&entry) : "memory");
}

static void work_both(uint32_t i)
{
    struct view_entry entry;
    struct name name;

    if (name_canonical(text_of(i), &name))
        view_read(&map, &name, &entry);
    __asm__ volatile("" : : "r"(&entry) : "memory");
}

static void work_absent(uint32_t i)
{
    struct view_entry entry;
    struct name name = names[i];

    name.hash ^= 0x5555555555555555ull;
    view_read(&map, &name, &entry);
    __asm__ volatile("" : : "r"(&entry) : "memory");
}

static void work_members(uint32_t i)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];

    view_read_members(&map, i % map.cluster_count, VIEW_MEMBER_DEMOTED, at,
                      HOMING_VIEW_ADDRESSES_MAX);
    __asm__ volatile("" : : "r"(at) : "memory");
}

static double median_ns(void (*work)(uint32_t), uint32_t among)
{
    double rounds[ROUNDS];

    for (int r = 0; r < ROUNDS; r++) {
        uint64_t start = clock_ns();

        for (int i = 0; i < LOOKUPS; i++)
            work(among == 1 ? 0 : order[i]);
        rounds[r] = (double)(clock_ns() - start) / LOOKUPS;
    }
    return median(rounds, ROUNDS);
}

static bool fill(struct view_writer *w)
{
    struct view_entry entry = {.mode = VIEW_MODE_NAMES,
                               .state = VIEW_STATE_STEADY,
                               .family = 4,
                               .port = 5432,
                               .text4 = "10.77.0.2"};
    struct view_address at[3] = {{.address.family = 4, .flags = VIEW_MEMBER_WRITER},
                                 {.address.family = 4, .flags = VIEW_MEMBER_DEMOTED},
                                 {.address.family = 4, .flags = VIEW_MEMBER_READER}};

    for (uint32_t i = 0; i < NAMES; i++) {
        snprintf(texts[i] + i % 8, 48, "orders-%03u.internal.x", i);
        entry.cluster = i % w->cluster_count;
        entry.generation = i;
        if (!name_canonical(text_of(i), &names[i]) || view_write_entry(w, &names[i], &entry) != 0)
            return false;
    }
    for (uint32_t c = 0; c < w->cluster_count; c++)
        view_write_members(w, c, at, 3);
    return true;
}

int main(void)
{
    static const struct {
        const char *what;
        void (*work)(uint32_t);
    } rows[] = {
        {"(choosing a name)", work_choose}, {"name_canonical", work_canonical},
        {"view_read", work_read},           {"name_canonical + view_read", work_both},
        {"view_read, absent", work_absent}, {"view_read_members", work_members},
    };
    size_t size = view_size(view_slots_for(NAMES), 16, 0);
    void *base = aligned_alloc(4096, size);
    struct view_writer writer;

    srand(1);
    for (int i = 0; i < LOOKUPS; i++)
        order[i] = (uint16_t)(rand() % NAMES);
    if (!base)
        return 1;
    view_write_init(&writer, base, size, view_slots_for(NAMES), 16, 1);
    if (!fill(&writer) || !view_map_check(base, size, &map))
        return 1;
    printf("%-28s %10s %14s\n", "ns, median", "one name", "1,000, random");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        printf("%-28s %10.1f %14.1f\n", rows[i].what, median_ns(rows[i].work, 1),
               median_ns(rows[i].work, NAMES));
    free(base);
    return 0;
}
