/* SPDX-License-Identifier: Apache-2.0
 *
 * pool.c - one program with a pool of connections, for storm/run: it knows nothing of homing.
 *
 * As HikariCP (4) with minimum = maximum: one connection is opened at a time, after a failure again
 * in 250 ms, then 1.5 times that, up to 10 s; one that was idle for 500 ms is tried out when it is
 * borrowed, for at most 5 s; a broken one is replaced, one that merely refused a statement is kept.
 * `eager`: a pool at its worst, which notices broken idle connections by itself and opens all that
 * are missing at once.
 *
 * usage: pool SIZE WORKERS PACE_MS [eager]     where to: PGHOST and its like; ends with its input
 *
 * Prints `S due end how` of each statement and `L begin end how` of each login: microseconds since
 * the epoch; how: ok, an SQLSTATE, `busy` (no connection for 30 s) or `-`. end 0: still open.
 */
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    POOL_MAX = 100,
    WORKERS_MAX = 16,
    FRESH_US = 500000,
    TRY_MS = 5000,
    BORROW_S = 30,
    BACKOFF_MS = 250,
    BACKOFF_MAX_MS = 10000,
    LOOK_MS = 100
};

struct idle {
    PGconn *conn;
    int64_t since_us;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t returned = PTHREAD_COND_INITIALIZER;
static pthread_cond_t missing = PTHREAD_COND_INITIALIZER;
static struct idle idle[POOL_MAX]; /* the last one that came back is borrowed first */
static int idle_count, total, size, worker_count, pace_ms;
static int64_t open_since_us[WORKERS_MAX]; /* 0: no statement */

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void sleep_us(int64_t us)
{
    struct timespec span = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    while (us > 0 && nanosleep(&span, &span) < 0 && errno == EINTR)
        ;
}

static void say(char what, int64_t begin_us, int64_t end_us, const char *how)
{
    printf("%c %lld %lld %s\n", what, (long long)begin_us, (long long)end_us, how);
}

/* ---- one connection ---- */

static bool wait_readable(int fd, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    int n;

    do
        n = poll(&poll_fd, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    return n > 0;
}

/* How it ended, or NULL if there was no answer in time. */
static const char *query(PGconn *conn, const char *sql, int timeout_ms, char how[8])
{
    PGresult *result;

    snprintf(how, 8, "ok");
    if (!PQsendQuery(conn, sql))
        return memcpy(how, "-", 2);
    do {
        while (PQisBusy(conn)) {
            if (!wait_readable(PQsocket(conn), timeout_ms))
                return NULL;
            if (!PQconsumeInput(conn))
                break;
        }
        result = PQgetResult(conn);
        if (result && PQresultStatus(result) == PGRES_FATAL_ERROR) {
            const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
            snprintf(how, 8, "%s", state ? state : "-");
        }
        PQclear(result);
    } while (result);
    return how;
}

static bool answers(PGconn *conn)
{
    char how[8];
    const char *ended = query(conn, "", TRY_MS, how);

    return ended && PQstatus(conn) == CONNECTION_OK;
}

/* libpq keeps the SQLSTATE of a refused login to itself; servers' texts are in English here. */
static const char *login_state(const PGconn *conn)
{
    const char *text = PQerrorMessage(conn);

    if (PQstatus(conn) == CONNECTION_OK)
        return "ok";
    if (strstr(text, "too many clients") || strstr(text, "connection slots are reserved"))
        return "53300";
    return strstr(text, "the database system is") ? "57P03" : "-";
}

/* ---- the pool ---- */

static void put_back(PGconn *conn)
{
    pthread_mutex_lock(&lock);
    idle[idle_count++] = (struct idle){conn, now_us()};
    pthread_cond_signal(&returned);
    pthread_mutex_unlock(&lock);
}

static void evict(PGconn *conn)
{
    PQfinish(conn);
    pthread_mutex_lock(&lock);
    total--;
    pthread_cond_signal(&missing);
    pthread_mutex_unlock(&lock);
}

static bool take(const struct timespec *deadline, struct idle *ret_idle)
{
    int rv = 0;

    pthread_mutex_lock(&lock);
    while (idle_count == 0 && rv == 0)
        rv = pthread_cond_timedwait(&returned, &lock, deadline);
    bool taken = idle_count > 0;
    if (taken)
        *ret_idle = idle[--idle_count];
    pthread_mutex_unlock(&lock);
    return taken;
}

static PGconn *borrow(void)
{
    struct timespec deadline;
    struct idle one;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += BORROW_S;
    while (take(&deadline, &one)) {
        if (now_us() - one.since_us < FRESH_US || answers(one.conn))
            return one.conn;
        evict(one.conn);
    }
    return NULL;
}

/* What a server says when it ends is an answer, here, and not to be printed. */
static void ignore(void *arg, const char *message)
{
    (void)arg, (void)message;
}

static PGconn *open_one(void)
{
    int backoff_ms = BACKOFF_MS;

    for (;;) {
        int64_t begin_us = now_us();
        PGconn *conn = PQconnectdb("");
        say('L', begin_us, now_us(), login_state(conn));
        PQsetNoticeProcessor(conn, ignore, NULL);
        if (PQstatus(conn) == CONNECTION_OK)
            return conn;
        PQfinish(conn);
        sleep_us(backoff_ms * 1000);
        backoff_ms = backoff_ms * 3 / 2 < BACKOFF_MAX_MS ? backoff_ms * 3 / 2 : BACKOFF_MAX_MS;
    }
}

static void *adder(void *arg)
{
    (void)arg;
    for (;;) {
        pthread_mutex_lock(&lock);
        while (total == size)
            pthread_cond_wait(&missing, &lock);
        total++;
        pthread_mutex_unlock(&lock);
        put_back(open_one());
    }
    return NULL;
}

/* ---- eager ---- */

static bool is_dead(PGconn *conn)
{
    return wait_readable(PQsocket(conn), 0) &&
           (!PQconsumeInput(conn) || PQstatus(conn) != CONNECTION_OK);
}

static void evict_dead(void)
{
    PGconn *dead[POOL_MAX];
    int count = 0, kept = 0;

    pthread_mutex_lock(&lock);
    for (int i = 0; i < idle_count; i++)
        if (is_dead(idle[i].conn))
            dead[count++] = idle[i].conn;
        else
            idle[kept++] = idle[i];
    idle_count = kept;
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < count; i++)
        evict(dead[i]);
}

static void *watcher(void *arg)
{
    struct pollfd fds[POOL_MAX];

    (void)arg;
    for (;;) {
        pthread_mutex_lock(&lock);
        int count = idle_count;
        for (int i = 0; i < count; i++)
            fds[i] = (struct pollfd){.fd = PQsocket(idle[i].conn), .events = POLLIN};
        pthread_mutex_unlock(&lock);
        /* Some may be borrowed meanwhile: what is seen is only a reason to look. */
        if (poll(fds, (nfds_t)count, LOOK_MS) > 0)
            evict_dead();
    }
    return NULL;
}

/* ---- the load ---- */

static void statement(int number, int64_t due_us)
{
    char how[8];
    PGconn *conn;

    __atomic_store_n(&open_since_us[number], due_us, __ATOMIC_RELAXED);
    conn = borrow();
    if (!conn) {
        say('S', due_us, now_us(), "busy");
    } else {
        query(conn, "INSERT INTO writes DEFAULT VALUES", -1, how);
        say('S', due_us, now_us(), how);
        if (PQstatus(conn) == CONNECTION_OK)
            put_back(conn);
        else
            evict(conn);
    }
    __atomic_store_n(&open_since_us[number], 0, __ATOMIC_RELAXED);
}

/* A turn that took longer skips those that it was late for: storm/run counts them as waiting. */
static void *worker(void *arg)
{
    int number = (int)(intptr_t)arg;
    int64_t pace_us = pace_ms * 1000, due_us = now_us() + random() % pace_us;

    for (;;) {
        sleep_us(due_us - now_us());
        statement(number, due_us);
        while (due_us <= now_us())
            due_us += pace_us;
    }
    return NULL;
}

static void spawn(int count, void *(*call)(void *))
{
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, call, (void *)(intptr_t)i))
            abort();
    }
}

int main(int argc, char **argv)
{
    char byte;

    if (argc < 4 || (size = atoi(argv[1])) < 1 || size > POOL_MAX ||
        (worker_count = atoi(argv[2])) < 1 || worker_count > WORKERS_MAX ||
        (pace_ms = atoi(argv[3])) < 1) {
        fprintf(stderr, "usage: pool SIZE WORKERS PACE_MS [eager]\n");
        return 2;
    }
    bool eager = argc > 4;
    srandom((unsigned)getpid());
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    spawn(eager ? size : 1, adder);
    if (eager)
        spawn(1, watcher);
    spawn(worker_count, worker);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    for (int i = 0; i < worker_count; i++) {
        int64_t since_us = __atomic_load_n(&open_since_us[i], __ATOMIC_RELAXED);
        if (since_us)
            say('S', since_us, 0, "-");
    }
    fflush(stdout);
    _exit(0);
}
