/* SPDX-License-Identifier: Apache-2.0
 *
 * bound.c - see bound.h. Called at the start and after each reload.
 *
 * A server may announce a message of a gigabyte. Its client library makes room for it before the
 * first byte of it came, and then reads on as long as there is something to read. With this bound
 * the allocation fails, and one connection is lost. Without it, the kernel would end the agent.
 */
#include "config.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/base/bound.h"

/* For everything that does not grow with the members: replies that clients have not read (at most
 * 64 MB, serve/client.h), and a new configuration of ten thousand clusters beside the old one (45
 * MB). An agent of a few clusters stays below the MemoryMax of homingd.service. */
#define BOUND_BASE ((uint64_t)128 << 20)
/* Ten times a member's connection with TLS. */
#define BOUND_PER_MEMBER ((uint64_t)1 << 20)

/* Private writable memory now, as RLIMIT_DATA counts it. Not known: the largest number. */
static uint64_t used(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long pages;
    int found;

    if (!file)
        return UINT64_MAX;
    found = fscanf(file, "%*u %*u %*u %*u %*u %lu", &pages);
    fclose(file);
    return found == 1 ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) : UINT64_MAX;
}

void bound_memory(uint64_t members)
{
    uint64_t bound = BOUND_BASE + members * BOUND_PER_MEMBER;
    struct rlimit limit;

    if (getrlimit(RLIMIT_DATA, &limit) < 0 || limit.rlim_max < bound || used() > bound / 2)
        return;
    limit.rlim_cur = bound;
    (void)setrlimit(RLIMIT_DATA, &limit);
}
