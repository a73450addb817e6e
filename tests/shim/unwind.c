/* SPDX-License-Identifier: Apache-2.0
 *
 * unwind.c - a program whose threads are cancelled in a lookup or a connect, and what it then says
 * of their callers' cleanup: one command per line, one line in reply. It knows nothing of homing.
 *
 *   run CALL             in a thread: it says what the call returned
 *   pending CALL         it is cancelled already when it calls, and ends in the call
 *   asleep CALL          it is cancelled when it sleeps in the call
 *   async CALL           the same, and the thread may be cancelled at any instruction
 *   trace CALL           when it sleeps in the call, a signal handler looks back to its start
 * CALL: gai NODE | connect ADDRESS PORT
 *
 * As C++ it has a destructor, too. glibc runs it and pthread_cleanup_push() of C++ by unwinding;
 * musl unwinds nothing, and keeps a list of what was pushed.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <execinfo.h>
#endif

static struct {
    char *words[4];
    int pending, async;
    pid_t tid;
    sem_t calling;
    int fd, rc, error;
    volatile int cleaned, destroyed, traced;
    sem_t looked;
} it;

static void clean(void *flag)
{
    *(volatile int *)flag = 1;
}

#ifdef __cplusplus
struct caller {
    ~caller()
    {
        it.destroyed = 1;
    }
};
#endif

static void call(void)
{
    if (strcmp(it.words[1], "gai") == 0) {
        struct addrinfo *list = NULL;

        it.rc = getaddrinfo(it.words[2], NULL, NULL, &list);
        if (it.rc == 0)
            freeaddrinfo(list);
    } else {
        struct sockaddr_in to;

        memset(&to, 0, sizeof(to));
        to.sin_family = AF_INET;
        to.sin_port = htons((uint16_t)atoi(it.words[3]));
        inet_pton(AF_INET, it.words[2], &to.sin_addr);
        it.rc = connect(it.fd, (const struct sockaddr *)&to, sizeof(to));
        it.error = it.rc ? errno : 0;
    }
}

/* Not static: backtrace_symbols() knows the names that a program exports. */
void *thread_start(void *nothing);

void *thread_start(void *nothing)
{
#ifdef __cplusplus
    caller destroyed_when_it_ends;
#endif
    int was;

    it.tid = (pid_t)syscall(SYS_gettid);
    pthread_setcanceltype(it.async ? PTHREAD_CANCEL_ASYNCHRONOUS : PTHREAD_CANCEL_DEFERRED, &was);
    pthread_cleanup_push(clean, (void *)&it.cleaned);
    if (it.pending)
        pthread_cancel(pthread_self());
    sem_post(&it.calling);
    call();
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &was);
    pthread_cleanup_pop(0);
    return nothing;
}

/* Looked at is what the kernel says of the thread: its state stands behind its name. One that has returned is not
 * there any more, and does not fall asleep. */
static int is_asleep_or_gone(void)
{
    char path[64], line[256] = "";
    FILE *stat;

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", it.tid);
    if (!(stat = fopen(path, "r")))
        return 1;
    if (!fgets(line, sizeof(line), stat))
        strcpy(line, ") S ");
    fclose(stat);
    return !!strstr(line, ") S ");
}

static void wait_asleep(void)
{
    for (int i = 0; i < 60000 && !is_asleep_or_gone(); i++)
        poll(NULL, 0, 1);
}

static void look_back(int number)
{
#ifdef __GLIBC__
    void *frames[64];
    int count = backtrace(frames, 64);
    char **names = backtrace_symbols(frames, count);

    for (int i = 0; names && i < count; i++)
        if (strstr(names[i], "thread_start"))
            it.traced = 1;
    free(names);
#endif
    (void)number;
    sem_post(&it.looked);
}

static void disturb(pthread_t thread, const char *how)
{
    struct sigaction action;

    if (strcmp(how, "asleep") == 0 || strcmp(how, "async") == 0) {
        wait_asleep();
        pthread_cancel(thread);
    } else if (strcmp(how, "trace") == 0) {
        memset(&action, 0, sizeof(action));
        action.sa_handler = look_back;
        action.sa_flags = SA_RESTART;
        sigaction(SIGUSR1, &action, NULL);
        wait_asleep();
        pthread_kill(thread, SIGUSR1);
        sem_wait(&it.looked);
        wait_asleep(); /* in the call again: of glibc 2.41, a cancellation in the handler waits for its end */
        pthread_cancel(thread);
    }
}

static void act(const char *how)
{
    pthread_t thread;
    void *result = NULL;

    it.pending = strcmp(how, "pending") == 0;
    it.async = strcmp(how, "async") == 0;
    it.cleaned = it.destroyed = it.traced = it.rc = it.error = 0;
    it.fd = socket(AF_INET, SOCK_STREAM, 0);
    sem_init(&it.calling, 0, 0);
    sem_init(&it.looked, 0, 0);
    pthread_create(&thread, NULL, thread_start, NULL);
    sem_wait(&it.calling);
    disturb(thread, how);
    pthread_join(thread, &result);
    close(it.fd);
    if (result == PTHREAD_CANCELED)
        printf("canceled%s%s%s\n", it.cleaned ? " cleaned" : "", it.destroyed ? " destroyed" : "",
               it.traced ? " traced" : "");
    else
        printf("rc=%d errno=%d\n", it.rc, it.error);
    fflush(stdout);
}

int main(void)
{
    static char line[1024];

    while (fgets(line, sizeof(line), stdin)) {
        char *rest = line;

        line[strcspn(line, "\n")] = '\0';
        for (int i = 0; i < 4; i++)
            it.words[i] = rest ? strsep(&rest, " ") : NULL;
        act(it.words[0]);
    }
    return 0;
}
