/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_cli.c - the client of agent/probe/mysql by itself, one connection to each server, all on one
 * loop, as an engine would drive them.
 *
 * usage: mysql_cli [-u USER] [-p PASSWORD] [-t MODE] [-a CA] [-c CERT] [-k KEY] [-s] [-n TIMES]
 *     [-w MS] HOST=ADDRESS:PORT... [-- QUESTION...]
 * asks each server each question, TIMES times, and ends when all are done, or after MS (10000). -s: it
 * is a strange server (W11). Prints N ready VERSION..., N columns..., N row..., N error CODE STATE
 * TEXT, N failed STAGE FAULT CODE STATE TEXT, N done, and last how long the longest step took.
 */
#include "config.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/loop.h"
#include "agent/probe/mysql/client.h"

struct run {
    int number;
    struct mysql_client *client;
    struct loop_io *io;
    bool greeted, over;
    int asked;
};

static struct loop *loop;
static char **questions;
static int question_count, times = 1, left;
static double longest_ms;

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void end(struct run *r)
{
    r->over = true;
    loop_io_free(r->io);
    r->io = NULL;
    mysql_client_free(r->client);
    r->client = NULL;
    if (--left == 0)
        loop_stop(loop);
}

static void print_failure(struct run *r)
{
    static const char *const stages[] = {"connecting", "login", "session"};
    static const char *const faults[] = {"none",  "network",  "server", "tls",
                                         "login", "protocol", "local"};
    const struct mysql_failure *f = mysql_client_failure(r->client);

    printf("%d failed %s %s %u %s %s\n", r->number, stages[f->stage], faults[f->fault],
           f->error.code, f->error.state[0] ? f->error.state : "-", f->error.text);
}

static void print_answer(const struct run *r)
{
    const struct mysql_answer *a = mysql_client_answer(r->client);

    if (r->asked > question_count)
        return;
    if (a->error.code != 0)
        printf("%d error %u %s %s\n", r->number, a->error.code, a->error.state, a->error.text);
    printf("%d columns", r->number);
    for (uint32_t i = 0; i < a->columns; i++)
        printf("%c%s", i ? '|' : ' ', a->names[i]);
    for (uint32_t row = 0; row < a->rows; row++) {
        printf("\n%d row", r->number);
        for (uint32_t i = 0; i < a->columns; i++) {
            const struct mysql_value *v = mysql_answer_at(a, row, i);
            printf("%c%.*s", i ? '|' : ' ', v->text ? (int)v->length : 4,
                   v->text ? v->text : "NULL");
        }
    }
    printf("\n");
}

static void ready(struct run *r)
{
    const struct mysql_server *s = mysql_client_server(r->client);

    if (r->greeted)
        print_answer(r);
    else
        printf("%d ready %s %u %s expires=%" PRId64 "\n", r->number, s->version, s->number,
               s->mariadb ? "mariadb" : "mysql", mysql_client_expires(r->client));
    r->greeted = true;
    if (r->asked < question_count * times) {
        mysql_client_ask(r->client, questions[r->asked++ % question_count]);
        loop_io_set(r->io, mysql_client_events(r->client));
    } else {
        printf("%d done\n", r->number);
        end(r);
    }
}

static void on_io(void *arg, int events)
{
    struct run *r = arg;
    double begun = now_ms();
    (void)events;

    enum mysql_state state = mysql_client_step(r->client);
    if (now_ms() - begun > longest_ms)
        longest_ms = now_ms() - begun;
    loop_io_set(r->io, mysql_client_events(r->client));
    if (state == MYSQL_FAILED) {
        print_failure(r);
        end(r);
    } else if (state == MYSQL_READY) {
        ready(r);
    }
}

static void on_time(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

/* "HOST=ADDRESS:PORT" */
static void start(struct run *r, char *target, struct mysql_settings *settings)
{
    struct inet_address at = {.family = 0};
    char *address = strchr(target, '='), *port = strrchr(target, ':');

    if (!address || !port)
        exit(2);
    *address++ = *port++ = '\0';
    at.port = (uint16_t)atoi(port);
    at.family = strchr(address, ':') ? 6 : 4;
    inet_pton(at.family == 6 ? AF_INET6 : AF_INET, address, at.bytes);
    settings->host = target;
    settings->address = &at;
    r->client = mysql_client_new(settings);
    if (!r->client)
        exit(3);
    if (mysql_client_state(r->client) == MYSQL_FAILED) {
        print_failure(r);
        end(r);
        return;
    }
    r->io = loop_io_new(loop, mysql_client_descriptor(r->client), on_io, r);
    loop_io_set(r->io, mysql_client_events(r->client));
}

static uint64_t read_options(int argc, char **argv, struct mysql_settings *s)
{
    uint64_t most_ms = 10000;

    for (int c; (c = getopt(argc, argv, "+u:p:t:a:c:k:sn:w:")) != -1;)
        switch (c) {
        case 'u':
            s->user = optarg;
            break;
        case 'p':
            s->password = optarg;
            break;
        case 't':
            if (!tls_mode_find(optarg, strlen(optarg), &s->tls.mode))
                exit(2);
            break;
        case 'a':
            s->tls.ca = optarg;
            break;
        case 'c':
            s->tls.cert = optarg;
            break;
        case 'k':
            s->tls.key = optarg;
            break;
        case 's':
            s->strange = true;
            break;
        case 'n':
            times = atoi(optarg);
            break;
        case 'w':
            most_ms = strtoull(optarg, NULL, 10);
            break;
        default:
            exit(2);
        }
    return most_ms;
}

int main(int argc, char **argv)
{
    struct mysql_settings settings = {.user = "homing"};
    uint64_t most_ms = read_options(argc, argv, &settings);
    int targets = 0;

    while (optind + targets < argc && strcmp(argv[optind + targets], "--") != 0)
        targets++;
    questions = argv + optind + targets + 1;
    question_count = argc > optind + targets ? argc - (optind + targets + 1) : 0;
    struct run *runs = calloc((size_t)targets + 1, sizeof(*runs));
    loop = loop_new();
    struct loop_timer *timer = loop_timer_new(loop, on_time, NULL);
    loop_timer_set(timer, most_ms);
    left = targets + 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < targets; i++) {
        runs[i].number = i;
        start(&runs[i], argv[optind + i], &settings);
    }
    if (--left > 0)
        loop_run(loop);
    for (int i = 0; i < targets; i++)
        if (!runs[i].over) {
            printf("%d waits\n", i);
            end(&runs[i]);
        }
    printf("longest step %.1f ms\n", longest_ms);
    loop_timer_free(timer);
    loop_free(loop);
    free(runs);
    return 0;
}
