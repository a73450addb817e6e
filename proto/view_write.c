/* SPDX-License-Identifier: Apache-2.0
 *
 * view_write.c - writing a view; agent/publish/view.c owns the memory. One writer at a time.
 *
 * 1. The copy that readers are sent to is never written. Only its confirmed_ms is, of which the old
 *    value and the new one are both true.
 * 2. If the writer is killed between any two stores, every slot and cluster is as it was before or
 *    as it is after. (The view is then abandoned: the next agent makes its own.)
 * 3. A key is complete before its hash can be seen, and never changes from then on.
 */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "proto/view_write.h"

#define PAGE                 4096
#define ANSWER_WORDS         (sizeof(struct view_answer) / sizeof(view_word))
#define MEMBER_WORDS         (sizeof(struct view_member) / sizeof(view_word))
#define MEMBERS_WORDS        (sizeof(struct view_members) / sizeof(view_word))
#define WORD_OF(type, field) (offsetof(struct type, field) / sizeof(view_word))

static inline void word_store(view_word *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

/* For words that only this writer stores. */
static inline uint64_t word_own(const view_word *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* Writes the copy that no reader is sent to, and then sends readers there.
 *  - Each word is stored with release, which pairs with its load in answer_copy() or
 *    view_list_at(). A reader may still work on this copy, and meet a new word: then it also sees
 *    that *seq had moved on before, and tries again.
 *  - *seq is stored with release, which pairs with the reader's first load of it: a reader that
 *    sees the new value sees the whole copy. */
static void copy_publish(view_word *seq, view_word *copies, size_t stride, const uint64_t *words,
                         size_t count)
{
    uint64_t next = word_own(seq) + 1;
    view_word *copy = copies + (next & 1) * stride;

    for (size_t i = 0; i < count; i++)
        word_store(&copy[i], words[i]);
    word_store(seq, next);
}

uint32_t view_slots_for(uint32_t names)
{
    uint32_t slots = HOMING_VIEW_SLOTS_MIN;

    while (slots < 1u << 31 && slots / 4 < names)
        slots *= 2;
    return slots;
}

static size_t page_up(size_t size)
{
    return (size + PAGE - 1) / PAGE * PAGE;
}

static size_t clusters_at(uint32_t slots)
{
    return PAGE + page_up((size_t)slots * sizeof(struct view_slot));
}

static size_t index_at(uint32_t slots, uint32_t clusters)
{
    return clusters_at(slots) + page_up((size_t)clusters * sizeof(struct view_cluster));
}

/* A power of two, and at least a page: a small installation never fills it. */
static uint32_t index_for(uint32_t clusters)
{
    uint32_t rows = PAGE / sizeof(view_word);

    while (rows < 1u << 30 && rows / HOMING_VIEW_INDEX_PER_CLUSTER < clusters)
        rows *= 2;
    return rows;
}

static size_t officials_at(uint32_t slots, uint32_t clusters)
{
    return index_at(slots, clusters) + page_up(index_for(clusters) * sizeof(view_word));
}

size_t view_size(uint32_t slots, uint32_t clusters, uint32_t officials)
{
    return officials_at(slots, clusters) +
           page_up((size_t)officials * sizeof(struct view_official));
}

static void header_init(struct view_writer *w, size_t size, uint64_t instance)
{
    struct view_header *h = w->header;

    word_store(&h->version, (uint64_t)VIEW_MAJOR << 32 | VIEW_MINOR);
    word_store(&h->size, size);
    word_store(&h->instance, instance);
    word_store(&h->slot_count, w->slot_count);
    word_store(&h->cluster_count, w->cluster_count);
    word_store(&h->slots_offset, PAGE);
    word_store(&h->clusters_offset, clusters_at(w->slot_count));
    word_store(&h->slot_stride, sizeof(struct view_slot));
    word_store(&h->cluster_stride, sizeof(struct view_cluster));
    word_store(&h->official_count, w->official_count);
    word_store(&h->officials_offset, officials_at(w->slot_count, w->cluster_count));
    word_store(&h->official_stride, sizeof(struct view_official));
    word_store(&h->index_count, w->index_count);
    word_store(&h->index_offset, index_at(w->slot_count, w->cluster_count));
    word_store(&h->magic, VIEW_MAGIC);
}

void view_write_init(struct view_writer *w, void *base, size_t size, uint32_t slots,
                     uint32_t clusters, uint64_t instance)
{
    view_word *words = base;

    w->header = base;
    w->slots = (struct view_slot *)((char *)base + PAGE);
    w->clusters = (struct view_cluster *)((char *)base + clusters_at(slots));
    w->officials = (struct view_official *)((char *)base + officials_at(slots, clusters));
    w->index = (view_word *)((char *)base + index_at(slots, clusters));
    w->slot_count = slots;
    w->cluster_count = clusters;
    w->index_count = index_for(clusters);
    w->official_count =
        (uint32_t)((size - officials_at(slots, clusters)) / sizeof(struct view_official));
    w->names = w->officials_used = w->index_used = w->index_kept = 0;
    for (size_t i = 0; i < size / sizeof(*words); i++)
        word_store(&words[i], 0);
    header_init(w, size, instance);
}

static bool slot_is(const struct view_slot *slot, const struct name *name)
{
    if (word_own(&slot->hash) != name->hash || word_own(&slot->len) != name->len)
        return false;
    for (uint32_t i = 0; i < name_words(name); i++)
        if (word_own(&slot->name[i]) != name->words[i])
            return false;
    return true;
}

/* The slot of `name`, or the empty slot where it belongs. NULL: there is neither within the chain
 * that readers walk. */
static struct view_slot *slot_find(const struct view_writer *w, const struct name *name)
{
    for (uint32_t i = 0; i < HOMING_VIEW_PROBES_MAX; i++) {
        struct view_slot *slot = &w->slots[(name->hash + i) & (w->slot_count - 1)];

        if (word_own(&slot->hash) == 0 || slot_is(slot, name))
            return slot;
    }
    return NULL;
}

static struct view_slot *slot_known(const struct view_writer *w, const struct name *name)
{
    struct view_slot *slot = slot_find(w, name);

    return slot && word_own(&slot->hash) != 0 ? slot : NULL;
}

/* Makes the slot visible. Its first copy is published already. The hash is stored with release,
 * which pairs with the readers' slot_find(): a reader that sees it sees the key and that copy. */
static void slot_add(struct view_writer *w, struct view_slot *slot, const struct name *name)
{
    word_store(&slot->len, name->len);
    for (uint32_t i = 0; i < name_words(name); i++)
        word_store(&slot->name[i], name->words[i]);
    word_store(&slot->hash, name->hash);
    w->names++;
}

/* Puts a text into zeroed words: always with a NUL, and nothing that stands behind it. */
static void text_in(const char *text, size_t size, uint64_t *ret_words)
{
    memcpy(ret_words, text, strnlen(text, size - 1));
}

static bool entry_valid(const struct view_writer *w, const struct view_entry *entry)
{
    return (unsigned)entry->mode < VIEW_MODE_COUNT && (unsigned)entry->state < VIEW_STATE_COUNT &&
           (unsigned)entry->role < VIEW_ROLE_COUNT && (entry->family == 4 || entry->family == 6) &&
           entry->cluster < w->cluster_count;
}

static void entry_in(const struct view_entry *entry, uint64_t ret_answer[ANSWER_WORDS])
{
    memset(ret_answer, 0, ANSWER_WORDS * sizeof(*ret_answer));
    ret_answer[WORD_OF(view_answer, meta)] =
        (uint64_t)entry->mode | (uint64_t)entry->state << 8 | (uint64_t)entry->role << 16 |
        (uint64_t)entry->family << 24 | (uint64_t)entry->port << 32;
    ret_answer[WORD_OF(view_answer, generation)] = entry->generation;
    ret_answer[WORD_OF(view_answer, endpoint)] = entry->endpoint;
    ret_answer[WORD_OF(view_answer, confirmed_ms)] = entry->confirmed_ms;
    ret_answer[WORD_OF(view_answer, hold_max_stale)] =
        entry->hold_ms | (uint64_t)entry->max_stale_ms << 32;
    ret_answer[WORD_OF(view_answer, keepalive_cluster)] =
        entry->keepalive_ms | (uint64_t)entry->cluster << 32;
    text_in(entry->text4, sizeof(entry->text4), ret_answer + WORD_OF(view_answer, text4));
    text_in(entry->text6, sizeof(entry->text6), ret_answer + WORD_OF(view_answer, text6));
    ret_answer[WORD_OF(view_answer, ports)] = entry->ports;
}

/* What of an answer counts as a change: see struct view_header. */
static uint64_t change_of(uint64_t meta)
{
    return (meta & 0xff) | (uint64_t)((meta >> 8 & 0xff) == VIEW_STATE_UNKNOWN) << 8;
}

static uint64_t slot_change(const struct view_slot *slot)
{
    return change_of(word_own(&slot->copies[word_own(&slot->seq) & 1].meta));
}

static bool has_other_ports(const struct view_slot *slot, const struct view_entry *entry)
{
    return word_own(&slot->copies[word_own(&slot->seq) & 1].ports) != entry->ports;
}

/* After the change itself. Pairs with view_changes(). */
static void note_change(struct view_writer *w)
{
    word_store(&w->header->changes, word_own(&w->header->changes) + 1);
}

int view_write_entry(struct view_writer *w, const struct name *name, const struct view_entry *entry)
{
    struct view_slot *slot = slot_find(w, name);
    uint64_t answer[ANSWER_WORDS];
    bool is_new = slot && word_own(&slot->hash) == 0, changes;

    if (!entry_valid(w, entry))
        return -EINVAL;
    if (!slot || (is_new && w->names >= w->slot_count / 2))
        return -ENOSPC;
    entry_in(entry, answer);
    changes = is_new || slot_change(slot) != change_of(answer[WORD_OF(view_answer, meta)]) ||
              has_other_ports(slot, entry);
    copy_publish(&slot->seq, (view_word *)slot->copies, ANSWER_WORDS, answer, ANSWER_WORDS);
    if (is_new)
        slot_add(w, slot, name);
    if (changes)
        note_change(w);
    return 0;
}

void view_write_gone(struct view_writer *w, const struct name *name)
{
    struct view_slot *slot = slot_known(w, name);
    uint64_t answer[ANSWER_WORDS] = {VIEW_MODE_GONE};

    if (slot)
        copy_publish(&slot->seq, (view_word *)slot->copies, ANSWER_WORDS, answer, ANSWER_WORDS);
}

/* With release, although nothing else is concluded from the word: it pairs with answer_copy() like
 * its neighbours, so that what copy_publish() says holds for it, too, when this copy is written
 * again. */
void view_write_confirmed(struct view_writer *w, const struct name *name, uint64_t now_ms)
{
    struct view_slot *slot = slot_known(w, name);

    if (slot)
        word_store(&slot->copies[word_own(&slot->seq) & 1].confirmed_ms, now_ms);
}

static void address_in(const struct view_address *at, uint64_t ret_member[MEMBER_WORDS])
{
    memset(ret_member, 0, MEMBER_WORDS * sizeof(*ret_member));
    memcpy(ret_member, at->address.bytes, (size_t)inet_address_len(at->address.family));
    ret_member[WORD_OF(view_member, meta)] = at->address.family | (uint64_t)at->flags << 8 |
                                             (uint64_t)at->address.port << 16 |
                                             (uint64_t)at->member << 32;
    text_in(at->text, sizeof(at->text), ret_member + WORD_OF(view_member, text));
}

/* Finds places for the names of so many members: those that the cluster has, or new ones if these
 * are too few. Where there are none, *which stays as it is. */
static int officials_place(struct view_writer *w, uint32_t name_count, uint64_t *which)
{
    if (name_count <= *which >> 32)
        return 0;
    if (name_count > w->official_count - w->officials_used)
        return -ENOSPC;
    *which = w->officials_used | (uint64_t)name_count << 32;
    w->officials_used += name_count;
    return 0;
}

/* Writes the names into the copy that no reader is sent to: copy_publish() tells why, and sends
 * readers there afterwards. A place without a name becomes empty. */
static void officials_in(struct view_writer *w, uint64_t which, uint64_t copy,
                         const char *const *names, uint32_t name_count)
{
    for (uint64_t i = 0; i < which >> 32; i++) {
        view_word *to = w->officials[(which & UINT32_MAX) + i].copies[copy];
        uint64_t words[HOMING_NAME_WORDS] = {0};

        if (i < name_count && strnlen(names[i], HOMING_NAME_MAX + 1) <= HOMING_NAME_MAX)
            text_in(names[i], sizeof(words), words);
        for (size_t word = 0; word < HOMING_NAME_WORDS; word++)
            word_store(&to[word], words[word]);
    }
}

/* ---- the index ---- */

/* The row for the cluster, or a free one for it, in the chain of the key. NULL: there is none.
 * *ret_sharing counts the other clusters that have it. */
static view_word *index_row(const struct view_writer *w, uint64_t key, uint64_t row,
                            uint32_t *ret_sharing)
{
    *ret_sharing = 0;
    for (uint32_t i = 0; i < HOMING_VIEW_PROBES_MAX; i++) {
        view_word *at = &w->index[(key + i) & (w->index_count - 1)];
        uint64_t has = word_own(at);

        if (has == 0 || has == row)
            return at;
        *ret_sharing += (has ^ row) >> 16 == 0;
    }
    return NULL;
}

/* A row is one word, which pairs with its load in view_index_next(). False: there is no place for it.
 * Then the address is not found there, and a program that has it from elsewhere is left alone. */
static bool index_add(struct view_writer *w, const struct inet_address *address, uint32_t cluster)
{
    uint64_t key = view_address_key(address), row = key >> 16 << 16 | (cluster + 1);
    uint32_t sharing;
    view_word *at = index_row(w, key, row, &sharing);

    if (sharing >= HOMING_VIEW_SHARING_MAX || (at && word_own(at) == row))
        return true;
    if (!at || w->index_used >= w->index_count / 2)
        return false;
    word_store(at, row);
    w->index_used++;
    return true;
}

static uint16_t port_of(const uint64_t ports[2], unsigned i)
{
    return (uint16_t)(ports[i / 4] >> i % 4 * 16);
}

static uint64_t count_of(const struct view_members *members)
{
    uint64_t count = word_own(&members->count);

    return count < HOMING_VIEW_ADDRESSES_MAX ? count : HOMING_VIEW_ADDRESSES_MAX;
}

/* The addresses of a copy, each with its own port and with the other ones. False: not all. */
static bool index_add_all(struct view_writer *w, const struct view_members *from, uint32_t cluster)
{
    const uint64_t ports[2] = {word_own(&from->ports[0]), word_own(&from->ports[1])};
    bool all = true;

    for (uint64_t i = 0; i < count_of(from); i++) {
        uint64_t words[2] = {word_own(&from->at[i].addr[0]), word_own(&from->at[i].addr[1])};
        uint64_t meta = word_own(&from->at[i].meta);
        struct inet_address address = {.family = meta & 0xff, .port = meta >> 16 & 0xffff};

        memcpy(address.bytes, words, sizeof(address.bytes));
        all &= index_add(w, &address, cluster);
        for (unsigned p = 0; p < HOMING_CLUSTER_PORTS_MAX; p++)
            if ((address.port = port_of(ports, p)) != 0)
                all &= index_add(w, &address, cluster);
    }
    return all;
}

static const struct view_members *members_now(const struct view_writer *w, uint32_t cluster)
{
    return &w->clusters[cluster].copies[word_own(&w->clusters[cluster].seq) & 1];
}

/* If it is full, it may be of addresses that are nobody's any more. While it is written anew, a
 * reader may miss an address: once in a long while, for a moment. */
static void index_renew(struct view_writer *w)
{
    for (uint32_t i = 0; i < w->index_count; i++)
        word_store(&w->index[i], 0);
    w->index_used = 0;
    for (uint32_t i = 0; i < w->cluster_count; i++)
        index_add_all(w, members_now(w, i), i);
    w->index_kept = w->index_used;
}

/* ---- clusters ---- */

static bool wants_permits(const struct view_members *members)
{
    for (uint64_t i = 0; i < count_of(members); i++)
        if (word_own(&members->at[i].meta) >> 8 & VIEW_MEMBER_PERMIT)
            return true;
    return false;
}

/* Pairs with nothing: a program that sees the word late hands over at a later connect. */
static void count_permits(struct view_writer *w, bool before, bool now)
{
    view_word *count = &w->header->permit_clusters;

    if (before != now)
        word_store(count, word_own(count) + (uint64_t)now - (uint64_t)before);
}

static uint64_t port_at(const struct view_members *members, uint64_t i)
{
    return word_own(&members->at[i].meta) >> 16 & 0xffff;
}

static bool has_port(const struct view_members *members, uint64_t port)
{
    for (uint64_t i = 0; i < count_of(members); i++)
        if (port_at(members, i) == port)
            return true;
    return false;
}

/* Whether a connection to the cluster may go to a port that was nobody's before. */
static bool has_new_port(const struct view_members *before, const struct view_members *now)
{
    for (uint64_t i = 0; i < count_of(now); i++)
        if (!has_port(before, port_at(now, i)))
            return true;
    return false;
}

static void listing_in(const struct view_listing *listing, uint64_t ret_members[MEMBERS_WORDS])
{
    uint32_t count =
        listing->count < HOMING_VIEW_ADDRESSES_MAX ? listing->count : HOMING_VIEW_ADDRESSES_MAX;

    ret_members[WORD_OF(view_members, count)] = count;
    for (uint32_t i = 0; i < listing->port_count && i < HOMING_CLUSTER_PORTS_MAX; i++)
        ret_members[WORD_OF(view_members, ports) + i / 4] |= (uint64_t)listing->ports[i]
                                                             << i % 4 * 16;
    for (uint32_t i = 0; i < count; i++)
        address_in(&listing->at[i], ret_members + WORD_OF(view_members, at) + i * MEMBER_WORDS);
}

int view_write_cluster(struct view_writer *w, uint32_t cluster, const struct view_listing *listing)
{
    uint64_t members[MEMBERS_WORDS] = {0}, seq;
    uint64_t *which = &members[WORD_OF(view_members, officials)];
    const struct view_members *before;
    struct view_cluster *to;
    int rv;

    if (cluster >= w->cluster_count)
        return 0;
    to = &w->clusters[cluster];
    seq = word_own(&to->seq);
    before = &to->copies[seq & 1];
    *which = word_own(&before->officials);
    rv = officials_place(w, listing->name_count, which);
    officials_in(w, *which, (seq + 1) & 1, listing->names, listing->name_count);
    listing_in(listing, members);
    copy_publish(&to->seq, (view_word *)to->copies, MEMBERS_WORDS, members,
                 WORD_OF(view_members, at) + members[0] * MEMBER_WORDS);
    if (!index_add_all(w, members_now(w, cluster), cluster) && w->index_used > w->index_kept)
        index_renew(w);
    count_permits(w, wants_permits(before), wants_permits(members_now(w, cluster)));
    if (has_new_port(before, members_now(w, cluster)))
        note_change(w);
    return rv;
}

void view_write_members(struct view_writer *w, uint32_t cluster, const struct view_address *at,
                        uint32_t count)
{
    view_write_cluster(w, cluster, &(struct view_listing){.at = at, .count = count});
}

/* Pairs with view_heartbeat_ms(). */
void view_write_heartbeat(struct view_writer *w, uint64_t now_ms)
{
    word_store(&w->header->heartbeat_ms, now_ms);
}

/* Pairs with view_retired(): a reader that sees it has seen every change before. */
void view_write_retired(struct view_writer *w)
{
    word_store(&w->header->retired, 1);
}

/* Pairs with view_sever_instance(). Nothing else is concluded from this word. */
void view_write_sever_instance(struct view_writer *w, uint64_t instance)
{
    word_store(&w->header->sever_instance, instance);
}
