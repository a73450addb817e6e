/* SPDX-License-Identifier: Apache-2.0
 *
 * stepped.h - something is stopped at each of its instructions, each time in a child of its own, and
 * something else is done meanwhile, in a signal handler, from its beginning to its end.
 */
#ifndef HOMING_TESTS_SUPPORT_STEPPED_H
#define HOMING_TESTS_SUPPORT_STEPPED_H

#include <stdbool.h>
#include <sys/types.h>

struct stepped {
    void (*start)(void);
    void (*stopped)(void);
    void (*meanwhile)(void); /* may leave by stepped_jump() */
    bool (*is_well)(void);   /* afterwards */
    int parts; /* 0, or for what is long: it is stopped when so much more of it is done than at the last stop */
};

/* Is skipped where nobody can be stepped through. */
void stepped_assert(const struct stepped *what);

/* Leaves the handler and what was stopped, which never goes on. */
void stepped_jump(void);

/* For a child that is stepped through in another way: lets it go on, for one instruction or until it
 * stops itself, and returns its status. */
int stepped_next(pid_t pid, bool step, int signal);
bool stepped_stops_itself(int status);

#endif
