/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_lookup.c - nanoseconds per getaddrinfo() + freeaddrinfo(), with the shim and without, in
 * turns.
 *
 * Run by bench_lookup.py under the preload. Both sides are in one process: the global getaddrinfo
 * is the shim's, the one that libc.so.6 itself gives is without. Blocks of calls alternate, so that
 * both meet the same noise; the median block counts.
 *
 * usage: bench_lookup MANAGED UNMANAGED|- [NAMES [BOTH]]     NAMES: so many others, n0 n1 ..., are
 * managed, to 10.78.0.0, 10.78.0.1 ...; BOTH: one that is managed, with an address of each family
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/median.h"
#include "tests/support/clock.h"

#define BLOCK  2000
#define BLOCKS 601

typedef int lookup_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

struct side {
    lookup_fn *lookup;
    const char *const *names;
    size_t count;
    const char *beside; /* looked up each time, too */
};

static void look_up(lookup_fn *lookup, const char *name, const char *service)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;

    if (lookup(name, service, &hints, &list) != 0) {
        fprintf(stderr, "bench_lookup: no answer for %s\n", name);
        exit(1);
    }
    freeaddrinfo(list);
}

/* Nanoseconds per lookup of the next of the names. */
static double block(const struct side *side, const char *service)
{
    uint64_t start = clock_ns();

    for (int i = 0; i < BLOCK; i++) {
        look_up(side->lookup, side->names[side->count == 1 ? 0 : (size_t)i * 7919 % side->count],
                service);
        if (side->beside)
            look_up(side->lookup, side->beside, service);
    }
    return (double)(clock_ns() - start) / BLOCK;
}

/* Medians of both sides, block by block in turns, and of what lies between neighbours. */

static void compare(const char *what, const char *service, struct side a, struct side b)
{
    static double a_ns[BLOCKS], b_ns[BLOCKS], added[BLOCKS];

    for (int i = 0; i < BLOCKS; i++) {
        a_ns[i] = block(&a, service);
        b_ns[i] = block(&b, service);
        added[i] = b_ns[i] - a_ns[i];
    }
    double a_median = median(a_ns, BLOCKS), b_median = median(b_ns, BLOCKS);
    printf("%-44s %8.1f %8.1f %8.1f %8.2f\n", what, a_median, b_median, median(added, BLOCKS),
           b_median / a_median);
    fflush(stdout);
}

/* n0 n1 ..., or the addresses that they stand for. */
static const char **make_names(size_t count, int as_addresses)
{
    const char **names = calloc(count, sizeof(*names));

    for (size_t i = 0; names && i < count; i++) {
        char *name = malloc(32);

        if (name && as_addresses)
            snprintf(name, 32, "10.78.%zu.%zu", i >> 8, i & 255);
        else if (name)
            snprintf(name, 32, "n%zu", i);
        names[i] = name;
    }
    return names;
}

int main(int argc, char **argv)
{
    static const char *const literal[] = {"10.77.0.2"}, *const literal6[] = {"fd00::77:2"};
    void *libc = dlopen("libc.so.6", RTLD_NOW);
    lookup_fn *plain = libc ? (lookup_fn *)dlsym(libc, "getaddrinfo") : NULL;
    const char *const *managed = (const char *const *)&argv[1];
    const char *const *unmanaged = (const char *const *)&argv[2];
    size_t names = argc > 3 ? (size_t)atoi(argv[3]) : 0;

    if (argc < 3 || !plain || plain == getaddrinfo) {
        fprintf(stderr, "bench_lookup: run by bench_lookup.py, under the preload\n");
        return 2;
    }
    printf("%-44s %8s %8s %8s %8s\n", "ns per lookup", "libc", "shim", "added", "ratio");
    compare("numeric literal", NULL, (struct side){plain, literal, 1, NULL},
            (struct side){getaddrinfo, literal, 1, NULL});
    compare("numeric literal, IPv6", NULL, (struct side){plain, literal6, 1, NULL},
            (struct side){getaddrinfo, literal6, 1, NULL});
    compare("managed name (libc: numeric literal)", NULL, (struct side){plain, literal, 1, NULL},
            (struct side){getaddrinfo, managed, 1, NULL});
    compare("same with a port, as libpq calls it", "5432", (struct side){plain, literal, 1, NULL},
            (struct side){getaddrinfo, managed, 1, NULL});
    if (names)
        compare("managed, one of many (libc: their addresses)", NULL,
                (struct side){plain, make_names(names, 1), names, NULL},
                (struct side){getaddrinfo, make_names(names, 0), names, NULL});
    if (argc > 4)
        compare("managed, both families (libc: both literals)", NULL,
                (struct side){plain, literal, 1, literal6[0]},
                (struct side){getaddrinfo, (const char *const *)&argv[4], 1, NULL});
    if (strcmp(argv[2], "-") != 0)
        compare("unmanaged name, nscd", NULL, (struct side){plain, unmanaged, 1, NULL},
                (struct side){getaddrinfo, unmanaged, 1, NULL});
    return 0;
}
