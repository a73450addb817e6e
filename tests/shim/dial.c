/* SPDX-License-Identifier: Apache-2.0
 *
 * dial.c - the commands of probe.c that connect. errno is 77 before each connect, to see it kept.
 *
 *   dial ADDRESS PORT [LETTERS]     ADDRESS: IPv4, IPv6, or IPv4 as ::ffff:1.2.3.4
 *      u: UDP · n: non-blocking, then waited for · k: kept open · s: from within a signal handler
 *      e: SIGALRM every 20 ms, its handler without SA_RESTART · r: with it · t: SO_SNDTIMEO 100 ms
 *      d: in a handler on a stack of its own, and says how much of that the connect used
 *      p: waited for after EINTR, as Python does
 *      w: connect again and again until it is said to be connected, as some programs do
 *   redial FD ADDRESS PORT          connects a kept one once more · dissolve FD
 *   unix PATH · peer FD · option FD LEVEL OPTION · hangup FD MS (until it ends: its errno)
 *   fill LOW (the next descriptor) · dup FD TO · same FD FD (1: one file) · mapped (KiB of addresses)
 *   odd WHAT (no proper connect: file, bad, null, unspec, a length) · at POINTER FD (-1: a new one)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/shim/probe.h"

union any {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

struct dial {
    union any to;
    socklen_t len;
    const char *how;
    int fd, rc, error;
    long deep;
};

static struct dial *volatile in_handler;

static socklen_t parse(const char *address, const char *port, union any *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (strchr(address, ':')) {
        ret->in6.sin6_family = AF_INET6;
        ret->in6.sin6_port = htons((uint16_t)atoi(port));
        return inet_pton(AF_INET6, address, &ret->in6.sin6_addr) == 1 ? sizeof(ret->in6) : 0;
    }
    ret->in.sin_family = AF_INET;
    ret->in.sin_port = htons((uint16_t)atoi(port));
    return inet_pton(AF_INET, address, &ret->in.sin_addr) == 1 ? sizeof(ret->in) : 0;
}

static void dial_now(struct dial *d)
{
    errno = ERRNO_BEFORE;
    d->rc = connect(d->fd, &d->to.any, d->len);
    d->error = errno;
}

static void on_signal(int number)
{
    int kept = errno;

    (void)number;
    if (in_handler)
        dial_now(in_handler);
    errno = kept;
}

/* A stack of which every byte that was written can be told. */
static unsigned char painted[65536];
#define PAINT 0xa5

static void on_painted(int number)
{
    unsigned char *here = __builtin_frame_address(0), *deepest = painted;

    (void)number;
    dial_now(in_handler);
    while (*deepest == PAINT)
        deepest++;
    in_handler->deep = here - deepest;
}

static void dial_painted(struct dial *d)
{
    struct sigaction action = {.sa_handler = on_painted, .sa_flags = SA_ONSTACK};
    stack_t stack = {.ss_sp = painted, .ss_size = sizeof(painted)};

    memset(painted, PAINT, sizeof(painted));
    sigaltstack(&stack, NULL);
    sigaction(SIGUSR2, &action, NULL);
    in_handler = d;
    raise(SIGUSR2);
    in_handler = NULL;
}

static void handle(int number, int flags)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};

    sigaction(number, &action, NULL);
}

/* A beat of SIGALRM while connecting. */
static void dial_disturbed(struct dial *d, int flags)
{
    struct itimerval beat = {{0, 20000}, {0, 20000}}, none = {{0, 0}, {0, 0}};

    handle(SIGALRM, flags);
    setitimer(ITIMER_REAL, &beat, NULL);
    dial_now(d);
    setitimer(ITIMER_REAL, &none, NULL);
}

static void dial_again_and_again(struct dial *d)
{
    struct pollfd writable = {.fd = d->fd, .events = POLLOUT};

    dial_now(d);
    while (d->rc < 0 && (d->error == EINPROGRESS || d->error == EALREADY)) {
        poll(&writable, 1, 20);
        dial_now(d);
    }
    if (d->error == EISCONN)
        d->rc = 0;
}

static void dial_as_asked(struct dial *d)
{
    if (strchr(d->how, 'd')) {
        dial_painted(d);
    } else if (strchr(d->how, 's')) {
        handle(SIGUSR1, 0);
        in_handler = d;
        raise(SIGUSR1);
        in_handler = NULL;
    } else if (strchr(d->how, 'e') || strchr(d->how, 'r')) {
        dial_disturbed(d, strchr(d->how, 'r') ? SA_RESTART : 0);
    } else if (strchr(d->how, 'w')) {
        dial_again_and_again(d);
    } else {
        dial_now(d);
    }
}

static void finish(struct dial *d)
{
    struct pollfd writable = {.fd = d->fd, .events = POLLOUT};
    socklen_t len = sizeof(d->error);

    if (d->rc == 0 || (d->error != EINPROGRESS && d->error != EINTR))
        return;
    poll(&writable, 1, 5000);
    getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &d->error, &len);
    d->rc = d->error ? -1 : 0;
    d->error = d->error ? d->error : ERRNO_BEFORE;
}

static void say_peer(struct out *out, int fd)
{
    union any peer;
    socklen_t len = sizeof(peer);

    if (getpeername(fd, &peer.any, &len) != 0) {
        put(out, "-");
        return;
    }
    put_number(out, "", peer.any.sa_family);
    put(out, " ");
    put_address(out, &peer.any);
}

static void say(struct out *out, const struct dial *d)
{
    put_number(out, "rc=", d->rc);
    put_number(out, " errno=", d->error);
    put_number(out, " block=", !(fcntl(d->fd, F_GETFL) & O_NONBLOCK));
    put(out, " peer=");
    say_peer(out, d->fd);
    if (strchr(d->how, 'd'))
        put_number(out, " deep=", d->deep);
    if (strchr(d->how, 'k'))
        put_number(out, " fd=", d->fd);
}

static void do_dial(struct out *out, char **words, int count)
{
    struct dial d = {.how = count > 3 ? words[3] : ""};
    struct timeval bound = {0, 100000};
    int type = strchr(d.how, 'u') ? SOCK_DGRAM : SOCK_STREAM;

    d.len = parse(words[1], words[2], &d.to);
    d.fd = socket(d.to.any.sa_family, type | (strchr(d.how, 'n') ? SOCK_NONBLOCK : 0), 0);
    if (strchr(d.how, 't'))
        setsockopt(d.fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof(bound));
    dial_as_asked(&d);
    if (strchr(d.how, 'n') || strchr(d.how, 'p'))
        finish(&d);
    say(out, &d);
    if (!strchr(d.how, 'k'))
        close(d.fd);
}

static void do_redial(struct out *out, char **words)
{
    struct dial d = {.how = "k", .fd = atoi(words[1])};

    d.len = parse(words[2], words[3], &d.to);
    dial_now(&d);
    say(out, &d);
}

static void do_dissolve(struct out *out, int fd)
{
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};

    put_number(out, "rc=", connect(fd, &nobody, sizeof(nobody)));
}

static void do_unix(struct out *out, const char *path)
{
    struct dial d = {.how = "", .fd = socket(AF_UNIX, SOCK_STREAM, 0), .len = sizeof(d.to.un)};

    d.to.un.sun_family = AF_UNIX;
    strncpy(d.to.un.sun_path, path, sizeof(d.to.un.sun_path) - 1);
    dial_now(&d);
    put_number(out, "rc=", d.rc);
    put_number(out, " errno=", d.error);
    close(d.fd);
}

/* Bytes that are no address, and descriptors that are no sockets. */
static void do_odd(struct out *out, const char *what)
{
    union any any = {.any = {.sa_family = AF_INET}};
    int type = SOCK_STREAM, family = AF_INET, number = atoi(what);
    struct dial d = {.how = "", .len = (socklen_t)number};

    if (number >= 100) {
        any.any.sa_family = family = AF_INET6;
        d.len -= 100;
    }
    d.to = any;
    d.fd = strcmp(what, "file") == 0  ? open("/dev/null", O_RDONLY)
           : strcmp(what, "bad") == 0 ? -1
                                      : socket(family, type, 0);
    if (number == 0)
        d.len = sizeof(any.in);
    if (strcmp(what, "unspec") == 0)
        d.to.any.sa_family = AF_UNSPEC;
    errno = ERRNO_BEFORE;
    d.rc = connect(d.fd, strcmp(what, "null") == 0 ? NULL : &d.to.any, d.len);
    d.error = errno;
    put_number(out, "rc=", d.rc);
    put_number(out, " errno=", d.error);
    if (d.fd >= 0)
        close(d.fd);
}

static void do_at(struct out *out, const char *pointer, int fd)
{
    const struct sockaddr *there = (const struct sockaddr *)strtoul(pointer, NULL, 16);
    int of = fd < 0 ? socket(AF_INET, SOCK_STREAM, 0) : fd;

    errno = ERRNO_BEFORE;
    put_number(out, "rc=", connect(of, there, sizeof(struct sockaddr_in)));
    put_number(out, " errno=", errno);
    if (fd < 0)
        close(of);
}

static void do_option(struct out *out, char **words)
{
    int value = -1;
    socklen_t len = sizeof(value);

    getsockopt(atoi(words[1]), atoi(words[2]), atoi(words[3]), &value, &len);
    put_number(out, "", value);
}

static void do_hangup(struct out *out, int fd, int ms)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    char byte;
    ssize_t n;

    errno = 0;
    if (poll(&readable, 1, ms) != 1) {
        put(out, "stays");
        return;
    }
    n = recv(fd, &byte, 1, MSG_DONTWAIT);
    put_number(out, n == 0 ? "end " : "errno=", n == 0 ? 0 : errno);
}

static void do_same(struct out *out, int a, int b)
{
    struct stat as, bs;

    put_number(out, "",
               fstat(a, &as) == 0 && fstat(b, &bs) == 0 && as.st_ino == bs.st_ino &&
                   as.st_dev == bs.st_dev);
}

static void do_mapped(struct out *out)
{
    char line[128];
    FILE *status = fopen("/proc/self/status", "r");

    while (status && fgets(line, sizeof(line), status))
        if (strncmp(line, "VmSize:", 7) == 0)
            put_number(out, "", atol(line + 7));
    if (status)
        fclose(status);
}

static void do_fill(struct out *out, int low)
{
    int fd;

    while ((fd = open("/dev/null", O_RDONLY)) >= 0 && fd < low)
        ;
    put_number(out, "", close(fd));
}

static int dial_command_other(struct out *out, char **words, int count)
{
    const char *verb = words[0];

    if (strcmp(verb, "dup") == 0 && count == 3)
        put_number(out, "", dup2(atoi(words[1]), atoi(words[2])));
    else if (strcmp(verb, "same") == 0 && count == 3)
        do_same(out, atoi(words[1]), atoi(words[2]));
    else if (strcmp(verb, "at") == 0 && count == 3)
        do_at(out, words[1], atoi(words[2]));
    else if (strcmp(verb, "fill") == 0 && count == 2)
        do_fill(out, atoi(words[1]));
    else if (strcmp(verb, "mapped") == 0)
        do_mapped(out);
    else
        return 0;
    return 1;
}

int dial_command(struct out *out, char **words, int count)
{
    const char *verb = words[0];

    if (strcmp(verb, "dial") == 0 && count >= 3)
        do_dial(out, words, count);
    else if (strcmp(verb, "redial") == 0 && count == 4)
        do_redial(out, words);
    else if (strcmp(verb, "dissolve") == 0 && count == 2)
        do_dissolve(out, atoi(words[1]));
    else if (strcmp(verb, "unix") == 0 && count == 2)
        do_unix(out, words[1]);
    else if (strcmp(verb, "odd") == 0 && count == 2)
        do_odd(out, words[1]);
    else if (strcmp(verb, "peer") == 0 && count == 2)
        say_peer(out, atoi(words[1]));
    else if (strcmp(verb, "option") == 0 && count == 4)
        do_option(out, words);
    else if (strcmp(verb, "hangup") == 0 && count == 3)
        do_hangup(out, atoi(words[1]), atoi(words[2]));
    else
        return dial_command_other(out, words, count);
    return 1;
}
