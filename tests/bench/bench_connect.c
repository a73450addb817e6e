/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_connect.c - nanoseconds per connect(), with the shim and without, in turns.
 *
 * Run by bench_connect.py under the preload; as in bench_lookup.c the global connect is the shim's,
 * the one that libc.so.6 itself gives is without. Where the kernel's part can be made small it is:
 * a descriptor that is none (EBADF), a socket that listens or is connected (EISCONN). Where what is
 * connected to is remembered, it has to be a socket: with a descriptor that is none nothing is.
 *
 * usage: bench_connect PORT     of 127.0.0.1 and .2; managed.test is .2, and switched on request
 *        bench_connect 0        there is no agent
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/median.h"
#include "tests/support/clock.h"

/* Of calls, none of which takes longer than some tenths of a millisecond: where other programs want
 * the processor, most blocks must come to their end before their time is over. */
#define BLOCKS 2001

typedef int connect_fn(int, const struct sockaddr *, socklen_t);

/* One row: what is connected to, by a socket of which kind. */
struct row {
    const char *what;
    const void *to;
    socklen_t len;
    int fd;            /* -2: a fresh one each time */
    int block;         /* calls */
    const void *other; /* where every second call goes; NULL: to the same */
};

static double block(connect_fn *connecting, const struct row *row)
{
    uint64_t start = clock_ns();

    for (int i = 0; i < row->block; i++) {
        int fd = row->fd == -2 ? socket(AF_INET, SOCK_STREAM, 0) : row->fd;

        connecting(fd, row->other && i % 2 ? row->other : row->to, row->len);
        if (row->fd == -2)
            close(fd);
    }
    return (double)(clock_ns() - start) / row->block;
}

static void compare(connect_fn *plain, connect_fn *shim, const struct row *row)
{
    static double a_ns[BLOCKS], b_ns[BLOCKS], added[BLOCKS];

    for (int i = 0; i < BLOCKS; i++) {
        a_ns[i] = block(plain, row);
        b_ns[i] = block(shim, row);
        added[i] = b_ns[i] - a_ns[i];
    }
    printf("%-52s %8.1f %8.1f %8.1f\n", row->what, median(a_ns, BLOCKS), median(b_ns, BLOCKS),
           median(added, BLOCKS));
    fflush(stdout);
}

static void look_up(const char *name)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;

    if (getaddrinfo(name, NULL, &hints, &list) != 0) {
        fprintf(stderr, "bench_connect: no %s\n", name);
        exit(1);
    }
    freeaddrinfo(list);
}

/* A forked child starts anew: what its first managed connect costs more than its second. */
static void first_of_a_process(const struct sockaddr_in *to, int connected)
{
    enum {
        CHILDREN = 101
    };
    static double extra[CHILDREN];
    int ends[2];

    if (pipe(ends) != 0)
        exit(1);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();

        if (child == 0) {
            uint64_t start = clock_ns(), middle;
            double cost;

            connect(connected, (const struct sockaddr *)to, sizeof(*to));
            middle = clock_ns();
            connect(connected, (const struct sockaddr *)to, sizeof(*to));
            cost = (double)(middle - start) - (double)(clock_ns() - middle);
            _exit(write(ends[1], &cost, sizeof(cost)) != sizeof(cost));
        }
        waitpid(child, NULL, 0);
        if (read(ends[0], &extra[i], sizeof(extra[i])) != sizeof(extra[i]))
            exit(1);
    }
    printf("%-52s %8s %8s %8.1f\n", "first managed connect of a process, permit included", "", "",
           median(extra, CHILDREN));
    fflush(stdout);
}

static struct sockaddr_in ipv4(const char *text, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    inet_pton(AF_INET, text, &to.sin_addr);
    return to;
}

/* Waits for the line that says it was done. */
static void ask(const char *what)
{
    char line[16];

    puts(what);
    fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        exit(1);
}

static int listening(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (listen(fd, 1) != 0)
        exit(1);
    return fd;
}

/* A name may be managed one day, and what is connected to is remembered: mostly it is what the same
 * descriptor was connected to before, and else that is written. */
static void of_a_name(connect_fn *plain, connect_fn *shim, const struct sockaddr_in *to,
                      const char *again, const char *in_turns)
{
    struct sockaddr_in other = *to;
    int fd = listening();

    other.sin_port ^= htons(1);
    compare(plain, shim, &(struct row){again, to, sizeof(*to), fd, 500, NULL});
    compare(plain, shim, &(struct row){in_turns, to, sizeof(*to), fd, 500, &other});
    close(fd);
}

static void without_agent(connect_fn *plain, connect_fn *shim, const struct sockaddr_in *named,
                          const struct sockaddr_in *never)
{
    compare(
        plain, shim,
        &(struct row){"no agent, never looked up, EBADF", never, sizeof(*never), -1, 500, NULL});
    of_a_name(plain, shim, named, "no agent, of a name, again, EISCONN",
              "no agent, of a name, two ports in turns, EISCONN");
    compare(plain, shim,
            &(struct row){"no agent, of a name, socket + connect + close", named, sizeof(*named),
                          -2, 10, NULL});
}

int main(int argc, char **argv)
{
    void *libc = dlopen("libc.so.6", RTLD_NOW);
    connect_fn *plain = libc ? (connect_fn *)dlsym(libc, "connect") : NULL;
    connect_fn *shim = (connect_fn *)dlsym(RTLD_DEFAULT, "connect");
    int port = argc == 2 ? atoi(argv[1]) : 0, connected = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/nonexistent"};
    struct sockaddr_in never = ipv4("10.1.2.3", port), unmanaged = ipv4("127.0.0.1", port);
    struct sockaddr_in managed = ipv4("127.0.0.2", port), refused = ipv4("127.0.0.2", 1);

    if (argc != 2 || !plain || plain == shim) {
        fprintf(stderr, "bench_connect: run by bench_connect.py, under the preload\n");
        return 2;
    }
    look_up("localhost");
    if (!port) {
        without_agent(plain, shim, &unmanaged, &never);
        return 0;
    }
    look_up("managed.test");
    if (shim(connected, (struct sockaddr *)&managed, sizeof(managed)) != 0)
        return 1;
    printf("%-52s %8s %8s %8s\n", "ns per connect", "libc", "shim", "added");
    compare(plain, shim,
            &(struct row){"Unix address, EBADF", &local, sizeof(local), -1, 500, NULL});
    compare(plain, shim,
            &(struct row){"never looked up, EBADF", &never, sizeof(never), -1, 500, NULL});
    of_a_name(plain, shim, &unmanaged, "of an unmanaged name, again, EISCONN",
              "of an unmanaged name, two ports in turns, EISCONN");
    compare(
        plain, shim,
        &(struct row){"managed, another port, EBADF", &refused, sizeof(refused), -1, 500, NULL});
    compare(plain, shim,
            &(struct row){"managed, EISCONN", &managed, sizeof(managed), connected, 50, NULL});
    first_of_a_process(&managed, connected);
    ask("# socket + connect + close, nobody listens");
    compare(plain, shim, &(struct row){"managed", &managed, sizeof(managed), -2, 10, NULL});
    ask("# switched");
    compare(plain, shim,
            &(struct row){"managed, redirected", &managed, sizeof(managed), -2, 10, NULL});
    return 0;
}
