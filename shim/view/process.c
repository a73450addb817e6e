/* SPDX-License-Identifier: Apache-2.0
 *
 * process.c - settings, clock and reader turn of this process.
 *
 * 1. Nothing waits. If one thread is setting a value, another works with a copy of its own.
 * 2. Each variable is read once: programs overwrite the environment (setproctitle) or change it.
 */
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "shim/libc/libc.h"
#include "shim/view/process.h"

#define PROCESS_SOCKET_DEFAULT "/run/homing/agent.sock"

/* NULL: it is not set, or the environment does not count. */
static const char *process_environment(const char *name)
{
    return getenv && getauxval && !getauxval(AT_SECURE) ? getenv(name) : NULL;
}

static bool process_is(const char *name, char digit)
{
    const char *value = process_environment(name);

    return value && value[0] == digit && value[1] == '\0';
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

        wishes = PROCESS_KNOWN | (process_is("HOMING_DISABLE", '1') ? PROCESS_DISABLED : 0) |
                 (process_is("HOMING_SEVER", '0') ? PROCESS_SEVER_REFUSED : 0);
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

void *process_page(_Atomic(void *) *keep)
{
    void *mine, *none = NULL;

    mine = atomic_load_explicit(keep, memory_order_acquire); /* pairs with the exchange */
    if (mine || !syscall)
        return mine;
    mine = (void *)syscall(SYS_mmap, NULL, (size_t)4096, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
    if (mine == MAP_FAILED)
        return NULL;
    syscall(SYS_madvise, mine, (size_t)4096, MADV_WIPEONFORK);
    if (atomic_compare_exchange_strong(keep, &none, mine))
        return mine;
    syscall(SYS_munmap, mine, (size_t)4096); /* another thread was first */
    return none;
}

uint32_t process_turn(void)
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
