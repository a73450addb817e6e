/* SPDX-License-Identifier: Apache-2.0
 *
 * process.c - settings, clock and reader turn of this process.
 *
 * 1. Nothing waits: who finds a value being set by another thread works with a copy of its own.
 * 2. The environment is read once: programs overwrite it (setproctitle) or change it later.
 */
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "shim/libc.h"
#include "shim/process.h"

#define PROCESS_SOCKET_DEFAULT "/run/homing/agent.sock"

/* NULL where the environment must not be believed. */
static const char *process_environment(const char *name)
{
    return getenv && getauxval && !getauxval(AT_SECURE) ? getenv(name) : NULL;
}

bool process_disabled(void)
{
    static _Atomic unsigned char state; /* 0: not known yet, 1: enabled, 2: disabled */
    unsigned char known = atomic_load_explicit(&state, memory_order_relaxed);

    if (!known) {
        struct libc_kept kept = libc_keep_errno();
        const char *value = process_environment("HOMING_DISABLE");

        known = value && value[0] == '1' && value[1] == '\0' ? 2 : 1;
        atomic_store_explicit(&state, known, memory_order_relaxed);
        libc_restore_errno(kept);
    }
    return known == 2;
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
    if (path[i]) /* too long: remembered as no path at all */
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

uint32_t process_random(void)
{
    uint64_t mixed = process_clock_ns(CLOCK_MONOTONIC) ^ (uintptr_t)&mixed;

    if (syscall)
        mixed ^= (uint64_t)syscall(SYS_getpid) << 40;
    mixed *= 0x9e3779b97f4a7c15u;
    return (uint32_t)(mixed >> 32);
}

/* A page that the kernel hands to a forked child as zeros; NULL: it could not be had. */
static _Atomic uint32_t *process_forked_page(void)
{
    static _Atomic(void *) page;
    void *mine, *none = NULL;

    mine = atomic_load_explicit(&page, memory_order_acquire); /* pairs with the exchange */
    if (mine || !syscall)
        return mine;
    mine = (void *)syscall(SYS_mmap, NULL, (size_t)4096, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
    if (mine == MAP_FAILED)
        return NULL;
    syscall(SYS_madvise, mine, (size_t)4096, MADV_WIPEONFORK);
    if (atomic_compare_exchange_strong(&page, &none, mine))
        return mine;
    syscall(SYS_munmap, mine, (size_t)4096); /* another thread was first; nobody saw this one */
    return none;
}

uint32_t process_turn(void)
{
    static _Atomic uint32_t fallback;
    struct libc_kept kept = libc_keep_errno();
    _Atomic uint32_t *turn = process_forked_page();
    uint32_t unset = 0;

    if (!turn)
        turn = &fallback;
    if (atomic_load_explicit(turn, memory_order_relaxed) == 0)
        atomic_compare_exchange_strong(turn, &unset, process_random() | 1);
    libc_restore_errno(kept);
    return atomic_fetch_add_explicit(turn, 1, memory_order_relaxed);
}
