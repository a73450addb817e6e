/* SPDX-License-Identifier: Apache-2.0
 *
 * nolibc.c - a dynamic program without any libc: prints its own memory map and exits.
 *
 * libhoming.sh runs it under the preload, as in a container image that holds a loader but no libc.
 */
#include <asm/unistd.h>

static long nolibc_call(long number, long a, long b, long c)
{
    long result;
#if defined(__x86_64__)
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    result = x0;
#else
#error "say here how this machine calls its kernel"
#endif
    return result;
}

static long nolibc_open(const char *path)
{
#ifdef __NR_open
    return nolibc_call(__NR_open, (long)path, 0, 0);
#else
    return nolibc_call(__NR_openat, -100, (long)path, 0);
#endif
}

/* The stack is not aligned as a function expects it: nothing here may need that. */
void _start(void);
void _start(void)
{
    static char buffer[4096];
    long n, fd = nolibc_open("/proc/self/maps");
    while ((n = nolibc_call(__NR_read, fd, (long)buffer, sizeof(buffer))) > 0)
        nolibc_call(__NR_write, 1, (long)buffer, n);
    nolibc_call(__NR_exit, n == 0 ? 0 : 1, 0, 0);
    __builtin_unreachable();
}
