/* SPDX-License-Identifier: Apache-2.0
 *
 * supervise.c - see supervise.h. It waits for one pipe and three signals, with poll() and no loop.
 *
 * 1. A holder that is killed may hang in the kernel and not end. It is left behind: the next one
 *    makes sockets of its own and renames them into place.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/sever/supervise.h"

enum {
    /* Without a beat for so long it hangs. A shorter time would replace holders on a machine that
     * is merely busy. */
    SILENCE_MS = 20 * HOLDER_BEAT_MS,
    /* How long a holder may take to end. */
    END_MS = 2000,
    /* Before a holder is started anew; longer each time that it could not start. */
    PAUSE_MIN_MS = 100,
    PAUSE_MAX_MS = 5000
};

struct supervisor {
    struct holder_config config;
    int signals;
    int pid;
    int beats;
    bool lived; /* it has beaten once: it could start */
};

enum event {
    EVENT_BEAT,
    EVENT_ENDED,
    EVENT_SILENT,
    EVENT_TOLD
};

static void wait_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static int become_holder(const struct supervisor *s, int beat_fd, const sigset_t *before)
{
    struct holder_config config = s->config;

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    close(s->signals);
    sigprocmask(SIG_SETMASK, before, NULL);
    config.beat_fd = beat_fd;
    return holder_run(&config);
}

static int start(struct supervisor *s)
{
    sigset_t none;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
        return -errno;
    sigemptyset(&none);
    s->pid = fork();
    if (s->pid == 0) {
        close(ends[0]);
        _exit(become_holder(s, ends[1], &none));
    }
    close(ends[1]);
    if (s->pid < 0) {
        close(ends[0]);
        return -errno;
    }
    s->beats = ends[0];
    s->lived = false;
    return 0;
}

static enum event next_event(const struct supervisor *s)
{
    struct pollfd of[] = {{s->signals, POLLIN, 0}, {s->beats, POLLIN, 0}};
    struct signalfd_siginfo signal;
    char bytes[64];

    int n = poll(of, 2, SILENCE_MS);
    if (n == 0)
        return EVENT_SILENT;
    if (n > 0 && (of[0].revents & POLLIN) && read(s->signals, &signal, sizeof(signal)) > 0 &&
        signal.ssi_signo != SIGCHLD)
        return EVENT_TOLD;
    if (n > 0 && of[1].revents)
        return read(s->beats, bytes, sizeof(bytes)) > 0 ? EVENT_BEAT : EVENT_ENDED;
    return EVENT_BEAT;
}

/* Its exit code; -1: a signal killed it, or it is still there. */
static int collect(const struct supervisor *s, int wait_for_ms)
{
    int status = 0;

    for (int ms = 0; waitpid(s->pid, &status, WNOHANG) == 0; ms += 10) {
        if (ms >= wait_for_ms)
            return -1;
        wait_ms(10);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void end_holder(const struct supervisor *s)
{
    kill(s->pid, SIGTERM);
    if (collect(s, END_MS) >= 0)
        return;
    kill(s->pid, SIGKILL);
    (void)collect(s, END_MS);
}

/* Until one holder is over. True: no other one is started, *ret_code is the code to exit with. */
static bool watch(struct supervisor *s, int *ret_code)
{
    for (;;) {
        enum event event = next_event(s);
        if (event == EVENT_BEAT) {
            s->lived = true;
            continue;
        }
        *ret_code = 0;
        if (event == EVENT_TOLD) {
            end_holder(s);
            return true;
        }
        if (event == EVENT_SILENT)
            kill(s->pid, SIGKILL);
        *ret_code = collect(s, END_MS);
        bool over = *ret_code == HOLDER_ENDED || (*ret_code > 0 && !s->lived);
        if (!over)
            log_event(LOG_ERROR, "holder_replaced",
                      event == EVENT_SILENT ? "the process that holds the permits hung"
                                            : "the process that holds the permits died",
                      LOG_INT("pid", s->pid));
        return over;
    }
}

static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int supervise(struct holder_config config)
{
    struct supervisor s = {.config = config, .signals = open_signals()};
    int pause_ms = PAUSE_MIN_MS, code = 1;

    for (;;) {
        int rv = s.signals < 0 ? -errno : start(&s);
        if (rv) {
            log_event(LOG_ERROR, "start_failed",
                      "no descriptor is left, or no process can be started");
            return 1;
        }
        bool over = watch(&s, &code);
        close(s.beats);
        if (over)
            return code == HOLDER_TAKEN ? 1 : code;
        wait_ms(pause_ms);
        pause_ms = s.lived                       ? PAUSE_MIN_MS
                   : pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2
                                                 : PAUSE_MAX_MS;
    }
}
