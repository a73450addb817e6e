/* SPDX-License-Identifier: Apache-2.0
 *
 * beget.c - the commands of probe.c that make another process run a command.
 *
 *   fork COMMAND · strict COMMAND      in a child; in one that may make no system call
 *   vfork COMMAND · share COMMAND · spawn COMMAND
 *      in one that shares the memory: as vfork() makes it; beside the parent, which goes on; as
 *      posix_spawn() makes it
 *   daemon     the process ends, and a child of it goes on with all that it has, and takes the next commands
 *   chain COUNT COMMAND     in a child, in a child of that, and so on; each ends when it has forked.
 *      What the last one says, and its descriptors
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/shim/probe.h"

#ifndef SECCOMP_MODE_STRICT /* musl comes without the kernel's headers */
#define SECCOMP_MODE_STRICT 1
#endif

static struct out *share_out(void)
{
    return mmap(NULL, sizeof(struct out), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                0);
}

/* Copies what a child says. How it ended, if not well, is said instead. */
static void wait_for(struct out *out, pid_t child, struct out *shared)
{
    int status = 0;

    waitpid(child, &status, 0);
    if (status)
        put_number(out, "child ended with status ", status);
    else if (shared != out)
        put(out, shared->text);
    if (shared != out)
        munmap(shared, sizeof(*shared));
}

static void do_child(struct out *out, char **words, int count, int strict)
{
    struct out *shared = share_out();
    pid_t child = fork();

    if (child == 0) {
        if (strict) /* read, write, exit of the thread, sigreturn; anything else kills */
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
        probe_command(shared, words, count);
        syscall(SYS_exit, 0);
    }
    wait_for(out, child, shared);
}

struct shared {
    struct out *out;
    char **words;
    int count;
};

static int run_shared(void *data)
{
    const struct shared *it = data;

    probe_command(it->out, it->words, it->count);
    return 0;
}

static void do_clone(struct out *out, char **words, int count, int flags)
{
    static char stack[262144] __attribute__((aligned(16)));
    struct shared it = {out, words, count};

    wait_for(out, clone(run_shared, stack + sizeof(stack), CLONE_VM | SIGCHLD | flags, &it), out);
}

/* The command's memory is the parent's. musl's vfork() is a fork() on arm64. */
static void do_vfork(struct out *out, char **words, int count)
{
#if defined(__aarch64__) && !defined(__GLIBC__)
    do_clone(out, words, count, CLONE_VFORK);
#else
    pid_t child = vfork();

    if (child == 0) {
        probe_command(out, words, count);
        _exit(0);
    }
    wait_for(out, child, out);
#endif
}

/* Ends when no process of the chain has its end of the pipe any more. */
static void do_chain(struct out *out, char **words, int count)
{
    struct out *shared = share_out();
    int ends[2], left = atoi(words[1]);
    pid_t child;
    char byte;

    if (pipe(ends) != 0 || left < 1)
        return;
    child = fork();
    while (child == 0) {
        shared->len = 0;
        probe_command(shared, words + 2, count - 2);
        if (--left == 0) {
            put(shared, " fds ");
            probe_command(shared, (char *[]){"fds", NULL}, 1);
            _exit(0);
        }
        child = fork();
        if (child != 0)
            _exit(0);
    }
    close(ends[1]);
    while (read(ends[0], &byte, 1) > 0)
        ;
    close(ends[0]);
    wait_for(out, child, shared);
}

static void do_daemon(struct out *out)
{
    pid_t parent = getpid(), child = fork();

    if (child > 0)
        _exit(0);
    while (child == 0 && getppid() == parent)
        usleep(1000);
    put_number(out, "", child == 0 ? getpid() : child);
}

int beget_command(struct out *out, char **words, int count)
{
    const char *verb = words[0];

    if (strcmp(verb, "fork") == 0)
        do_child(out, words + 1, count - 1, 0);
    else if (strcmp(verb, "strict") == 0)
        do_child(out, words + 1, count - 1, 1);
    else if (strcmp(verb, "vfork") == 0)
        do_vfork(out, words + 1, count - 1);
    else if (strcmp(verb, "share") == 0)
        do_clone(out, words + 1, count - 1, 0);
    else if (strcmp(verb, "spawn") == 0)
        do_clone(out, words + 1, count - 1, CLONE_VFORK);
    else if (strcmp(verb, "daemon") == 0)
        do_daemon(out);
    else if (strcmp(verb, "chain") == 0 && count > 2)
        do_chain(out, words, count);
    else
        return 0;
    return 1;
}
