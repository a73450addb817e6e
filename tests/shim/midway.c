/* SPDX-License-Identifier: Apache-2.0
 *
 * midway.c - the commands of probe.c that leave a call in its middle, as a signal handler can.
 *
 *   midway CALL jump COMMAND    a handler that comes when it makes CALL leaves by siglongjmp()
 *   midway CALL park COMMAND    in a thread, which stays in that handler until told to `resume`
 * CALL: memfd (memfd_create with MFD_NOEXEC_SEAL) | map (of shared memory to write into) | send
 * (sendmsg) | connect (to an IPv4 address). The handler is that of SIGSYS, which a filter of system calls raises: each time, for
 * the rest of the process. Then the handler makes the call in a form that the filter lets through.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/shim/probe.h"

#if defined(__x86_64__)
#define MIDWAY_ARGUMENT(c, i)                                                                      \
    ((c)->uc_mcontext.gregs[(int[]){REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9}[i]])
#define MIDWAY_RESULT(c) ((c)->uc_mcontext.gregs[REG_RAX])
#elif defined(__aarch64__)
#define MIDWAY_ARGUMENT(c, i) ((c)->uc_mcontext.regs[i])
#define MIDWAY_RESULT(c)      ((c)->uc_mcontext.regs[0])
#endif

/* Of <linux/filter.h> and <linux/seccomp.h>, which musl comes without. */
struct midway_step {
    uint16_t code;
    uint8_t if_true, if_false;
    uint32_t k;
};
struct midway_filter {
    unsigned short len;
    struct midway_step *steps;
};
enum {
    LOAD = 0x20,
    AND = 0x54,
    JUMP_EQUAL = 0x15,
    RETURN = 0x06,
    NUMBER = 0, /* offset in what a filter sees */
    ARGUMENT = 16,
    TRAP = 0x00030000,
    ALLOW = 0x7fff0000
};

#define MEMFD_FLAGS 11 /* close-on-exec, sealing, not executable */
#define MEMFD_OTHER 3
#define SEND_FLAGS  (MSG_NOSIGNAL | MSG_DONTWAIT)
#define MAP_OTHER   MAP_STACK /* of no effect */

/* A call with a word among its arguments that has these bits of a mask. */
static const struct midway_call {
    const char *name;
    uint32_t number, argument, mask, bits;
} calls[] = {
    {"memfd", SYS_memfd_create, 1, 0xffffffff, MEMFD_FLAGS},
    {"map", SYS_mmap, 3, MAP_TYPE | MAP_ANONYMOUS | MAP_OTHER, MAP_SHARED},
    {"send", SYS_sendmsg, 2, 0xffffffff, SEND_FLAGS},
    {"connect", SYS_connect, 2, 0xffffffff, sizeof(struct sockaddr_in)},
};

static struct {
    const struct midway_call *call;
    volatile int armed, parks;
    sigjmp_buf back;
    int parked[2], go_on[2]; /* pipes */
    pthread_t thread;
    char *words[16];
    int count;
    struct out out;
} it;

static long midway_instead(const ucontext_t *c)
{
    long a[6];

    for (int i = 0; i < 6; i++)
        a[i] = (long)MIDWAY_ARGUMENT(c, i);
    if (it.call->number == SYS_memfd_create)
        return syscall(SYS_memfd_create, a[0], (long)MEMFD_OTHER);
    if (it.call->number == SYS_mmap)
        return syscall(SYS_mmap, a[0], a[1], a[2], a[3] | MAP_OTHER, a[4], a[5]);
    if (it.call->number == SYS_connect) /* a few bytes more than the address has */
        return syscall(SYS_connect, a[0], a[1], a[2] + 4);
    return sendmsg((int)a[0], (const struct msghdr *)a[1], MSG_NOSIGNAL);
}

static void on_call(int number, siginfo_t *info, void *context)
{
    int armed = it.armed, kept = errno;
    char byte = 0;
    long result;

    (void)number, (void)info;
    it.armed = 0;
    if (armed && !it.parks)
        siglongjmp(it.back, 1);
    if (armed && (write(it.parked[1], &byte, 1) != 1 || read(it.go_on[0], &byte, 1) != 1))
        abort();
    result = midway_instead(context);
    MIDWAY_RESULT((ucontext_t *)context) = result < 0 ? -errno : result;
    errno = kept;
}

static int midway_trap(const struct midway_call *call)
{
    struct midway_step steps[] = {
        {LOAD, 0, 0, NUMBER},
        {JUMP_EQUAL, 0, 4, call->number},
        {LOAD, 0, 0, ARGUMENT + 8 * call->argument},
        {AND, 0, 0, call->mask},
        {JUMP_EQUAL, 0, 1, call->bits},
        {RETURN, 0, 0, TRAP},
        {RETURN, 0, 0, ALLOW},
    };
    struct midway_filter filter = {sizeof(steps) / sizeof(steps[0]), steps};
    struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_NODEFER};

    it.call = call;
    sigaction(SIGSYS, &action, NULL);
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, 2 /* a filter */, &filter, 0, 0) == 0;
}

static void *midway_run(void *nothing)
{
    it.armed = 1;
    probe_command(&it.out, it.words, it.count);
    it.armed = 0;
    return nothing;
}

static void midway_park(struct out *out)
{
    char byte;

    if (pipe2(it.parked, O_CLOEXEC) != 0 || pipe2(it.go_on, O_CLOEXEC) != 0)
        abort();
    it.parks = 1;
    pthread_create(&it.thread, NULL, midway_run, NULL);
    put(out, read(it.parked[0], &byte, 1) == 1 ? "parked" : "not parked");
}

static void midway_jump(struct out *out)
{
    it.parks = 0;
    if (sigsetjmp(it.back, 1) == 0)
        midway_run(NULL);
    else
        put(&it.out, "jumped");
    put(out, it.out.text);
}

static void do_midway(struct out *out, char **words, int count)
{
    const struct midway_call *call = calls;

    while (strcmp(call->name, words[1]) != 0)
        call++;
    it.out.len = 0;
    it.out.text[0] = '\0';
    it.count = count - 3;
    for (int i = 0; i < it.count; i++)
        it.words[i] = strdup(words[i + 3]);
    if (!midway_trap(call))
        put(out, "no filter");
    else if (strcmp(words[2], "park") == 0)
        midway_park(out);
    else
        midway_jump(out);
}

static void do_resume(struct out *out)
{
    char byte = 0;

    if (write(it.go_on[1], &byte, 1) != 1)
        abort();
    pthread_join(it.thread, NULL);
    put(out, it.out.text);
}

int midway_command(struct out *out, char **words, int count)
{
    if (strcmp(words[0], "midway") == 0 && count > 3)
        do_midway(out, words, count);
    else if (strcmp(words[0], "resume") == 0)
        do_resume(out);
    else
        return 0;
    return 1;
}
