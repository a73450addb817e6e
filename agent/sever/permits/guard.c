/* SPDX-License-Identifier: Apache-2.0
 *
 * guard.c - see guard.h: a timer against calls that a signal ends, and deputies for those that none does.
 * The timer repeats: a single alarm could go off just before the call.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/process.h"
#include "agent/sever/permits/guard.h"

static void interrupt(int signo)
{
    (void)signo;
}

void guard_init(void)
{
    struct sigaction action = {.sa_handler = interrupt}; /* without SA_RESTART */
    sigaction(SIGALRM, &action, NULL);
}

static void set_timer(long us)
{
    struct itimerval every = {{.tv_usec = us}, {.tv_usec = us}};
    setitimer(ITIMER_REAL, &every, NULL);
}

void guard_begin(void)
{
    set_timer(GUARD_MS * 1000L);
}

void guard_end(void)
{
    set_timer(0);
}

void guard_close(int fd)
{
    struct linger none = {.l_onoff = 1};
    int error = errno;

    if (fd < 0)
        return;
    guard_begin();
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    close(fd);
    guard_end();
    errno = error;
}

/* ---- deputies ---- */

enum {
    /* Between two looks at it, and how long it is found to wait in the kernel until that is no accident: for longer
     * than the kernel waits for pages, and than a disk. */
    LOOK_MS = 10,
    HANGS_MS = 200,
    /* The exit code of one that could not begin. */
    NOT_BEGUN = 255
};

/* It keeps nothing of what it inherits, because it may be there for long. */
static void become(int fd, int second, deputy_fn *fn, const void *arg)
{
    int from = second < 0 ? DEPUTY_SECOND : DEPUTY_SECOND + 1;

    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_IGN);
    prctl(PR_SET_NAME, "homing-deputy");
    fd = fcntl(fd, F_DUPFD, from);
    second = second < 0 ? second : fcntl(second, F_DUPFD, from);
    if (dup2(fd, 3) != 3 || (second >= 0 && dup2(second, DEPUTY_SECOND) < 0) ||
        syscall(SYS_close_range, from, ~0u, 0))
        _exit(NOT_BEGUN);
    _exit(fn(3, arg));
}

static void reap(struct deputies *d)
{
    for (int i = 0; i < DEPUTIES_MAX; i++)
        if (d->left[i].pid && waitpid(d->left[i].pid, NULL, WNOHANG) != 0)
            d->left[i].pid = 0;
}

/* DEPUTIES_MAX: there is none. */
static int free_place(const struct deputies *d)
{
    int place = 0;

    while (place < DEPUTIES_MAX && d->left[place].pid)
        place++;
    return place;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* For a while, but no longer than until it has ended. `process` negative: before Linux 5.3. */
static void await(int process)
{
    struct pollfd ended = {.fd = process, .events = POLLIN};

    if (process >= 0)
        poll(&ended, 1, LOOK_MS);
    else
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

/* False: it hangs. */
static bool wait_for(int pid, int *ret_status)
{
    int process = process_open_child(pid);
    uint64_t since_ms = 0, stuck_ms = 0; /* since it was first found to wait, of the last time */

    for (await(process); waitpid(pid, ret_status, WNOHANG) == 0 && stuck_ms < HANGS_MS;
         await(process)) {
        char state = process_state(pid);
        since_ms = state != 'D' && state ? 0 : since_ms ? since_ms : now_ms();
        stuck_ms = since_ms ? now_ms() - since_ms : 0;
    }
    if (stuck_ms >= HANGS_MS)
        kill(pid, SIGKILL);
    if (process >= 0)
        close(process);
    return stuck_ms < HANGS_MS;
}

int deputy_run(struct deputies *d, int fd, int second, deputy_fn *fn, const void *arg)
{
    int place, pid, status = 0;

    reap(d);
    place = free_place(d);
    if (place == DEPUTIES_MAX)
        return -ENOSPC;
    pid = fork();
    if (pid == 0)
        become(fd, second, fn, arg);
    if (pid < 0)
        return -errno;
    if (wait_for(pid, &status))
        return WIFEXITED(status) && WEXITSTATUS(status) != NOT_BEGUN ? WEXITSTATUS(status) : -EIO;
    d->left[place].pid = pid;
    d->left[place].what = 0;
    d->left[place].uid = UINT32_MAX;
    return -EDEADLK;
}

void deputies_blame(struct deputies *d, uint64_t what, uint32_t uid)
{
    for (int i = 0; i < DEPUTIES_MAX; i++)
        if (d->left[i].pid && !d->left[i].what) {
            d->left[i].what = what;
            d->left[i].uid = uid;
        }
}

bool deputies_hang(struct deputies *d, uint64_t what, uint32_t uid)
{
    int of_user = 0;

    reap(d);
    for (int i = 0; i < DEPUTIES_MAX; i++) {
        if (d->left[i].pid && d->left[i].what == what)
            return true;
        of_user += d->left[i].pid && d->left[i].uid == uid;
    }
    return of_user >= DEPUTIES_OF_ONE;
}
