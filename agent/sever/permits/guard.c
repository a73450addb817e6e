/* SPDX-License-Identifier: Apache-2.0
 *
 * guard.c - see guard.h. The timer repeats: a single alarm could go off just before the call.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

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
