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
 *    members_copy(). A reader may still work on this copy, and meet a new word: then it also sees
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

size_t view_size(uint32_t slots, uint32_t clusters)
{
    return clusters_at(slots) + page_up((size_t)clusters * sizeof(struct view_cluster));
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
    word_store(&h->magic, VIEW_MAGIC);
}

void view_write_init(struct view_writer *w, void *base, size_t size, uint32_t slots,
                     uint32_t clusters, uint64_t instance)
{
    view_word *words = base;

    w->header = base;
    w->slots = (struct view_slot *)((char *)base + PAGE);
    w->clusters = (struct view_cluster *)((char *)base + clusters_at(slots));
    w->slot_count = slots;
    w->cluster_count = clusters;
    w->names = 0;
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
}

int view_write_entry(struct view_writer *w, const struct name *name, const struct view_entry *entry)
{
    struct view_slot *slot = slot_find(w, name);
    uint64_t answer[ANSWER_WORDS];
    bool is_new = slot && word_own(&slot->hash) == 0;

    if (!entry_valid(w, entry))
        return -EINVAL;
    if (!slot || (is_new && w->names >= w->slot_count / 2))
        return -ENOSPC;
    entry_in(entry, answer);
    copy_publish(&slot->seq, (view_word *)slot->copies, ANSWER_WORDS, answer, ANSWER_WORDS);
    if (is_new)
        slot_add(w, slot, name);
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

void view_write_members(struct view_writer *w, uint32_t cluster, const struct view_address *at,
                        uint32_t count)
{
    uint64_t members[MEMBERS_WORDS];
    struct view_cluster *to;

    if (cluster >= w->cluster_count)
        return;
    to = &w->clusters[cluster];
    members[0] = count < HOMING_VIEW_ADDRESSES_MAX ? count : HOMING_VIEW_ADDRESSES_MAX;
    for (uint64_t i = 0; i < members[0]; i++)
        address_in(&at[i], members + 1 + i * MEMBER_WORDS);
    copy_publish(&to->seq, (view_word *)to->copies, MEMBERS_WORDS, members,
                 1 + members[0] * MEMBER_WORDS);
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
