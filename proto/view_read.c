/* SPDX-License-Identifier: Apache-2.0
 *
 * view_read.c - reading a view. Compiled into the agent and into the shim. So it has no libc, no
 * writable data, and no loop that a compiler would turn into a call.
 *
 * 1. Shared words are read by atomic loads only, each once in an attempt, into locals (V1).
 * 2. Nothing is decided by a copied word before the sequence was found unchanged. Only the places of
 *    official names are computed from one earlier, and bounded first (V2).
 * 3. There are no fences, because thread sanitizers do not understand them. Each word of a copy is
 *    stored with release and loaded with acquire, which costs nothing on x86-64.
 */
#include <stdatomic.h>

#include "proto/view_read.h"

#define MEMBER_WORDS         (sizeof(struct view_member) / sizeof(view_word))
#define WORD_OF(type, field) (offsetof(struct type, field) / sizeof(view_word))
#define ANSWER_HEAD          WORD_OF(view_answer, text4) /* the words before the texts */

struct text_word {
    uint64_t w;
} __attribute__((packed, may_alias));

static inline uint64_t word_load(const view_word *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

/* Puts one word of a text into its bytes, which need not be aligned. */
static inline void text_store(void *ret, uint64_t word)
{
    ((struct text_word *)ret)->w = word;
}

/* Whether `count` things of `stride` bytes lie within the view from `at` on. A stride may be larger
 * than `least`, which is what is known of the thing here. */
static bool table_fits(uint64_t at, uint64_t count, uint64_t stride, size_t least, size_t size)
{
    return at % sizeof(view_word) == 0 && at >= sizeof(struct view_header) && at <= size &&
           stride % sizeof(view_word) == 0 && stride >= least && stride <= HOMING_VIEW_STRIDE_MAX &&
           count <= UINT32_MAX && count <= (size - at) / stride;
}

/* The words of a header that say where its tables are, each loaded once. */
struct tables {
    uint64_t index, index_at;
    uint64_t slots, slots_at, slot_stride;
    uint64_t clusters, clusters_at, cluster_stride;
    uint64_t officials, officials_at, official_stride;
};

static bool tables_fit(const struct tables *t, size_t size)
{
    return t->slots != 0 && (t->slots & (t->slots - 1)) == 0 && (t->index & (t->index - 1)) == 0 &&
           (t->index == 0 ||
            table_fits(t->index_at, t->index, sizeof(view_word), sizeof(view_word), size)) &&
           table_fits(t->slots_at, t->slots, t->slot_stride, sizeof(struct view_slot), size) &&
           table_fits(t->clusters_at, t->clusters, t->cluster_stride, sizeof(struct view_cluster),
                      size) &&
           table_fits(t->officials_at, t->officials, t->official_stride,
                      sizeof(struct view_official), size);
}

static void map_out(const struct view_header *header, const struct tables *t,
                    struct view_map *ret_map)
{
    const char *base = (const char *)header;

    ret_map->header = header;
    ret_map->slots = base + t->slots_at;
    ret_map->clusters = base + t->clusters_at;
    ret_map->officials = base + t->officials_at;
    ret_map->instance = word_load(&header->instance);
    ret_map->slot_mask = (uint32_t)(t->slots - 1);
    ret_map->cluster_count = (uint32_t)t->clusters;
    ret_map->official_count = (uint32_t)t->officials;
    ret_map->slot_stride = (uint32_t)t->slot_stride;
    ret_map->cluster_stride = (uint32_t)t->cluster_stride;
    ret_map->official_stride = (uint32_t)t->official_stride;
    ret_map->index_count = (uint32_t)t->index;
    ret_map->index = t->index ? (const view_word *)(base + t->index_at) : NULL;
}

bool view_map_check(const void *base, size_t size, struct view_map *ret_map)
{
    const struct view_header *header = base;
    struct tables t;

    if ((uintptr_t)base % sizeof(view_word) != 0 || size < sizeof(*header) ||
        word_load(&header->magic) != VIEW_MAGIC ||
        word_load(&header->version) >> 32 != VIEW_MAJOR || word_load(&header->size) != size)
        return false;
    t = (struct tables){
        word_load(&header->index_count),     word_load(&header->index_offset),
        word_load(&header->slot_count),      word_load(&header->slots_offset),
        word_load(&header->slot_stride),     word_load(&header->cluster_count),
        word_load(&header->clusters_offset), word_load(&header->cluster_stride),
        word_load(&header->official_count),  word_load(&header->officials_offset),
        word_load(&header->official_stride),
    };
    if (!tables_fit(&t, size))
        return false;
    map_out(header, &t, ret_map);
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
        const struct view_slot *slot = view_slot_at(map, name->hash + i);
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
        const struct view_slot *slot = view_slot_at(map, wanted + i);
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
        ret_entry->ports = word_load(&copy->ports);
        if (word_load(&slot->seq) == before)
            return true;
    }
    return false;
}

/* Whether a copied answer has only values that a writer with this major may store. Modes, states
 * and roles may be newer than this reader. */
static inline bool answer_valid(const struct view_map *map, const uint64_t *head,
                                const struct view_entry *entry)
{
    uint64_t meta = head[WORD_OF(view_answer, meta)];
    unsigned family = meta >> 24 & 0xff;

    return (family == 4 || family == 6) &&
           head[WORD_OF(view_answer, keepalive_cluster)] >> 32 < map->cluster_count &&
           entry->text4[sizeof(entry->text4) - 1] == '\0' &&
           entry->text6[sizeof(entry->text6) - 1] == '\0';
}

/* What a value means to a reader that knows `count` of them, if it is a newer one. */
static inline unsigned known_or(unsigned value, unsigned count, unsigned otherwise)
{
    return value < count ? value : otherwise;
}

static inline void answer_out(const uint64_t *head, struct view_entry *ret)
{
    uint64_t meta = head[WORD_OF(view_answer, meta)];
    uint64_t ages = head[WORD_OF(view_answer, hold_max_stale)];
    uint64_t rest = head[WORD_OF(view_answer, keepalive_cluster)];

    ret->mode = known_or(meta & 0xff, VIEW_MODE_COUNT, VIEW_MODE_CONNECT);
    ret->state = known_or(meta >> 8 & 0xff, VIEW_STATE_COUNT, VIEW_STATE_STALE);
    ret->role = known_or(meta >> 16 & 0xff, VIEW_ROLE_COUNT, VIEW_ROLE_WRITER);
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

static inline const struct view_cluster *cluster_at(const struct view_map *map, uint32_t i)
{
    return (const struct view_cluster *)(map->clusters + (uint64_t)i * map->cluster_stride);
}

/* The loads are of the kinds that answer_copy() has, with the same pairs. */
bool view_list_open(const struct view_map *map, uint32_t cluster, struct view_list *ret_list)
{
    const struct view_cluster *from;

    if (cluster >= map->cluster_count)
        return false;
    from = cluster_at(map, cluster);
    for (int attempt = 0; attempt < HOMING_VIEW_RETRIES_MAX; attempt++) {
        uint64_t before = word_load(&from->seq);
        const struct view_members *copy = &from->copies[before & 1];
        uint64_t count = word_load(&copy->count);

        if (word_load(&from->seq) != before)
            continue;
        *ret_list =
            (struct view_list){(const view_word *)copy, &from->seq, before, (uint32_t)count};
        return count <= HOMING_VIEW_ADDRESSES_MAX;
    }
    return false;
}

/* Whether all that was loaded since the list was opened is of one whole copy. */
static inline bool list_whole(const struct view_list *list)
{
    return word_load(list->seq) == list->as_of;
}

/* The words go straight to their places, as in answer_copy(). */
bool view_list_at(const struct view_list *list, uint32_t index, struct view_address *ret)
{
    const view_word *at = list->copy + WORD_OF(view_members, at) + index * MEMBER_WORDS;
    uint64_t meta, text = 0;

    if (index >= list->count)
        return false;
    text_store(ret->address.bytes, word_load(&at[0]));
    text_store(ret->address.bytes + 8, word_load(&at[1]));
    meta = word_load(&at[WORD_OF(view_member, meta)]);
#pragma GCC unroll 6
    for (size_t i = 0; i < 6; i++) {
        text = word_load(&at[WORD_OF(view_member, text) + i]);
        text_store(ret->text + i * 8, text);
    }
    ret->address.family = meta & 0xff;
    ret->address.port = meta >> 16 & 0xffff;
    ret->flags = meta >> 8 & 0xff;
    ret->member = meta >> 32 & 0xffff;
    return list_whole(list) && (ret->address.family == 4 || ret->address.family == 6) &&
           text >> 56 == 0;
}

/* False: the list has changed meanwhile, or is not valid. */
static bool members_out(const struct view_list *list, uint8_t flags, struct view_address *ret,
                        uint32_t max, uint32_t *ret_found)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < list->count && found < max; i++) {
        if (!view_list_at(list, i, &ret[found]))
            return false;
        if (flags == VIEW_MEMBER_ALL || ret[found].flags & flags)
            found++;
    }
    *ret_found = found;
    return true;
}

uint32_t view_read_members(const struct view_map *map, uint32_t cluster, uint8_t flags,
                           struct view_address *ret, uint32_t max)
{
    struct view_list list;
    uint32_t found;

    for (int attempt = 0; attempt < HOMING_VIEW_RETRIES_MAX; attempt++) {
        if (!view_list_open(map, cluster, &list))
            return 0;
        if (members_out(&list, flags, ret, max, &found))
            return found;
    }
    return 0;
}

/* ---- the index ---- */

struct key_words { /* the bytes of an address */
    uint64_t words[2];
} __attribute__((packed, may_alias));

uint64_t view_address_key(const struct inet_address *address)
{
    const struct key_words *bytes = (const struct key_words *)address->bytes;
    uint64_t key = name_hash_begin(3 * sizeof(uint64_t));

    key = name_hash_step(key, bytes->words[0]);
    key = name_hash_step(key, bytes->words[1]);
    key = name_hash_step(key, address->family | (uint64_t)address->port << 16);
    return name_hash_end(key);
}

/* A row is one word, so that there are no copies of it: it pairs with the store in index_add(). */
bool view_index_next(const struct view_map *map, uint64_t key, uint32_t *at, uint32_t *ret_cluster)
{
    while (*at < HOMING_VIEW_PROBES_MAX && map->index_count) {
        uint64_t row = word_load(&map->index[(key + (*at)++) & (map->index_count - 1)]);

        if (row == 0)
            return false;
        if ((row ^ key) >> 16 || (row & 0xffff) - 1 >= map->cluster_count)
            continue;
        *ret_cluster = (uint32_t)(row & 0xffff) - 1;
        return true;
    }
    return false;
}

const view_word *view_permit_clusters(const struct view_map *map)
{
    return &map->header->permit_clusters;
}

/* ---- official names ---- */

static bool text_same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* The member that has the address; VIEW_MEMBER_NOBODY: none. False: see view_list_at(). */
static bool official_member(const struct view_list *list, const char *text, uint8_t flags,
                            uint32_t *ret_member)
{
    struct view_address at;

    *ret_member = VIEW_MEMBER_NOBODY;
    for (uint32_t i = 0; i < list->count; i++) {
        if (!view_list_at(list, i, &at))
            return false;
        if (!text_same(at.text, text))
            continue;
        if (at.flags & flags) {
            *ret_member = at.member;
            return true;
        }
        if (*ret_member == VIEW_MEMBER_NOBODY)
            *ret_member = at.member;
    }
    return true;
}

/* Copies out the member's name. If it has none, the name is empty. */
static void official_copy(const struct view_map *map, const struct view_list *list, uint32_t member,
                          char *ret_name)
{
    uint64_t which = word_load(list->copy + WORD_OF(view_members, officials));
    uint64_t index = (which & UINT32_MAX) + member;
    const struct view_official *from;

    text_store(ret_name, 0);
    if (member >= which >> 32 || index >= map->official_count)
        return;
    from = (const struct view_official *)(map->officials + index * map->official_stride);
    for (size_t i = 0; i < HOMING_NAME_WORDS; i++)
        text_store(ret_name + i * 8, word_load(&from->copies[list->as_of & 1][i]));
}

/* 0 also for a text that does not end where a name must. */
static uint32_t official_len(const char *name)
{
    uint32_t len = 0;

    while (len <= HOMING_NAME_MAX && name[len])
        len++;
    return len <= HOMING_NAME_MAX ? len : 0;
}

uint32_t view_read_official(const struct view_map *map, uint32_t cluster, const char *text,
                            uint8_t flags, char *ret_name)
{
    struct view_list list;
    uint32_t member;

    for (int attempt = 0; attempt < HOMING_VIEW_RETRIES_MAX; attempt++) {
        if (!view_list_open(map, cluster, &list))
            return 0;
        if (!official_member(&list, text, flags, &member))
            continue;
        if (member == VIEW_MEMBER_NOBODY)
            return 0;
        official_copy(map, &list, member, ret_name);
        if (list_whole(&list))
            return official_len(ret_name);
    }
    return 0;
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

/* Pairs with note_change() of the writer, which comes after the change itself. */
uint64_t view_changes(const struct view_map *map)
{
    return word_load(&map->header->changes);
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
