/* SPDX-License-Identifier: Apache-2.0
 *
 * seen.c - what lookups add to the table of (address, name), and what connects find there.
 *
 * 1. If two threads note the same pair at once, both may take a slot. The one with the larger number counts.
 * 2. Of the addresses of a managed name one at most is its only one, also after lookups that were noted at once
 *    (seen_settle()). What a thread that never goes on has not done, the name's next lookup does.
 */
#include "shim/libc/libc.h"
#include "shim/view/attach.h"
#include "shim/view/process.h"
#include "shim/view/seen.h"

/* Attempts to note a pair while other threads change the table. */
#define SEEN_ATTEMPTS 64

/* Bits that tell at a glance that an address was never noted. A program with a hundred peers sets
 * two of a hundred. A connect to an address that happens to share one costs a few nanoseconds. */
#define SEEN_BITS 4096

static struct {
    _Alignas(64) _Atomic uint64_t noted[SEEN_BITS / 64];
    _Alignas(64) _Atomic uint64_t number; /* the last one given */
    _Atomic bool full;
} seen_state;

/* The name of the thread's last lookup, and in the two lowest bits for which families a connect has
 * used it. It is a hint: programs look up in one thread and connect in another, and a signal
 * handler may do either. Initial-exec, because it needs no function of libc's. */
static _Thread_local _Atomic uint64_t seen_asked __attribute__((tls_model("initial-exec")));

#define SEEN_USED 3ull

/* Relaxed: a number says which of two lookups came later, and lookups of threads that do not wait
 * for each other have no order. */
static uint64_t seen_count(void)
{
    return atomic_fetch_add_explicit(&seen_state.number, 1, memory_order_relaxed) + 1;
}

static void seen_mark(size_t place)
{
    size_t bit = place % SEEN_BITS;

    atomic_fetch_or_explicit(&seen_state.noted[bit / 64], 1ull << bit % 64, memory_order_relaxed);
}

/* ---- what can be evicted ---- */

/* Also a view that was retired: names and members do not change by that. */
static const struct view_map *seen_view(void)
{
    const struct attached *head = attach_newest();

    return head ? &head->map : NULL;
}

static bool seen_is_managed(const struct seen_table *table, const struct view_map *view,
                            const struct seen_address *address)
{
    size_t place = seen_place(address);
    uint64_t name;

    for (size_t i = 0; i < SEEN_PROBES && seen_load(&seen_at(table, place + i)->name); i++)
        if (seen_holds(seen_at(table, place + i), address, &name) && view_has_hash(view, name))
            return true;
    return false;
}

/* Bits of members' addresses, which tell most addresses apart from them without a walk through all
 * clusters. None is ever cleared. They are learnt anew when they are older than a second, for then a
 * member may have another address. */
#define SEEN_MEMBER_BITS 32768
#define SEEN_MEMBERS_MS  1000

static struct {
    _Atomic uint64_t bits[SEEN_MEMBER_BITS / 64];
    _Atomic(const struct view_map *) view;
    _Atomic uint64_t learnt_ms;
} seen_members;

static _Atomic uint64_t *seen_member_bit(const struct seen_address *address, uint64_t *ret_bit)
{
    size_t bit = seen_place(address) % SEEN_MEMBER_BITS;

    *ret_bit = 1ull << bit % 64;
    return &seen_members.bits[bit / 64];
}

/* Whether `address` is the member's. NULL: none is asked for, and the member's is learnt. */
static bool seen_is_at(const struct seen_address *address, const struct inet_address *member)
{
    struct seen_address at = seen_address(member->family == 4 ? AF_INET : AF_INET6, member->bytes);
    _Atomic uint64_t *word;
    uint64_t bit;

    if (address)
        return seen_same(&at, address);
    word = seen_member_bit(&at, &bit);
    atomic_fetch_or(word, bit);
    return false;
}

/* The same for all members. If a list of addresses has just changed, it is not known, and true. Not
 * inlined, because of its stack. */
__attribute__((noinline)) static bool seen_walk_members(const struct view_map *view,
                                                        const struct seen_address *address)
{
    struct view_list list;
    struct view_address at;

    for (uint32_t c = 0; c < view->cluster_count; c++) {
        if (!view_list_open(view, c, &list))
            return true;
        for (uint32_t i = 0; i < list.count; i++)
            if (!view_list_at(&list, i, &at) || seen_is_at(address, &at.address))
                return true;
    }
    return false;
}

static bool seen_is_members(const struct view_map *view, const struct seen_address *address)
{
    uint64_t now_ms = process_now_ms(), bit;
    _Atomic uint64_t *word = seen_member_bit(address, &bit);

    if (atomic_load(&seen_members.view) != view ||
        process_since_ms(now_ms, atomic_load(&seen_members.learnt_ms)) >= SEEN_MEMBERS_MS) {
        if (seen_walk_members(view, NULL))
            return true;
        atomic_store(&seen_members.learnt_ms, now_ms);
        atomic_store(&seen_members.view, view);
    }
    return atomic_load(word) & bit && seen_walk_members(view, address);
}

/* The slot with the lowest number above `above` along the walk. NULL: there is none. */
static struct seen_slot *seen_oldest(const struct seen_table *table, size_t place, uint64_t above,
                                     struct seen_pair *ret, uint64_t *ret_stamp)
{
    struct seen_slot *oldest = NULL;

    for (size_t i = 0; i < SEEN_PROBES; i++) {
        struct seen_slot *slot = seen_at(table, place + i);
        struct seen_pair pair;
        uint64_t stamp = seen_read(slot, &pair);

        if ((stamp & SEEN_NUMBER) <= above ||
            (oldest && (stamp & SEEN_NUMBER) >= (*ret_stamp & SEEN_NUMBER)))
            continue;
        oldest = slot;
        *ret = pair;
        *ret_stamp = stamp;
    }
    return oldest;
}

/* Takes the slot of a stranger, the one that was noted first. NULL: none of them can go. */
__attribute__((noinline, cold)) static struct seen_slot *
seen_evict(const struct seen_table *table, const struct view_map *view, size_t place)
{
    struct seen_slot *slot;
    struct seen_pair pair;
    uint64_t stamp = 0;

    while ((slot = seen_oldest(table, place, stamp & SEEN_NUMBER, &pair, &stamp)))
        if (!view_has_hash(view, pair.name) && !seen_is_managed(table, view, &pair.address) &&
            !seen_is_members(view, &pair.address) &&
            atomic_compare_exchange_strong(&slot->stamp, &stamp, 0))
            return slot;
    return NULL;
}

/* ---- noting a pair ---- */

/* What a walk along the slots of one address has met. */
struct seen_walk {
    struct seen_slot *mine;  /* the slot of this name */
    struct seen_slot *other; /* the slot of another name */
    struct seen_slot *free;
    uint32_t others;
    uint64_t stamp;  /* of mine */
    uint64_t latest; /* the largest number of the others */
};

static void seen_meet(struct seen_walk *walk, struct seen_slot *slot, const struct seen_pair *want)
{
    uint64_t name, stamp = seen_holds(slot, &want->address, &name);

    if (!stamp)
        return;
    if (name == want->name) {
        if ((stamp & SEEN_NUMBER) > (walk->stamp & SEEN_NUMBER)) {
            walk->mine = slot;
            walk->stamp = stamp;
        }
        return;
    }
    walk->other = slot;
    walk->others++;
    if ((stamp & SEEN_NUMBER) > walk->latest)
        walk->latest = stamp & SEEN_NUMBER;
}

static void seen_walk(const struct seen_table *table, const struct seen_pair *pair,
                      struct seen_walk *ret)
{
    size_t place = seen_place(&pair->address);

    *ret = (struct seen_walk){0};
    for (size_t i = 0; i < SEEN_PROBES && !ret->free; i++) {
        struct seen_slot *slot = seen_at(table, place + i);

        if (seen_load(&slot->name))
            seen_meet(ret, slot, pair);
        else
            ret->free = slot;
    }
}

/* Connects to the address may be for one more name, and so none is changed. Only what may be a
 * managed name's counts as left out. */
static void seen_leave_out(const struct seen_walk *walk, const struct seen_address *address,
                           bool matters)
{
    if (matters && !seen_is_full())
        atomic_store_explicit(&seen_state.full, true, memory_order_relaxed);
    if (walk->other)
        seen_flag(walk->other, SEEN_CROWDED, 0);
    else
        seen_lose(address);
}

/* Nothing is written if this name was already the last one to be given the address, as in most
 * lookups. If the swap fails, another lookup of the name came in between, and is as late as this
 * one. */
static void seen_renew(const struct seen_walk *walk)
{
    uint64_t was = walk->stamp;

    if ((was & SEEN_NUMBER) < walk->latest)
        atomic_compare_exchange_strong(&walk->mine->stamp, &was,
                                       seen_count() | (was & ~SEEN_NUMBER));
}

enum seen_room {
    SEEN_NOTED,
    SEEN_AGAIN, /* the table has changed: the walk has to begin anew */
    SEEN_NO_ROOM
};

/* A managed name's pair counts as left until its lookup is whole: one that never goes on has given it to nobody. */
static uint64_t seen_new_stamp(bool managed)
{
    return seen_count() | (managed ? SEEN_LEFT : 0);
}

static enum seen_room seen_make_room(const struct seen_table *table, const struct seen_walk *walk,
                                     const struct seen_pair *pair, bool managed)
{
    const struct view_map *view = seen_view();
    struct seen_slot *slot = walk->free;

    if (view && !managed && walk->others >= SEEN_STRANGERS)
        return SEEN_NO_ROOM;
    if (slot)
        return seen_take(slot, pair, seen_new_stamp(managed)) ? SEEN_NOTED : SEEN_AGAIN;
    if (seen_grow(table, false))
        return SEEN_AGAIN;
    if (view && table->slots && (slot = seen_evict(table, view, seen_place(&pair->address)))) {
        seen_fill(slot, pair, seen_new_stamp(managed));
        return SEEN_NOTED;
    }
    return seen_grow(table, managed) ? SEEN_AGAIN : SEEN_NO_ROOM;
}

/* Returns the stamp that the pair had; 0: it is new, or there is no room. Not inlined, because the
 * usual case needs no stack. */
__attribute__((noinline)) static uint64_t seen_note(const struct seen_pair *pair, bool managed)
{
    struct seen_walk walk = {0};

    seen_mark(seen_place(&pair->address));
    for (int i = 0; i < SEEN_ATTEMPTS; i++) {
        struct seen_table table = seen_table_to_change();
        enum seen_room room = SEEN_NOTED;

        if (table.slots)
            seen_walk(&table, pair, &walk);
        if (walk.mine)
            seen_renew(&walk);
        else
            room = seen_make_room(&table, &walk, pair, managed);
        if (room == SEEN_NO_ROOM)
            seen_leave_out(&walk, &pair->address, managed || !seen_view());
        if (room != SEEN_AGAIN && seen_is_current(&table))
            return walk.mine ? walk.stamp : 0;
    }
    seen_lose(&pair->address);
    return 0;
}

/* ---- which addresses a managed name has left ---- */

/* Where the sole pairs of some names are, so that a name whose addresses take turns, as a reader's
 * do, is not looked for in the whole table each time. A name's upper bits and a slot; 0: none. */
#define SEEN_SOLES 64

static _Atomic uint64_t seen_soles[SEEN_SOLES];

static _Atomic uint64_t *seen_sole_of(uint64_t name, unsigned family)
{
    return &seen_soles[((name >> 32) + family) % SEEN_SOLES];
}

/* A name has another address of the family now, or several: then none of them has been left. */
static void seen_move_on(struct seen_slot *slot, const struct seen_pair *sole)
{
    if (!sole)
        seen_flag(slot, 0, SEEN_SOLE | SEEN_LEFT);
    else
        seen_flag(slot, SEEN_LEFT, SEEN_SOLE);
}

/* All others of the name and family have another address now. */
static void seen_move_all_on(const struct seen_table *table, uint64_t name, unsigned family,
                             const struct seen_pair *sole)
{
    for (size_t i = 0; table->slots && i <= table->mask; i++) {
        struct seen_slot *slot = &table->slots[i];
        struct seen_pair pair;

        if (seen_load(&slot->name) == name && seen_read(slot, &pair) && pair.name == name &&
            seen_family(&pair.address) == family &&
            !(sole && seen_same(&pair.address, &sole->address)))
            seen_move_on(slot, sole);
    }
}

/* The same of one other, wherever it is noted. */
static void seen_move_one_on(const struct seen_table *table, const struct seen_pair *other,
                             const struct seen_pair *sole)
{
    size_t place = seen_place(&other->address);
    uint64_t name;

    for (size_t i = 0; i < SEEN_PROBES; i++) {
        struct seen_slot *slot = seen_at(table, place + i);

        if (seen_holds(slot, &other->address, &name) && name == other->name)
            seen_move_on(slot, sole);
    }
}

/* The same if it is known which one was the sole before. False: it is not. */
static bool seen_move_last_on(const struct seen_table *table, const struct seen_pair *sole,
                              uint64_t known)
{
    struct seen_slot *last = &table->slots[known & table->mask];
    struct seen_pair pair;

    if (!known || ((known ^ sole->name) & ~0xffffull) || !(seen_read(last, &pair) & SEEN_SOLE) ||
        pair.name != sole->name || seen_family(&pair.address) != seen_family(&sole->address))
        return false;
    if (!seen_same(&pair.address, &sole->address))
        seen_move_one_on(table, &pair, sole);
    return true;
}

/* Where the pair is, as a word of seen_soles; 0: it was left out. */
static uint64_t seen_word_of(const struct seen_table *table, const struct seen_slot *mine,
                             uint64_t name)
{
    return mine ? (name & ~0xffffull) | (uint64_t)(mine - table->slots) : 0;
}

/* Whether nobody has settled a name there since. It is changed by nothing, so that it has its place among the
 * exchanges: who comes later finds what was changed before. */
static bool seen_is_last(_Atomic uint64_t *at, uint64_t word, const struct seen_table *table)
{
    return atomic_fetch_add(at, 0) == word && seen_is_current(table);
}

/* The last lookup of the name gave this address and no other of the family. First that is said; then the one
 * that was there before has left; and only then this one is the sole. So of two threads the one that comes
 * first sees that, and does it once more, or the other one finds what it has done. If one never goes on, there
 * is none, and the name's next lookup looks in the whole table. */
__attribute__((noinline)) static void seen_settle(const struct seen_pair *sole)
{
    unsigned family = seen_family(&sole->address);
    _Atomic uint64_t *at = seen_sole_of(sole->name, family);

    for (int i = 0; i < SEEN_ATTEMPTS; i++) {
        struct seen_table table = seen_table_to_change();
        struct seen_walk walk = {0};
        uint64_t word, before;

        if (table.slots)
            seen_walk(&table, sole, &walk);
        word = seen_word_of(&table, walk.mine, sole->name);
        before = atomic_exchange(at, word);
        if (!walk.mine || !seen_move_last_on(&table, sole, before))
            seen_move_all_on(&table, sole->name, family, sole);
        if (walk.mine)
            seen_flag(walk.mine, SEEN_SOLE, SEEN_LEFT);
        if (seen_is_last(at, word, &table))
            return;
    }
}

/* It gave several, as only the real resolver does. */
__attribute__((noinline, cold)) static void seen_unsettle(uint64_t name, unsigned family)
{
    for (int i = 0; i < SEEN_ATTEMPTS; i++) {
        struct seen_table table = seen_table_to_change();

        atomic_store(seen_sole_of(name, family), 0);
        seen_move_all_on(&table, name, family, NULL);
        if (seen_is_last(seen_sole_of(name, family), 0, &table))
            return;
    }
}

/* ---- a lookup ---- */

/* The stamp of the only pair with this address, and its name. 0: there may be none or several. */
static inline uint64_t seen_only_at(const struct seen_address *address, uint64_t *ret_name)
{
    struct seen_table table = seen_table_now();
    size_t place = seen_place(address);

    if (!table.slots || seen_load(&seen_at(&table, place + 1)->name))
        return 0;
    return seen_glance(seen_at(&table, place), address, ret_name);
}

static inline void seen_ask(uint64_t name)
{
    atomic_store_explicit(&seen_asked, name & ~SEEN_USED, memory_order_relaxed);
}

/* The same where other names or other addresses are beside it. */
__attribute__((noinline)) static bool seen_is_settled(uint64_t name,
                                                      const struct seen_address *address)
{
    struct seen_table table = seen_table_now();
    struct seen_walk walk = {0};

    if (table.slots)
        seen_walk(&table, &(struct seen_pair){*address, name}, &walk);
    return walk.stamp & SEEN_SOLE && (walk.stamp & SEEN_NUMBER) > walk.latest;
}

bool seen_again(uint64_t name, const struct seen_address *address)
{
    uint64_t known, stamp = seen_only_at(address, &known);

    if ((!(stamp & SEEN_SOLE) || known != name) && !seen_is_settled(name, address))
        return false;
    seen_ask(name);
    return true;
}

/* Most addresses are given for one name, and have been before. */
void seen_add(struct seen_lookup *lookup, const struct seen_address *address)
{
    unsigned family = seen_family(address);
    uint64_t name, stamp;

    if (!lookup->name || (lookup->count[family] && seen_same(address, &lookup->last[family])))
        return;
    stamp = seen_only_at(address, &name);
    if (!stamp || name != lookup->name)
        stamp = seen_note(&(struct seen_pair){*address, lookup->name}, lookup->managed);
    lookup->last[family] = *address;
    lookup->count[family]++;
    lookup->settled[family] = stamp & SEEN_SOLE;
}

void seen_end(const struct seen_lookup *lookup)
{
    if (!lookup->name)
        return;
    for (unsigned family = 0; lookup->managed && family < 2; family++)
        if (lookup->count[family] > 1)
            seen_unsettle(lookup->name, family);
        else if (lookup->count[family] && !lookup->settled[family])
            seen_settle(&(struct seen_pair){lookup->last[family], lookup->name});
    seen_ask(lookup->name);
}

/* ---- a connect ---- */

uint64_t seen_only(const struct seen_address *address)
{
    uint64_t name;

    return seen_only_at(address, &name) ? name : 0;
}

bool seen_may(const struct seen_address *address)
{
    size_t bit = seen_place(address) % SEEN_BITS;

    return atomic_load_explicit(&seen_state.noted[bit / 64], memory_order_relaxed) >> bit % 64 & 1;
}

static struct seen_name seen_name(uint64_t name, uint64_t stamp)
{
    return (struct seen_name){
        .hash = name, .stamp = stamp & SEEN_NUMBER, .left = stamp & SEEN_LEFT};
}

/* Whether the thread's last lookup was for this name, and no connect to the family has used that. */
static bool seen_is_asked(uint64_t name, unsigned family)
{
    uint64_t word = atomic_load_explicit(&seen_asked, memory_order_relaxed);

    return !((name ^ word) & ~SEEN_USED || word & 1ull << family);
}

bool seen_find(const struct seen_address *address, struct seen *ret)
{
    struct seen_table table = seen_table_now();
    size_t place = seen_place(address);
    bool found = false;

    *ret = (struct seen){.crowded = seen_lost(address)};
    for (size_t i = 0; table.slots && i < SEEN_PROBES; i++) {
        struct seen_slot *slot = seen_at(&table, place + i);
        uint64_t name, stamp;

        if (!seen_load(&slot->name))
            break;
        if (!(stamp = seen_holds(slot, address, &name)))
            continue;
        found = true;
        ret->crowded |= (stamp & SEEN_CROWDED) != 0;
        if (seen_is_asked(name, seen_family(address)))
            ret->asked = name;
    }
    return found;
}

bool seen_next(const struct seen_address *address, uint64_t above, struct seen_name *ret)
{
    struct seen_table table = seen_table_now();
    size_t place = seen_place(address);

    *ret = (struct seen_name){0};
    for (size_t i = 0; table.slots && i < SEEN_PROBES; i++) {
        struct seen_slot *slot = seen_at(&table, place + i);
        uint64_t name, stamp;

        if (!seen_load(&slot->name))
            break;
        if ((stamp = seen_holds(slot, address, &name)) && name > above &&
            (!ret->hash || name < ret->hash ||
             (name == ret->hash && (stamp & SEEN_NUMBER) > ret->stamp)))
            *ret = seen_name(name, stamp);
    }
    return ret->hash;
}

void seen_use(const struct seen_address *address)
{
    uint64_t used = 1ull << seen_family(address);
    struct seen seen;

    seen_find(address, &seen);
    if (seen.asked)
        atomic_store_explicit(&seen_asked,
                              atomic_load_explicit(&seen_asked, memory_order_relaxed) | used,
                              memory_order_relaxed);
}

bool seen_is_full(void)
{
    return atomic_load_explicit(&seen_state.full, memory_order_relaxed);
}
