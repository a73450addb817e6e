/* SPDX-License-Identifier: Apache-2.0
 *
 * probe.c - the unmodified program of the shim's tests: one command per line, one line in reply.
 *
 * Built once with glibc and once with musl, and run with and without the shim. Words are separated
 * by tabs; "-" is NULL, "" the empty string. errno is 77 before each lookup, to see it kept.
 *   gai NODE SERVICE FAMILY SOCKTYPE PROTOCOL FLAGS     gai0 NODE SERVICE (no hints)
 *   h NODE | h2 NODE FAMILY | hr NODE SIZE | h2r NODE FAMILY SIZE
 * and in front of a lookup, to make it happen elsewhere:
 *   threads COUNT | times COUNT | after COUNT WORD... (a command of so many words, run before; what
 *   both say) | or what is in beget.c
 * or what is in dial.c, midway.c and byways.c, or of their own: fds | close FD | closefrom FD | open | unshare
 * | setenv NAME VALUE | maps | lock (all memory, that of the future, too: 0 or errno)
 * | allow NUMBER,... (system calls; any other one kills from now on)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/shim/probe.h"

#define THREADS_MAX 64

void put(struct out *out, const char *text)
{
    size_t len = strlen(text);

    if (out->len + len < sizeof(out->text)) {
        memcpy(out->text + out->len, text, len + 1);
        out->len += len;
    }
}

void put_number(struct out *out, const char *before, long number)
{
    char digits[24] = {0}, *at = digits + sizeof(digits) - 1;
    unsigned long rest = number < 0 ? -(unsigned long)number : (unsigned long)number;

    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        *--at = '-';
    put(out, before);
    put(out, at);
}

void put_address(struct out *out, const struct sockaddr *address)
{
    const struct sockaddr_in *in = (const void *)address;
    const struct sockaddr_in6 *in6 = (const void *)address;
    char text[64];

    if (address->sa_family == AF_INET) {
        put(out, inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)));
        put_number(out, " ", ntohs(in->sin_port));
    } else {
        put(out, inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text)));
        put_number(out, " ", ntohs(in6->sin6_port));
        put_number(out, "%", (long)in6->sin6_scope_id);
    }
}

static char *null_or(char *word)
{
    return strcmp(word, "-") == 0 ? NULL : word;
}

static void do_getaddrinfo(struct out *out, char **words, int count)
{
    struct addrinfo hints = {0}, *list = NULL;
    int error;

    if (count >= 7) {
        hints.ai_family = atoi(words[3]);
        hints.ai_socktype = atoi(words[4]);
        hints.ai_protocol = atoi(words[5]);
        hints.ai_flags = atoi(words[6]);
    }
    errno = ERRNO_BEFORE;
    error = getaddrinfo(null_or(words[1]), null_or(words[2]), count >= 7 ? &hints : NULL, &list);
    put_number(out, "rc=", error);
    put_number(out, " errno=", errno);
    for (struct addrinfo *info = error ? NULL : list; info; info = info->ai_next) {
        put_number(out, " [", info->ai_family);
        put_number(out, " ", info->ai_socktype);
        put_number(out, " ", info->ai_protocol);
        put_number(out, " ", info->ai_flags);
        put_number(out, " ", (long)info->ai_addrlen);
        put(out, " ");
        put_address(out, info->ai_addr);
        put(out, " ");
        put(out, info->ai_canonname ? info->ai_canonname : "-");
        put(out, "]");
    }
    if (!error)
        freeaddrinfo(list);
}

static void put_host(struct out *out, const struct hostent *host)
{
    char text[64];

    if (!host) {
        put(out, " none");
        return;
    }
    put(out, " ");
    put(out, host->h_name);
    put_number(out, " ", host->h_addrtype);
    put_number(out, " ", host->h_length);
    for (char **alias = host->h_aliases; *alias; alias++) {
        put(out, " alias=");
        put(out, *alias);
    }
    for (char **address = host->h_addr_list; *address; address++) {
        put(out, " ");
        put(out, inet_ntop(host->h_addrtype, *address, text, sizeof(text)));
    }
}

static int inside(const void *at, const char *buffer, size_t size)
{
    return (const char *)at >= buffer && (const char *)at < buffer + size;
}

static void do_gethostbyname(struct out *out, char **words, int count)
{
    struct hostent *host;

    errno = ERRNO_BEFORE;
    h_errno = ERRNO_BEFORE;
    host = count == 2 ? gethostbyname(words[1]) : gethostbyname2(words[1], atoi(words[2]));
    put_number(out, "errno=", errno);
    put_number(out, " h_errno=", host ? 0 : h_errno);
    put_host(out, host);
}

static void do_gethostbyname_r(struct out *out, char **words, int count)
{
    static char buffer[65536];
    size_t size = (size_t)atoi(words[count - 1]);
    struct hostent host, *result = &host;
    int error, h_error = ERRNO_BEFORE;

    memset(buffer, '#', sizeof(buffer));
    errno = ERRNO_BEFORE;
    if (count == 3)
        error = gethostbyname_r(words[1], &host, buffer, size, &result, &h_error);
    else
        error = gethostbyname2_r(words[1], atoi(words[2]), &host, buffer, size, &result, &h_error);
    put_number(out, "rc=", error);
    put_number(out, " errno=", errno);
    put_number(out, " h_errno=", result ? 0 : h_error);
    if (result &&
        (!inside(result->h_name, buffer, size) || !inside(result->h_aliases, buffer, size) ||
         !inside(result->h_addr_list[0], buffer, size)))
        put(out, " OUTSIDE");
    for (size_t i = size; i < sizeof(buffer); i++)
        if (buffer[i] != '#') {
            put(out, " OVERRUN");
            break;
        }
    put_host(out, result);
}

struct thread {
    pthread_t id;
    pthread_barrier_t *start;
    char **words;
    int count;
    struct out out;
};

static void *thread_run(void *data)
{
    struct thread *thread = data;

    pthread_barrier_wait(thread->start);
    probe_command(&thread->out, thread->words, thread->count);
    return NULL;
}

/* The reply of all, or of the first that differs. */
static void do_threads(struct out *out, char **words, int count)
{
    static struct thread threads[THREADS_MAX];
    int number = atoi(words[1]);
    pthread_barrier_t start;

    pthread_barrier_init(&start, NULL, (unsigned)number);
    for (int i = 0; i < number; i++) {
        threads[i] = (struct thread){.start = &start, .words = words + 2, .count = count - 2};
        pthread_create(&threads[i].id, NULL, thread_run, &threads[i]);
    }
    for (int i = 0; i < number; i++)
        pthread_join(threads[i].id, NULL);
    for (int i = 1; i < number; i++)
        if (strcmp(threads[i].out.text, threads[0].out.text) != 0) {
            put(out, "DIFFERS ");
            put(out, threads[i].out.text);
            return;
        }
    put(out, threads[0].out.text);
}

/* The last reply, and how many times it was another one than before. */
static void do_times(struct out *out, char **words, int count)
{
    struct out now;
    long changes = 0;

    for (long i = atol(words[1]); i > 0; i--) {
        now.len = 0;
        now.text[0] = '\0';
        probe_command(&now, words + 2, count - 2);
        if (strcmp(now.text, out->text) != 0) {
            changes++;
            out->len = 0;
            put(out, now.text);
        }
    }
    put_number(out, " changes=", changes);
}

static void do_after(struct out *out, char **words, int count)
{
    int first = atoi(words[1]);
    char *after = words[2 + first];

    words[2 + first] = NULL;
    probe_command(out, words + 2, first);
    words[2 + first] = after;
    put(out, " | ");
    probe_command(out, words + 2 + first, count - 2 - first);
}

static void do_fds(struct out *out)
{
    for (int fd = 0; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            put_number(out, out->len ? " " : "", fd);
}

static void do_maps(struct out *out)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    long views = 0;

    while (maps && fgets(line, sizeof(line), maps))
        views += !!strstr(line, "fake-view");
    if (maps)
        fclose(maps);
    put_number(out, "views=", views);
}

/* As in <linux/filter.h> and <linux/seccomp.h>, without which musl comes. */
struct filter_step {
    unsigned short code;
    unsigned char if_true, if_false;
    unsigned value;
};

enum {
    FILTER_LOAD = 0x20,
    FILTER_EQUAL = 0x15,
    FILTER_RETURN = 0x06,
    FILTER_MODE = 2,
    FILTER_CALLS_MAX = 128
};
#define FILTER_ALLOW 0x7fff0000u
#define FILTER_KILL  0x80000000u

static void do_allow(struct out *out, const char *numbers)
{
    struct filter_step steps[FILTER_CALLS_MAX * 2 + 2] = {{FILTER_LOAD, 0, 0, 0}};
    struct {
        unsigned short count;
        struct filter_step *steps;
    } filter = {1, steps};

    for (; numbers && *numbers && filter.count < FILTER_CALLS_MAX * 2; filter.count += 2) {
        steps[filter.count] = (struct filter_step){FILTER_EQUAL, 0, 1, (unsigned)atoi(numbers)};
        steps[filter.count + 1] = (struct filter_step){FILTER_RETURN, 0, 0, FILTER_ALLOW};
        numbers = strchr(numbers, ',') ? strchr(numbers, ',') + 1 : NULL;
    }
    steps[filter.count++] = (struct filter_step){FILTER_RETURN, 0, 0, FILTER_KILL};
    put_number(out, "", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    put_number(out, " ", prctl(PR_SET_SECCOMP, FILTER_MODE, &filter, 0, 0));
}

static void command_other(struct out *out, char **words, int count)
{
    const char *verb = words[0];

    if (strcmp(verb, "fds") == 0)
        do_fds(out);
    else if (strcmp(verb, "maps") == 0)
        do_maps(out);
    else if (strcmp(verb, "close") == 0)
        put_number(out, "", close(atoi(words[1])));
    else if (strcmp(verb, "closefrom") == 0)
        put_number(out, "", syscall(SYS_close_range, atoi(words[1]), ~0U, 0));
    else if (strcmp(verb, "open") == 0)
        put_number(out, "", open("/dev/null", O_RDONLY));
    else if (strcmp(verb, "unshare") == 0)
        put_number(out, "", unshare(CLONE_NEWUSER) ? errno : 0);
    else if (strcmp(verb, "lock") == 0)
        put_number(out, "", mlockall(MCL_CURRENT | MCL_FUTURE) ? errno : 0);
    else if (strcmp(verb, "allow") == 0 && count == 2)
        do_allow(out, words[1]);
    else if (strcmp(verb, "euid") == 0 && count == 2)
        put_number(out, "", seteuid((uid_t)atoi(words[1])) ? errno : 0);
    else if (strcmp(verb, "setenv") == 0 && count == 3)
        put_number(out, "", setenv(words[1], words[2], 1));
    else if (!dial_command(out, words, count) && !midway_command(out, words, count) &&
             !byways_command(out, words, count))
        put(out, "what?");
}

void probe_command(struct out *out, char **words, int count)
{
    const char *verb = words[0];

    if (strcmp(verb, "gai") == 0 || strcmp(verb, "gai0") == 0)
        do_getaddrinfo(out, words, count);
    else if (strcmp(verb, "h") == 0 || strcmp(verb, "h2") == 0)
        do_gethostbyname(out, words, count);
    else if (strcmp(verb, "hr") == 0 || strcmp(verb, "h2r") == 0)
        do_gethostbyname_r(out, words, count);
    else if (strcmp(verb, "threads") == 0)
        do_threads(out, words, count);
    else if (strcmp(verb, "times") == 0)
        do_times(out, words, count);
    else if (strcmp(verb, "after") == 0)
        do_after(out, words, count);
    else if (!beget_command(out, words, count))
        command_other(out, words, count);
}

/* Talks through descriptors 98 and 99 if they are open, so that 0, 1 and 2 can be closed. */
int main(void)
{
    int in = fcntl(98, F_GETFD) >= 0 ? 98 : 0, to = in == 98 ? 99 : 1;
    FILE *lines = fdopen(in, "r");
    static char line[8192];

    while (lines && fgets(line, sizeof(line), lines)) {
        static struct out out;
        char *words[16], *rest = line;
        int count = 0;

        line[strcspn(line, "\n")] = '\0';
        while (rest && count < 15)
            words[count++] = strsep(&rest, "\t");
        words[count] = NULL;
        out.len = 0;
        out.text[0] = '\0';
        probe_command(&out, words, count);
        out.text[out.len] = '\n';
        if (write(to, out.text, out.len + 1) < 0)
            return 1;
    }
    return 0;
}
