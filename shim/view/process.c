/* SPDX-License-Identifier: Apache-2.0
 *
 * process.c - settings, clock and reader turn of this process.
 *
 * 1. Nothing waits. If one thread is setting a value, another works with a copy of its own.
 * 2. Each variable is read once: programs overwrite the environment (setproctitle) or change it.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "shim/libc/descriptor.h"
#include "shim/libc/libc.h"
#include "shim/view/process.h"

#define PROCESS_SOCKET_DEFAULT "/run/homing/agent.sock"

const char *process_environment(const char *name)
{
    return getenv && getauxval && !getauxval(AT_SECURE) ? getenv(name) : NULL;
}

static bool process_same(const char *value, const char *word)
{
    for (; *word; value++, word++)
        if (*word != (*value >= 'A' && *value <= 'Z' ? *value + 'a' - 'A' : *value))
            return false;
    return *value == '\0';
}

/* Whether a variable says no, in one of the ways in which people say it. */
static bool process_denies(const char *value)
{
    static const char words[][6] = {"0", "no", "off", "false"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (process_same(value, words[i]))
            return true;
    return false;
}

/* A value that nobody has thought of leaves the process alone, because who sets this wants just
 * that. */
static bool process_wants_none(void)
{
    const char *value = process_environment("HOMING_DISABLE");

    return value && *value && !process_denies(value);
}

static bool process_wants_no_sever(void)
{
    const char *value = process_environment("HOMING_SEVER");

    return value && process_denies(value);
}

enum {
    PROCESS_KNOWN = 1,
    PROCESS_DISABLED = 2,
    PROCESS_SEVER_REFUSED = 4
};

/* What the environment says about this process. */
static unsigned process_wishes(void)
{
    static _Atomic unsigned char kept;
    unsigned wishes = atomic_load_explicit(&kept, memory_order_relaxed);

    if (!wishes) {
        struct libc_kept errno_kept = libc_keep_errno();

        wishes = PROCESS_KNOWN | (process_wants_none() ? PROCESS_DISABLED : 0) |
                 (process_wants_no_sever() ? PROCESS_SEVER_REFUSED : 0);
        atomic_store_explicit(&kept, (unsigned char)wishes, memory_order_relaxed);
        libc_restore_errno(errno_kept);
    }
    return wishes;
}

bool process_disabled(void)
{
    return process_wishes() & PROCESS_DISABLED;
}

bool process_sever_refused(void)
{
    return process_wishes() & PROCESS_SEVER_REFUSED;
}

static bool process_socket_read(struct sockaddr_un *ret_address)
{
    const char *path = process_environment("HOMING_SOCKET");
    size_t i = 0;

    if (!path || !*path)
        path = PROCESS_SOCKET_DEFAULT;
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    for (; path[i] && i < sizeof(ret_address->sun_path) - 1; i++)
        ret_address->sun_path[i] = path[i];
    if (path[i]) /* too long: kept as no path at all */
        ret_address->sun_path[0] = '\0';
    return ret_address->sun_path[0] != '\0';
}

bool process_socket(struct sockaddr_un *ret_address)
{
    static struct sockaddr_un kept;
    static _Atomic unsigned char state; /* 0: nothing kept, 1: being written, 2: kept */
    unsigned char empty = 0;
    bool usable;

    if (atomic_load_explicit(&state, memory_order_acquire) == 2) { /* pairs with the release */
        *ret_address = kept;
        return kept.sun_path[0] != '\0';
    }
    usable = process_socket_read(ret_address);
    if (atomic_compare_exchange_strong(&state, &empty, 1)) {
        kept = *ret_address;
        atomic_store_explicit(&state, 2, memory_order_release);
    }
    return usable;
}

bool process_permit_socket(struct sockaddr_un *ret_address)
{
    static const char name[] = "permit.sock";
    size_t at = 0;

    if (!process_socket(ret_address))
        return false;
    for (size_t i = 0; ret_address->sun_path[i]; i++)
        if (ret_address->sun_path[i] == '/')
            at = i + 1;
    if (at + sizeof(name) > sizeof(ret_address->sun_path))
        return false;
    for (size_t i = 0; i < sizeof(name); i++)
        ret_address->sun_path[at + i] = name[i];
    return true;
}

/* Whether the next bytes of /proc/self/status say so. *at counts the characters of the key that were
 * found. -1: not yet known. */
static int process_lock_in(const char *bytes, long count, unsigned *at)
{
    static const char key[] = "\nVmLck:";

    for (long i = 0; i < count; i++) {
        if (key[*at])
            *at = bytes[i] == key[*at] ? *at + 1 : bytes[i] == key[0];
        else if (bytes[i] == '\n' || (bytes[i] >= '1' && bytes[i] <= '9'))
            return bytes[i] != '\n';
    }
    return -1;
}

/* By calls that a resolver makes, too: a program that allows itself no others is not to be killed
 * for this question. The buffer is small because it may lie on a signal handler's stack. */
bool process_is_locked(void)
{
    char bytes[256];
    unsigned at = 0;
    int locked = -1, fd = descriptor_lift((int)syscall(SYS_openat, AT_FDCWD, "/proc/self/status",
                                                       O_RDONLY | O_CLOEXEC, 0),
                                          DESCRIPTOR_LOWEST);
    long count = 1;

    while (fd >= 0 && locked < 0 && count > 0) {
        count = syscall(SYS_read, fd, bytes, sizeof(bytes));
        locked = process_lock_in(bytes, count, &at);
    }
    if (fd >= 0)
        descriptor_close(fd);
    return locked > 0;
}

struct rlimit64 process_limit(int resource)
{
    struct rlimit64 limit = {RLIM64_INFINITY, RLIM64_INFINITY};

    syscall(SYS_prlimit64, 0, resource, NULL, &limit);
    return limit;
}

static uint64_t process_clock_ns(clockid_t clock)
{
    struct timespec now = {0};

    if (clock_gettime)
        clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t process_now_ms(void)
{
    struct timespec now = {0};

    if (clock_gettime)
        clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint32_t)now.tv_nsec / 1000000u;
}

struct process_bytes { /* at any address */
    uint64_t word;
} __attribute__((packed, may_alias));

/* The kernel gives each program random bytes at its start. Children that it forks have the same
 * ones, and come at another time. */
uint32_t process_random(void)
{
    uint64_t mixed = process_clock_ns(CLOCK_MONOTONIC) ^ (uintptr_t)&mixed;
    const struct process_bytes *start =
        getauxval ? (const struct process_bytes *)getauxval(AT_RANDOM) : NULL;

    if (start)
        mixed ^= start->word << 32;
    mixed *= 0x9e3779b97f4a7c15u;
    return (uint32_t)(mixed >> 32);
}

/* It is not part of the library's own data, which each process would be charged for when it loads
 * the library, and which a process under mlockall() would hold in memory. */
static void *process_map(_Atomic(void *) *keep, size_t size, bool wiped)
{
    void *mine, *none = NULL;

    mine = atomic_load_explicit(keep, memory_order_acquire); /* pairs with the exchange */
    if (mine || !syscall)
        return mine;
    mine = (void *)syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
    if (mine == MAP_FAILED)
        return NULL;
    if (wiped)
        syscall(SYS_madvise, mine, size, MADV_WIPEONFORK);
    if (atomic_compare_exchange_strong(keep, &none, mine))
        return mine;
    syscall(SYS_munmap, mine, size); /* another thread was first */
    return none;
}

void *process_memory(_Atomic(void *) *keep, size_t size)
{
    return process_map(keep, size, false);
}

void *process_page(_Atomic(void *) *keep)
{
    return process_map(keep, PROCESS_PAGE, true);
}

__attribute__((noinline)) uint32_t process_turn(void)
{
    static _Atomic uint32_t fallback;
    static _Atomic(void *) page;
    struct libc_kept kept = libc_keep_errno();
    _Atomic uint32_t *turn = process_page(&page);
    uint32_t unset = 0;

    if (!turn)
        turn = &fallback;
    if (atomic_load_explicit(turn, memory_order_relaxed) == 0)
        atomic_compare_exchange_strong(turn, &unset, process_random() | 1);
    libc_restore_errno(kept);
    return atomic_fetch_add_explicit(turn, 1, memory_order_relaxed);
}
