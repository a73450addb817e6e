/* SPDX-License-Identifier: Apache-2.0
 *
 * recall.c - see recall.h.
 *
 * 1. Where a connection is noted follows from its descriptor number. A place's state is a digest of its
 *    note. Who reads one copies it, and looks whether the state is as it was, and the copy's digest
 *    (V1). So nobody waits for a place, and none is lost with a thread or a child that never comes to
 *    the end of a note. If two threads note something at one place at once, it may be that neither is
 *    noted.
 * 2. A connection is told of before its note goes, so that it is not lost between the two. While it is
 *    told of, its state says so. A connect with that number meanwhile takes the note away: then who
 *    tells of it knows, and what he has written over is written once more.
 * 3. A note that goes is kept beside, unless the number leads to the same address now: who shares this
 *    memory, but not its descriptors (CLONE_VM), may have the connection still.
 */
#include <netinet/tcp.h>

#include "shim/libc/libc.h"
#include "shim/libc/socket.h"
#include "shim/steer/assume.h"
#include "shim/steer/finding.h"
#include "shim/steer/recall.h"
#include "shim/steer/redirect.h"
#include "shim/view/consult.h"
#include "shim/view/process.h"

/* Of the names of one address. */
#define RECALL_NAMES 3

struct recall_note {
    struct seen_address address;
    uint64_t since_ms;
    uint64_t where; /* recall_where(): a whole word, without padding, as it is compared */
    union {
        uint64_t names[RECALL_NAMES]; /* 0: no more */
        struct {
            uint64_t endpoint, generation;
        };
    };
};

#define RECALL_WORDS (sizeof(struct recall_note) / sizeof(uint64_t))

/* The first name is the one that the thread had just looked up. */
#define RECALL_ASKED (1ull << 48)
/* There is no name: the address was given for none, and HOMING_ASSUME says what it may be for. */
#define RECALL_ASSUMED (1ull << 49)
/* Of a process with HOMING_SEVER=0: none is like another connect (recall_has()), because each new
 * socket is asked for its cookie. */
#define RECALL_REFUSED (1ull << 50)

static uint64_t recall_where(const struct recall_connect *connect)
{
    return (uint32_t)connect->fd | (uint64_t)connect->port << 32;
}

static int recall_fd(const struct recall_note *note)
{
    return (int)(uint32_t)note->where;
}

static uint16_t recall_port(const struct recall_note *note)
{
    return (uint16_t)(note->where >> 32);
}

/* The low bits of a place's state. */
enum recall_kind {
    RECALL_FREE,
    RECALL_KNOWN, /* its endpoint is known */
    RECALL_NAMED, /* its names are */
    RECALL_KINDS,
    RECALL_TELLING = 4, /* beside one of these: it is being told of */
    RECALL_BITS = 7
};

/* Each word is stored with release and loaded with acquire: who sees a word of the next note also
 * sees that the state has changed before. */
struct recall_place {
    _Atomic uint64_t state;
    _Atomic uint64_t words[RECALL_WORDS];
};

#define RECALL_PER_PAGE (PROCESS_PAGE / sizeof(struct recall_place))
#define RECALL_PLACES   (RECALL_OTHERS + RECALL_NUMBERS)

_Static_assert(sizeof(struct recall_place) == 64 && RECALL_PLACES % RECALL_PER_PAGE == 0,
               "whole pages");

/* Behind all others: the last notes that others took the place of (3), in one place of either kind. More would
 * be a page more that a program is charged for when it loads the library. */
#define RECALL_KEPT 1024
#define RECALL_ALL  (RECALL_PLACES + RECALL_KEPT)

static _Atomic(void *) recall_pages[RECALL_ALL / RECALL_PER_PAGE];

static unsigned recall_number(int fd, enum recall_kind kind)
{
    return kind == RECALL_KNOWN ? RECALL_OTHERS + (unsigned)fd : (unsigned)fd % RECALL_OTHERS;
}

/* NULL: it is not mapped. */
static struct recall_place *recall_at(unsigned number)
{
    /* Pairs with the exchange in process_memory(). */
    struct recall_place *page =
        atomic_load_explicit(&recall_pages[number / RECALL_PER_PAGE], memory_order_acquire);

    return page ? &page[number % RECALL_PER_PAGE] : NULL;
}

/* Cold: once for each page. */
__attribute__((noinline, cold)) static struct recall_place *recall_map(unsigned number)
{
    struct libc_kept kept = libc_keep_errno();

    process_memory(&recall_pages[number / RECALL_PER_PAGE], PROCESS_PAGE);
    libc_restore_errno(kept);
    return recall_at(number);
}

static enum recall_kind recall_kind(uint64_t state)
{
    return (enum recall_kind)(state & RECALL_KINDS);
}

/* A note's words, in whatever type they are. */
struct recall_copy {
    uint64_t words[RECALL_WORDS];
} __attribute__((may_alias));

static inline uint64_t recall_word(const struct recall_place *place, int word)
{
    return atomic_load_explicit(&place->words[word], memory_order_acquire);
}

static uint64_t recall_digest(const struct recall_note *note)
{
    const struct recall_copy *copy = (const struct recall_copy *)note;
    uint64_t digest = 0;

    for (size_t i = 0; i < RECALL_WORDS; i++) {
        digest = (digest ^ copy->words[i]) * 0x9e3779b97f4a7c15u;
        digest ^= digest >> 32;
    }
    return digest & ~(uint64_t)RECALL_BITS;
}

/* Returns the state that it is of; 0: there is no whole one. */
static uint64_t recall_read(const struct recall_place *place, struct recall_note *ret)
{
    struct recall_copy *copy = (struct recall_copy *)ret;
    uint64_t state = atomic_load_explicit(&place->state, memory_order_acquire);

    if (recall_kind(state) == RECALL_FREE)
        return 0;
    for (size_t i = 0; i < RECALL_WORDS; i++)
        copy->words[i] = atomic_load_explicit(&place->words[i], memory_order_acquire);
    if (atomic_load_explicit(&place->state, memory_order_acquire) != state ||
        recall_digest(ret) != (state & ~(uint64_t)RECALL_BITS))
        return 0;
    return state;
}

static bool recall_change(struct recall_place *place, uint64_t from, uint64_t to)
{
    return atomic_compare_exchange_strong(&place->state, &from, to);
}

/* ---- recalling ---- */

/* While it is written, its state is the digest without a kind. If another thread, or a signal handler,
 * has begun one here meanwhile, the words may be of both: then the place is free, because recall_has()
 * takes what a state is of on trust. */
static void recall_write(struct recall_place *place, enum recall_kind kind,
                         const struct recall_note *note)
{
    const struct recall_copy *copy = (const struct recall_copy *)note;
    uint64_t state = recall_digest(note);

    atomic_store_explicit(&place->state, state, memory_order_relaxed);
    for (size_t i = 0; i < RECALL_WORDS; i++)
        atomic_store_explicit(&place->words[i], copy->words[i], memory_order_release);
    if (!recall_change(place, state, state | kind))
        atomic_store_explicit(&place->state, RECALL_FREE, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst); /* before the caller looks at the view once more */
}

static struct recall_place *recall_place(unsigned number)
{
    struct recall_place *place = recall_at(number);

    return place ? place : recall_map(number);
}

static bool recall_is_to(const struct recall_note *note, const struct recall_connect *connect)
{
    return connect && recall_port(note) == connect->port &&
           seen_same(&note->address, &connect->address);
}

static unsigned recall_kept_number(int fd)
{
    return RECALL_PLACES + (unsigned)fd % RECALL_KEPT;
}

/* `connect`: what the number leads to from now on; NULL: to what has a tag. */
static void recall_keep(enum recall_kind kind, const struct recall_note *note,
                        const struct recall_connect *connect)
{
    struct recall_place *place;

    if (recall_is_to(note, connect))
        return;
    place = recall_place(recall_kept_number(recall_fd(note)));
    if (place)
        recall_write(place, kind, note);
}

/* What is kept beside and leads to the same address would be taken for this one. */
static void recall_drop_kept(const struct recall_connect *connect)
{
    struct recall_place *place = recall_at(recall_kept_number(connect->fd));
    struct recall_note note;
    uint64_t state = place ? recall_read(place, &note) : 0;

    if (state && recall_fd(&note) == connect->fd && recall_is_to(&note, connect))
        recall_change(place, state, RECALL_FREE);
}

/* What was noted with this number in one way is of a socket that is gone, or that another one has (3). A state changes twice
 * while it is told of. True: it was being told of. */
static bool recall_forget(int fd, enum recall_kind kind, const struct recall_connect *connect)
{
    struct recall_place *place = recall_at(recall_number(fd, kind));
    struct recall_note note;
    uint64_t state;

    for (int i = 0; place && i < 3; i++) {
        state = recall_read(place, &note);
        if (!state || recall_fd(&note) != fd)
            return false;
        if (recall_change(place, state, RECALL_FREE)) {
            recall_keep(kind, &note, connect);
            return state & RECALL_TELLING;
        }
    }
    return false;
}

bool recall_forget_all(int fd)
{
    bool known, named;

    if ((unsigned)fd >= RECALL_NUMBERS)
        return false;
    known = recall_forget(fd, RECALL_KNOWN, NULL);
    named = recall_forget(fd, RECALL_NAMED, NULL);
    return known || named;
}

/* homing-sever, with sever_untagged, spares what somebody has asked this of before it came. */
__attribute__((noinline, cold)) static void recall_ask(int fd)
{
    struct libc_kept kept = libc_keep_errno();

    (void)socket_cookie(fd);
    libc_restore_errno(kept);
}

static void recall_note(struct recall_note *note, const struct recall_connect *connect,
                        enum recall_kind kind)
{
    unsigned number = recall_number(connect->fd, kind);
    struct recall_place *place;

    if (process_sever_refused()) {
        recall_ask(connect->fd);
        note->where |= RECALL_REFUSED;
    }
    if ((unsigned)connect->fd >= RECALL_NUMBERS)
        return;
    note->address = connect->address;
    note->since_ms = connect->since_ms;
    note->where |= recall_where(connect);
    recall_forget(connect->fd, RECALL_KNOWN, connect);
    recall_forget(connect->fd, RECALL_NAMED, connect);
    recall_drop_kept(connect);
    place = recall_place(number);
    if (place)
        recall_write(place, kind, note);
}

void recall_for_endpoint(const struct recall_connect *connect, uint64_t endpoint,
                         uint64_t generation)
{
    struct recall_note note = {.endpoint = endpoint, .generation = generation};

    recall_note(&note, connect, RECALL_KNOWN);
}

/* Whether this is noted already, as when a program connects to one server again and again, and gets
 * the same number each time: in one cache line, and without a write. What was noted for the number
 * in the other way is then older, and gone. One that is being told of is written anew. */
static inline bool recall_has(const struct recall_connect *connect, uint64_t name)
{
    struct recall_place *place = recall_at(recall_number(connect->fd, RECALL_NAMED));
    uint64_t state, differs;

    if (!place)
        return false;
    state = atomic_load_explicit(&place->state, memory_order_acquire);
    differs = recall_word(place, 0) ^ connect->address.words[0];
    differs |= recall_word(place, 1) ^ connect->address.words[1];
    differs |= recall_word(place, 2) ^ connect->since_ms;
    differs |= recall_word(place, 3) ^ recall_where(connect);
    differs |= recall_word(place, 4) ^ name;
    differs |= recall_word(place, 5);
    differs |= atomic_load_explicit(&place->state, memory_order_acquire) ^ state;
    return !differs && (state & RECALL_BITS) == RECALL_NAMED;
}

/* Not inlined, because most connects need none of its stack. */
__attribute__((noinline)) void recall_anew(const struct recall_connect *connect, uint64_t name)
{
    struct recall_note note = {.names = {name}};

    recall_note(&note, connect, RECALL_NAMED);
}

__attribute__((always_inline)) inline void recall_for_name(const struct recall_connect *connect,
                                                           uint64_t name)
{
    if (!recall_has(connect, name))
        recall_anew(connect, name);
}

static void recall_insert(struct recall_note *note, uint64_t stamps[RECALL_NAMES],
                          struct seen_name name)
{
    for (int i = 0; i < RECALL_NAMES; i++)
        if (name.stamp > stamps[i]) {
            struct seen_name other = {.hash = note->names[i], .stamp = stamps[i]};

            stamps[i] = name.stamp;
            note->names[i] = name.hash;
            name = other;
        }
}

/* The latest first; but before it the one that the thread has just looked up. Not inlined, because of
 * its stack. */
__attribute__((noinline)) static void recall_names(const struct seen_address *address,
                                                   struct recall_note *ret)
{
    uint64_t stamps[RECALL_NAMES] = {0};
    struct seen_name name = {0};
    struct seen seen;

    seen_find(address, &seen);
    ret->where = seen.asked ? RECALL_ASKED : 0;
    for (int i = 0; i < SEEN_PROBES && seen_next(address, name.hash, &name); i++) {
        struct seen_name found = name;

        if (found.hash == seen.asked)
            found.stamp = UINT64_MAX;
        if (found.hash != SEEN_FOREIGN)
            recall_insert(ret, stamps, found);
    }
}

__attribute__((noinline)) static void recall_for_several(const struct recall_connect *connect)
{
    struct recall_note note = {.names = {0}};

    recall_names(&connect->address, &note);
    recall_note(&note, connect, RECALL_NAMED);
}

void recall_for_names(const struct recall_connect *connect)
{
    uint64_t only = seen_only(&connect->address);

    if (only)
        recall_for_name(connect, only);
    else
        recall_for_several(connect);
}

void recall_for_assumed(const struct recall_connect *connect)
{
    struct recall_note note = {.where = RECALL_ASSUMED};

    recall_note(&note, connect, RECALL_NAMED);
}

/* ---- what it was for ---- */

/* The note's name number `i`, behind the name `last`. False: there is none. */
static bool recall_name(const struct recall_note *note, uint32_t i, uint64_t last, uint64_t *ret)
{
    if (note->where & RECALL_ASSUMED)
        return assume_next(last, ret);
    *ret = i < RECALL_NAMES ? note->names[i] : 0;
    return *ret;
}

static bool recall_find(const struct recall_note *note, const struct attached *head, uint64_t name,
                        struct finding_question *question, struct finding *ret)
{
    struct view_entry entry;

    if (!consult_hash(head, name, question->now_ms, &entry, &question->map))
        return false;
    question->assumed = note->where & RECALL_ASSUMED;
    if (question->assumed && entry.endpoint != name) /* it is not the endpoint's first name */
        return false;
    question->entry = &entry;
    finding_make(question, ret);
    return ret->kind != FINDING_ELSEWHERE;
}

/* As a connect is decided about, with the names of then. Not inlined, because of its stack. */
__attribute__((noinline)) static void recall_judge(const struct recall_note *note,
                                                   const struct attached *head, uint64_t now_ms,
                                                   struct redirect *ret)
{
    struct finding findings[RECALL_NAMES];
    struct finding_question question = {.now_ms = now_ms};
    struct inet_address to;
    uint64_t name = 0;
    uint32_t count = 0;

    inet_address_set(6, (const uint8_t *)note->address.words, recall_port(note), &to);
    question.to = &to;
    for (uint32_t i = 0; count < RECALL_NAMES && recall_name(note, i, name, &name); i++) {
        struct finding *finding = &findings[count];

        finding->stamp = note->where & RECALL_ASSUMED ? 0 : RECALL_NAMES - i;
        finding->left = false;
        finding->asked = note->where & RECALL_ASKED && i == 0;
        count += recall_find(note, head, name, &question, finding);
    }
    redirect_decide(findings, count, ret);
}

/* False: not for any endpoint that is known and not idle. */
static bool recall_is_wanted_by_names(const struct recall_note *note, const struct attached *head,
                                      uint64_t now_ms, struct recalled *ret)
{
    struct redirect redirect;
    uint64_t name = 0;
    bool managed = false;

    for (uint32_t i = 0; recall_name(note, i, name, &name); i++)
        managed |= view_has_hash(&head->map, name);
    if (!managed)
        return false;
    recall_judge(note, head, now_ms, &redirect);
    ret->endpoint = redirect.endpoint;
    ret->generation = 0;
    return redirect.endpoint && !redirect.idle;
}

/* An endpoint is its first name's hash. */
__attribute__((noinline)) bool recall_is_endpoint_wanted(const void *attached, uint64_t endpoint)
{
    const struct attached *head = attached;
    struct view_entry entry;

    return view_read_hash(&head->map, endpoint, &entry) == VIEW_FOUND &&
           (entry.mode == VIEW_MODE_OBSERVE || entry.mode >= VIEW_MODE_CONNECT);
}

static bool recall_is_wanted(const struct recall_note *note, enum recall_kind kind,
                             const struct attached *head, uint64_t now_ms, struct recalled *ret)
{
    if (kind == RECALL_NAMED)
        return recall_is_wanted_by_names(note, head, now_ms, ret);
    ret->endpoint = note->endpoint;
    ret->generation = note->generation;
    return recall_is_endpoint_wanted(head, note->endpoint);
}

enum recall_is {
    RECALL_IS_GONE,
    RECALL_IS_FRESH, /* its connect may come in a moment */
    RECALL_IS_THERE
};

/* Whether a socket with that number leads there, or is about to. Its cookie is asked for twice, because
 * the program may close it meanwhile. One that was aborted still has its peer. */
static enum recall_is recall_find_socket(const struct recall_note *note, struct recalled *ret)
{
    int fd = recall_fd(note);
    uint64_t cookie = socket_cookie(fd);
    uint8_t state = socket_tcp_state(fd);
    struct seen_address peer;
    uint16_t port;
    bool connected = socket_peer(fd, (uint8_t *)peer.words, &port);

    ret->fd = fd;
    ret->cookie = cookie;
    if (!cookie || !state)
        return RECALL_IS_GONE;
    if (state == TCP_CLOSE)
        return connected ? RECALL_IS_GONE : RECALL_IS_FRESH;
    return connected && port == recall_port(note) && seen_same(&peer, &note->address) &&
                   socket_cookie(fd) == cookie
               ? RECALL_IS_THERE
               : RECALL_IS_GONE;
}

/* A program on a database host that names its own server means it, as when it is decided about a
 * connect (steer.c). Not inlined, because of its stack. */
__attribute__((noinline)) static bool recall_is_own_host(const struct recall_note *note)
{
    struct inet_address to;

    if (!(note->where & RECALL_ASSUMED))
        return false;
    inet_address_set(6, (const uint8_t *)note->address.words, recall_port(note), &to);
    return assume_is_own_host(&to);
}

/* False: it is to be looked at once more. If the note is another one before it is told of, who has
 * changed it sees to that. Another socket that goes to the same address by the same number may have
 * found the note there before (recall_has()), and counts on it: then it stays. */
static bool recall_tell(struct recall_place *place, uint64_t state, const struct recalled *recalled,
                        recall_fn *fn, void *arg)
{
    uint64_t telling = state | RECALL_TELLING;

    if (state != telling && !recall_change(place, state, telling))
        return true;
    if (fn(arg, recalled) && socket_cookie(recalled->fd) == recalled->cookie)
        return recall_change(place, telling, RECALL_FREE);
    recall_change(place, telling, telling & ~(uint64_t)RECALL_TELLING);
    return false;
}

/* What is not there stays until another connect takes its place. False: it is to be looked at once
 * more. */
static bool recall_look(struct recall_place *place, const struct attached *head, uint64_t now_ms,
                        recall_fn *fn, void *arg)
{
    struct recall_note note;
    struct recalled recalled;
    uint64_t state = recall_read(place, &note);
    enum recall_is is;

    if (!state || !recall_is_wanted(&note, recall_kind(state), head, now_ms, &recalled))
        return true;
    recalled.since_ms = note.since_ms ? note.since_ms : now_ms;
    is = recall_find_socket(&note, &recalled);
    if (is == RECALL_IS_THERE && !recall_is_own_host(&note))
        return recall_tell(place, state, &recalled, fn, arg);
    return is != RECALL_IS_FRESH;
}

bool recall_each(const struct attached *head, uint64_t now_ms, recall_fn *fn, void *arg)
{
    bool all = true;

    for (unsigned number = 0; number < RECALL_ALL; number++) {
        struct recall_place *place = recall_at(number);

        if (place)
            all &= recall_look(place, head, now_ms, fn, arg);
        else
            number += RECALL_PER_PAGE - 1; /* the rest of its page */
    }
    return all;
}
