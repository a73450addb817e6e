/* SPDX-License-Identifier: Apache-2.0
 *
 * view_read.c - reading a view. Compiled into the agent and into the shim. So it has no libc, no
 * writable data, and no loop that a compiler would turn into a call.
 *
 * 1. Shared words are read by atomic loads only, each once in an attempt, into locals (V1).
 * 2. Nothing is decided by a copied word before the sequence was found unchanged. Only the count of
 *    a cluster's addresses says earlier how far the same bounded loop goes (V2).
 * 3. There are no fences, because thread sanitizers do not understand them. Each word of a copy is
 *    stored with release and loaded with acquire, which costs nothing on x86-64.
 */
#include <stdatomic.h>

#include "proto/view_read.h"

#define MEMBER_WORDS         (sizeof(struct view_member) / sizeof(view_word))
#define MEMBERS_WORDS        (sizeof(struct view_members) / sizeof(view_word))
#define WORD_OF(type, field) (offsetof(struct type, field) / sizeof(view_word))
#define ANSWER_HEAD          WORD_OF(view_answer, text4) /* the words before the texts */

struct text_word {
    uint64_t w;
} __attribute__((packed, may_alias));

static inline uint64_t word_load(const view_word *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

/* Whether a text that was copied out ends with a NUL. */
static inline bool text_ends(const uint64_t *words, size_t count)
{
    return words[count - 1] >> 56 == 0;
}

/* Puts one word of a text into its bytes, which need not be aligned. */
static inline void text_store(void *ret, uint64_t word)
{
    ((struct text_word *)ret)->w = word;
}

static inline void text_out(const uint64_t *words, size_t count, char *ret)
{
    for (size_t i = 0; i < count; i++)
        text_store(ret + i * 8, words[i]);
}

bool view_map_check(const void *base, size_t size, struct view_map *ret_map)
{
    const struct view_header *header = base;
    uint64_t slots, slots_at, clusters, clusters_at;

    if ((uintptr_t)base % sizeof(view_word) != 0 || size < sizeof(*header) ||
        word_load(&header->magic) != VIEW_MAGIC ||
        word_load(&header->version) >> 32 != VIEW_MAJOR || word_load(&header->size) != size)
        return false;
    slots = word_load(&header->slot_count);
    slots_at = word_load(&header->slots_offset);
    clusters = word_load(&header->cluster_count);
    clusters_at = word_load(&header->clusters_offset);
    if (slots == 0 || slots > UINT32_MAX || (slots & (slots - 1)) != 0 || clusters > UINT32_MAX)
        return false;
    if (slots_at % sizeof(view_word) != 0 || slots_at < sizeof(*header) || slots_at > size ||
        slots > (size - slots_at) / sizeof(struct view_slot))
        return false;
    if (clusters_at % sizeof(view_word) != 0 || clusters_at < sizeof(*header) ||
        clusters_at > size || clusters > (size - clusters_at) / sizeof(struct view_cluster))
        return false;
    ret_map->header = header;
    ret_map->slots = (const struct view_slot *)((const char *)base + slots_at);
    ret_map->clusters = (const struct view_cluster *)((const char *)base + clusters_at);
    ret_map->instance = word_load(&header->instance);
    ret_map->slot_mask = (uint32_t)(slots - 1);
    ret_map->cluster_count = (uint32_t)clusters;
    return true;
}

/* Whether the slot's key is `name`, if the hash is the same. A key never changes once its hash can
 * be seen. It is compared word by word, and nothing in it says how far. */
static inline bool slot_is(const struct view_slot *slot, const struct name *name)
{
    uint64_t differs = word_load(&slot->len) ^ name->len;

    for (uint32_t i = 0; i < name_words(name); i++)
        differs |= word_load(&slot->name[i]) ^ name->words[i];
    return differs == 0;
}

static inline const struct view_slot *slot_find(const struct view_map *map, const struct name *name)
{
    for (uint32_t i = 0; i < HOMING_VIEW_PROBES_MAX; i++) {
        const struct view_slot *slot = &map->slots[(name->hash + i) & map->slot_mask];
        /* Pairs with the store in slot_add(): with the hash, key and first copy are seen. */
        uint64_t hash = word_load(&slot->hash);

        if (hash == 0)
            return NULL;
        if (hash == name->hash && slot_is(slot, name))
            return slot;
    }
    return NULL;
}

static inline const struct view_slot *slot_find_hash(const struct view_map *map, uint64_t wanted)
{
    for (uint32_t i = 0; i < HOMING_VIEW_PROBES_MAX; i++) {
        const struct view_slot *slot = &map->slots[(wanted + i) & map->slot_mask];
        uint64_t hash = word_load(&slot->hash); /* pairs as in slot_find() */

        if (hash == 0)
            return NULL;
        if (hash == wanted)
            return slot;
    }
    return NULL;
}

/* Copies out the copy that seq points to. In each attempt there are three kinds of loads:
 *  - seq. It pairs with the store in copy_publish(), so that the copy it points to is complete.
 *  - Each word. It pairs with the store in copy_publish(). A word may have been overwritten
 *    already, but only after seq was moved on; then that move is visible, too.
 *  - seq once more, which differs in that case. This load cannot pass the acquire loads before it.
 * The texts go straight to their place. If words were stored one by one and then loaded two at a
 * time, each lookup would wait for its own stores. */
static bool answer_copy(const struct view_slot *slot, uint64_t ret_head[ANSWER_HEAD],
                        struct view_entry *ret_entry)
{
    for (int attempt = 0; attempt < HOMING_VIEW_RETRIES_MAX; attempt++) {
        uint64_t before = word_load(&slot->seq);
        const struct view_answer *copy = &slot->copies[before & 1];

#pragma GCC unroll 8
        for (size_t i = 0; i < ANSWER_HEAD; i++)
            ret_head[i] = word_load((const view_word *)copy + i);
#pragma GCC unroll 8
        for (size_t i = 0; i < 2; i++)
            text_store(ret_entry->text4 + i * 8, word_load(&copy->text4[i]));
#pragma GCC unroll 8
        for (size_t i = 0; i < 6; i++)
            text_store(ret_entry->text6 + i * 8, word_load(&copy->text6[i]));
        if (word_load(&slot->seq) == before)
            return true;
    }
    return false;
}

/* Whether a copied answer has only values that a writer with this major stores. */
static inline bool answer_valid(const struct view_map *map, const uint64_t *head,
                                const struct view_entry *entry)
{
    uint64_t meta = head[WORD_OF(view_answer, meta)];
    unsigned family = meta >> 24 & 0xff;

    return (meta & 0xff) < VIEW_MODE_COUNT && (meta >> 8 & 0xff) < VIEW_STATE_COUNT &&
           (meta >> 16 & 0xff) < VIEW_ROLE_COUNT && (family == 4 || family == 6) &&
           head[WORD_OF(view_answer, keepalive_cluster)] >> 32 < map->cluster_count &&
           entry->text4[sizeof(entry->text4) - 1] == '\0' &&
           entry->text6[sizeof(entry->text6) - 1] == '\0';
}

static inline void answer_out(const uint64_t *head, struct view_entry *ret)
{
    uint64_t meta = head[WORD_OF(view_answer, meta)];
    uint64_t ages = head[WORD_OF(view_answer, hold_max_stale)];
    uint64_t rest = head[WORD_OF(view_answer, keepalive_cluster)];

    ret->mode = meta & 0xff;
    ret->state = meta >> 8 & 0xff;
    ret->role = meta >> 16 & 0xff;
    ret->family = meta >> 24 & 0xff;
    ret->port = meta >> 32 & 0xffff;
    ret->cluster = (uint32_t)(rest >> 32);
    ret->generation = head[WORD_OF(view_answer, generation)];
    ret->endpoint = head[WORD_OF(view_answer, endpoint)];
    ret->confirmed_ms = head[WORD_OF(view_answer, confirmed_ms)];
    ret->hold_ms = (uint32_t)ages;
    ret->max_stale_ms = (uint32_t)(ages >> 32);
    ret->keepalive_ms = (uint32_t)rest;
}

bool view_has_hash(const struct view_map *map, uint64_t hash)
{
    return slot_find_hash(map, hash);
}

/* The answer in a slot. NULL: no slot was found. */
static inline enum view_found slot_answer(const struct view_map *map, const struct view_slot *slot,
                                          struct view_entry *ret_entry)
{
    uint64_t head[ANSWER_HEAD];

    if (!slot)
        return VIEW_ABSENT;
    if (!answer_copy(slot, head, ret_entry))
        return VIEW_TORN;
    if ((head[0] & 0xff) == VIEW_MODE_GONE)
        return VIEW_ABSENT;
    if (!answer_valid(map, head, ret_entry))
        return VIEW_TORN;
    answer_out(head, ret_entry);
    return VIEW_FOUND;
}

enum view_found view_read(const struct view_map *map, const struct name *name,
                          struct view_entry *ret_entry)
{
    return slot_answer(map, slot_find(map, name), ret_entry);
}

enum view_found view_read_hash(const struct view_map *map, uint64_t hash,
                               struct view_entry *ret_entry)
{
    return slot_answer(map, slot_find_hash(map, hash), ret_entry);
}

static bool address_out(const uint64_t *member, struct view_address *ret)
{
    uint64_t meta = member[WORD_OF(view_member, meta)];
    unsigned family = meta & 0xff;

    if ((family != 4 && family != 6) || !text_ends(member + WORD_OF(view_member, text), 6))
        return false;
    ret->address.family = family;
    ret->address.port = meta >> 16 & 0xffff;
    text_store(ret->address.bytes, member[0]);
    text_store(ret->address.bytes + 8, member[1]);
    ret->flags = meta >> 8 & 0xff;
    ret->member = meta >> 32 & 0xffff;
    text_out(member + WORD_OF(view_member, text), 6, ret->text);
    return true;
}

/* Copies out a cluster's addresses in the same way, with the same pairs. The count is bounded
 * before it is used, and like all else it is right only if seq is unchanged. */
static bool members_copy(const struct view_cluster *from, uint64_t ret_members[MEMBERS_WORDS])
{
    for (int attempt = 0; attempt < HOMING_VIEW_RETRIES_MAX; attempt++) {
        uint64_t before = word_load(&from->seq);
        const view_word *copy = (const view_word *)&from->copies[before & 1];
        uint64_t count = word_load(copy);
        size_t words = 1 + (count <= HOMING_VIEW_ADDRESSES_MAX ? count * MEMBER_WORDS : 0);

        ret_members[0] = count;
        for (size_t i = 1; i < words; i++)
            ret_members[i] = word_load(&copy[i]);
        if (word_load(&from->seq) == before)
            return count <= HOMING_VIEW_ADDRESSES_MAX;
    }
    return false;
}

uint32_t view_read_members(const struct view_map *map, uint32_t cluster, uint8_t flags,
                           struct view_address *ret, uint32_t max)
{
    uint64_t members[MEMBERS_WORDS];
    uint32_t found = 0;

    if (cluster >= map->cluster_count || !members_copy(&map->clusters[cluster], members))
        return 0;
    for (uint64_t i = 0; i < members[0] && found < max; i++) {
        if (!address_out(members + 1 + i * MEMBER_WORDS, &ret[found]))
            return 0;
        if (flags == VIEW_MEMBER_ALL || ret[found].flags & flags)
            found++;
    }
    return found;
}

/* Pairs with view_write_heartbeat(). Nothing else is concluded from this word. */
uint64_t view_heartbeat_ms(const struct view_map *map)
{
    return word_load(&map->header->heartbeat_ms);
}

/* Pairs with view_write_retired(), which an agent calls after its last change. */
bool view_retired(const struct view_map *map)
{
    return word_load(&map->header->retired) != 0;
}

/* Pairs with view_write_sever_instance(). Nothing else is concluded from this word. */
uint64_t view_sever_instance(const struct view_map *map)
{
    return word_load(&map->header->sever_instance);
}

bool view_entry_stale(const struct view_entry *entry, uint64_t now_ms)
{
    uint64_t confirmed = entry->confirmed_ms;

    if (entry->state == VIEW_STATE_UNKNOWN || entry->state == VIEW_STATE_STALE || confirmed == 0)
        return true;
    if (confirmed > now_ms)
        return confirmed - now_ms > HOMING_HEARTBEAT_MS;
    return now_ms - confirmed > entry->max_stale_ms;
}
