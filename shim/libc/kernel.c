/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel.c - system calls and the clock, from the kernel itself.
 *
 * Other preloads stand in for syscall() and clock_gettime(). torsocks refuses the calls that it does not
 * know, and crashes in recvmsg(). libfaketime gives another time than the agent's, so that a view
 * seems to be stale. So the library has functions of these names of its own, which nobody else sees.
 * Elsewhere than on these machines they are libc's.
 */
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "shim/libc/libc.h"
#include "shim/libc/next.h"

#if defined(__x86_64__) || defined(__aarch64__)

/* Under a name of its own, because libc's declaration has no arguments to hand on. On these machines
 * the caller puts those of a variadic function where those of any other are. What it does not give
 * is read all the same, and the kernel does not look at it. */
long kernel_call(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");

#ifdef __x86_64__

#define KERNEL_CLOCK "__vdso_clock_gettime"

static inline long kernel_enter(long number, long a, long b, long c, const long rest[3])
{
    register long d __asm__("r10") = rest[0];
    register long e __asm__("r8") = rest[1];
    register long f __asm__("r9") = rest[2];

    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(d), "r"(e), "r"(f)
                     : "rcx", "r11", "memory");
    return number;
}

#else

#define KERNEL_CLOCK "__kernel_clock_gettime"

static inline long kernel_enter(long number, long a, long b, long c, const long rest[3])
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = rest[0];
    register long x4 __asm__("x4") = rest[1];
    register long x5 __asm__("x5") = rest[2];

    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}

#endif

long kernel_call(long number, long a, long b, long c, long d, long e, long f)
{
    long rv = kernel_enter(number, a, b, c, (const long[]){d, e, f});

    return rv < 0 && rv >= -4095 ? libc_fail((int)-rv) : rv;
}

/* ---- the clock ---- */

typedef int kernel_clock(clockid_t id, struct timespec *ret);

int kernel_clock_gettime(clockid_t id, struct timespec *ret) __asm__("clock_gettime");

static int kernel_ask_clock(clockid_t id, struct timespec *ret)
{
    return (int)syscall(SYS_clock_gettime, id, ret);
}

/* The kernel maps a function into each process that reads the clock without a system call. There may
 * be none, as under valgrind or an emulator: getauxval() sets errno then. */
__attribute__((noinline, cold)) static void *kernel_find_clock(void)
{
    struct libc_kept kept = libc_keep_errno();
    unsigned long image = getauxval ? getauxval(AT_SYSINFO_EHDR) : 0;
    void *found = image ? next_in_image((const void *)image, KERNEL_CLOCK) : NULL;

    libc_restore_errno(kept);
    return found ? found : (void *)kernel_ask_clock;
}

int kernel_clock_gettime(clockid_t id, struct timespec *ret)
{
    static _Atomic(void *) kept;
    void *clock = atomic_load_explicit(&kept, memory_order_relaxed);

    if (!clock) {
        clock = kernel_find_clock();
        atomic_store_explicit(&kept, clock, memory_order_relaxed);
    }
    return ((kernel_clock *)clock)(id, ret);
}

#endif
