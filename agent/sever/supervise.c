/* SPDX-License-Identifier: Apache-2.0
 *
 * supervise.c - see supervise.h. It waits for a pipe, a socket and three signals, with poll() and no loop.
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
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
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
    /* How long a holder waits for what it gives to be kept. */
    KEEP_MS = 500,
    /* Before a holder is started anew; longer each time that it could not start. */
    PAUSE_MIN_MS = 100,
    PAUSE_MAX_MS = 5000,
    /* Messages to the service manager between two beats. It compares a new descriptor with all that it has, which
     * takes it up to 2 ms; whoever hands over all the time shall not keep it busy. */
    TELL_PER_BEAT = 16,
    /* How long it may take at the end, to hear all that is left. */
    TELL_ALL_MS = 5000,
    /* Holders in a row that ended before they had begun: perhaps by what they inherited. */
    FAILURES_MAX = 5
};

struct supervisor {
    struct holder_config config;
    int signals;
    int pid;
    int beats;
    int keep; /* from the holder: what is to be kept */
    struct kept kept;
    uint32_t may_tell; /* messages to the service manager, until the next beat */
    uint32_t said;     /* to the holder: how many permits the service manager has */
    int failures;      /* holders in a row that could not start */
    bool lived;        /* it has beaten once: it could start */
};

enum event {
    EVENT_BEAT,
    EVENT_KEEP,
    EVENT_ENDED,
    EVENT_SILENT,
    EVENT_TOLD
};

static void wait_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static int longer(int pause_ms)
{
    return pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS;
}

/* The ends of what joins the two processes. */
struct ends {
    int beats[2];
    int keep[2];
};

static void close_ends(struct ends *ends)
{
    for (int i = 0; i < 2; i++) {
        if (ends->beats[i] >= 0)
            close(ends->beats[i]);
        if (ends->keep[i] >= 0)
            close(ends->keep[i]);
        ends->beats[i] = ends->keep[i] = -1;
    }
}

static int open_ends(struct ends *ret_ends)
{
    struct ends ends = {{-1, -1}, {-1, -1}};
    struct timeval patience = {.tv_usec = KEEP_MS * 1000L};

    if (pipe2(ends.beats, O_CLOEXEC | O_NONBLOCK) ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.keep) ||
        setsockopt(ends.keep[1], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience))) {
        int error = errno;
        close_ends(&ends);
        return -error;
    }
    *ret_ends = ends;
    return 0;
}

/* An orphan is no holder any more, and becomes the supervisor of the next one. */
static int become_holder(const struct supervisor *s, const struct ends *ends,
                         const sigset_t *before)
{
    struct holder_config config = s->config;
    struct kept kept = s->kept;

    close(s->signals);
    close(ends->beats[0]);
    close(ends->keep[0]);
    sigprocmask(SIG_SETMASK, before, NULL);
    config.beat_fd = ends->beats[1];
    config.keep_fd = ends->keep[1];
    int code = holder_run(&config, &kept);
    if (code != HOLDER_ORPHAN)
        return code;
    close(ends->beats[1]);
    close(ends->keep[1]);
    return supervise(s->config, kept);
}

static int start(struct supervisor *s)
{
    struct ends ends;
    sigset_t none;
    int rv = open_ends(&ends);

    if (rv)
        return rv;
    sigemptyset(&none);
    s->pid = fork();
    if (s->pid == 0)
        _exit(become_holder(s, &ends, &none));
    rv = s->pid < 0 ? -errno : 0;
    if (rv == 0) {
        s->beats = ends.beats[0];
        s->keep = ends.keep[0];
        ends.beats[0] = ends.keep[0] = -1;
        s->lived = false;
        s->said = UINT32_MAX;
    }
    close_ends(&ends);
    return rv;
}

/* If the holder's queue is full, it is said later. */
static void say_stored(struct supervisor *s)
{
    uint32_t stored = s->kept.stored;

    if (s->said != stored &&
        send(s->keep, &stored, sizeof(stored), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(stored))
        s->said = stored;
}

/* What the holder has given to be kept; then the service manager is told. */
static void keep(struct supervisor *s)
{
    (void)kept_receive(&s->kept, s->keep);
    s->may_tell -= kept_tell(&s->kept, s->may_tell);
    say_stored(s);
}

static enum event next_event(struct supervisor *s)
{
    struct pollfd of[] = {{s->signals, POLLIN, 0}, {s->beats, POLLIN, 0}, {s->keep, POLLIN, 0}};
    struct signalfd_siginfo signal;
    char bytes[64];

    int n = poll(of, 3, SILENCE_MS);
    if (n == 0)
        return EVENT_SILENT;
    keep(s);
    if (n > 0 && (of[0].revents & POLLIN) && read(s->signals, &signal, sizeof(signal)) > 0 &&
        signal.ssi_signo != SIGCHLD)
        return EVENT_TOLD;
    if (n > 0 && of[1].revents)
        return read(s->beats, bytes, sizeof(bytes)) > 0 ? EVENT_BEAT : EVENT_ENDED;
    return EVENT_KEEP;
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

/* Whether it was killed and is there all the same: it hangs in the kernel. Its sockets still listen, and nobody
 * answers there. */
static bool is_left(const struct supervisor *s, int code)
{
    return code < 0 && waitpid(s->pid, NULL, WNOHANG) == 0;
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
        s->lived |= event == EVENT_BEAT;
        if (event == EVENT_BEAT)
            s->may_tell = TELL_PER_BEAT;
        if (event == EVENT_BEAT || event == EVENT_KEEP)
            continue;
        *ret_code = 0;
        if (event == EVENT_TOLD) {
            end_holder(s);
            return true;
        }
        if (event == EVENT_SILENT)
            kill(s->pid, SIGKILL);
        *ret_code = collect(s, END_MS);
        s->config.takeover = is_left(s, *ret_code);
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

/* At the end. What the service manager has not heard of is lost, and it takes few messages at once. */
static void tell_all(struct kept *kept)
{
    for (int ms = 0; ms < TELL_ALL_MS; ms += 10) {
        (void)kept_tell(kept, UINT32_MAX);
        if (!kept->untold)
            return;
        wait_ms(10);
    }
    log_event(LOG_ERROR, "permits_not_stored",
              "the service manager does not take what permits need: it is lost",
              LOG_INT("entries", kept->untold));
}

/* What the holder said last, before another one inherits it. If there is none, nobody has it but the service manager. */
static void end_ends(struct supervisor *s, bool over)
{
    while (kept_receive(&s->kept, s->keep))
        ;
    s->failures = s->lived ? 0 : s->failures + 1;
    if (s->failures == FAILURES_MAX)
        kept_let_go(&s->kept);
    if (over)
        tell_all(&s->kept);
    close(s->beats);
    close(s->keep);
}

/* Whether it has been told to end. */
static bool is_told(const struct supervisor *s)
{
    struct signalfd_siginfo signal;

    while (read(s->signals, &signal, sizeof(signal)) == sizeof(signal))
        if (signal.ssi_signo != SIGCHLD)
            return true;
    return false;
}

/* While something is kept, it is tried until it succeeds: nobody else has that. False: *ret_code is the code to exit
 * with. */
static bool start_at_last(struct supervisor *s, int *ret_code)
{
    int pause_ms = PAUSE_MIN_MS;

    *ret_code = 1;
    for (;;) {
        int rv = s->signals < 0 ? -EMFILE : start(s);
        if (rv == 0)
            return true;
        log_event(LOG_ERROR, "start_failed", "no descriptor is left, or no process can be started",
                  LOG_STR("error", strerror(-rv)), LOG_INT("kept", s->kept.count));
        if (s->signals < 0 || !s->kept.count)
            return false;
        wait_ms(pause_ms);
        pause_ms = longer(pause_ms);
        if (is_told(s)) {
            *ret_code = 0;
            tell_all(&s->kept);
            return false;
        }
    }
}

int supervise(struct holder_config config, struct kept kept)
{
    struct supervisor s = {.config = config, .signals = open_signals(), .kept = kept};
    int pause_ms = PAUSE_MIN_MS, code = 1;

    while (start_at_last(&s, &code)) {
        bool over = watch(&s, &code);
        end_ends(&s, over);
        if (over)
            return code == HOLDER_TAKEN ? 1 : code;
        wait_ms(pause_ms);
        pause_ms = s.lived ? PAUSE_MIN_MS : longer(pause_ms);
    }
    return code;
}
