/* SPDX-License-Identifier: Apache-2.0
 *
 * stepped.c - see stepped.h.
 */
#include "config.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/stepped.h"
#include "tests/support/test.h"

enum {
    STEPS_MAX = 1000000,
    /* So many at each instruction, and then at fewer and fewer: with others between ours from the beginning. */
    STOPS_MAX = STEPS_BETWEEN ? 40 : 500
};

static const struct stepped *it;
static volatile sig_atomic_t came;
static sigjmp_buf out;

static void on_signal(int number)
{
    (void)number;
    came = 1;
    it->meanwhile();
}

void stepped_jump(void)
{
    siglongjmp(out, 1);
}

/* From the first stop to the second one it is stepped through; 1: something is wrong afterwards. */
static void child_main(void)
{
    signal(SIGUSR1, on_signal);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(77);
    it->start();
    if (sigsetjmp(out, 1) == 0) {
        raise(SIGSTOP);
        it->stopped();
    }
    raise(SIGSTOP);
    if (!came && sigsetjmp(out, 1) == 0)
        it->meanwhile();
    _exit(it->is_well() ? 0 : 1);
}

int stepped_next(pid_t pid, bool step, int signal)
{
    int status;

    assert_int_equal(ptrace(step ? PTRACE_SINGLESTEP : PTRACE_CONT, pid, NULL, signal), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

bool stepped_stops_itself(int status)
{
    return WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP;
}

/* Stops it after so many instructions, and sends it the signal. Returns how it exits; *ret_over: it
 * came to its end before. */
static int run(int instructions, bool *ret_over)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        child_main();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    for (int i = 0; i < instructions && stepped_stops_itself(status) == (i == 0); i++)
        status = stepped_next(pid, true, 0);
    *ret_over = instructions > 0 && stepped_stops_itself(status);
    if (WIFSTOPPED(status))
        status = stepped_next(pid, false, *ret_over ? 0 : SIGUSR1);
    while (WIFSTOPPED(status))
        status = stepped_next(pid, false, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* How many instructions more at the next stop. */
static int stride(const struct stepped *what, int steps)
{
    return what->parts ? steps / what->parts + 1 : steps / STOPS_MAX * 4 + 1;
}

void stepped_assert(const struct stepped *what)
{
    bool over = false;
    int rv = 0;

    if (!STEP_TESTS)
        skip();
    it = what;
    for (int steps = 0; !over && rv == 0 && steps < STEPS_MAX; steps += stride(what, steps)) {
        rv = run(steps, &over);
        if (rv != 0)
            print_message("# after %d instructions: %d\n", steps, rv);
    }
    if (rv == 77)
        skip();
    assert_int_equal(rv, 0);
    assert_true(over);
}
