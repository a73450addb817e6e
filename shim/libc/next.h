/* SPDX-License-Identifier: Apache-2.0
 *
 * next.h - the real functions: those that would have been called without the shim.
 *
 * Called first by every interposer. They are found at first use, not in a constructor. Two threads
 * that look at once find the same. errno is kept.
 */
#ifndef HOMING_SHIM_LIBC_NEXT_H
#define HOMING_SHIM_LIBC_NEXT_H

#include <link.h>
#include <netdb.h>
#include <stdatomic.h>
#include <sys/socket.h>

enum next_id {
    NEXT_GETADDRINFO,
    NEXT_FREEADDRINFO,
    NEXT_GETHOSTBYNAME,
    NEXT_GETHOSTBYNAME2,
    NEXT_GETHOSTBYNAME_R,
    NEXT_GETHOSTBYNAME2_R,
    NEXT_CONNECT,
    NEXT_COUNT
};

typedef int next_getaddrinfo(const char *, const char *, const struct addrinfo *,
                             struct addrinfo **);
typedef void next_freeaddrinfo(struct addrinfo *);
typedef struct hostent *next_gethostbyname(const char *);
typedef struct hostent *next_gethostbyname2(const char *, int);
typedef int next_gethostbyname_r(const char *, struct hostent *, char *, size_t, struct hostent **,
                                 int *);
typedef int next_gethostbyname2_r(const char *, int, struct hostent *, char *, size_t,
                                  struct hostent **, int *);
typedef int next_connect(int, const struct sockaddr *, socklen_t);

/* Their names. Characters in place, because pointers would be relocated in every process. */
extern const char next_names[NEXT_COUNT][20];

/* The cached functions; next_find() fills them. */
extern _Atomic(void *) next_cache[NEXT_COUNT];
void *next_find(enum next_id id);

/* The function, to be cast to its type above. NULL: no object behind the shim has it. */
static inline void *next_get(enum next_id id)
{
    void *found = atomic_load_explicit(&next_cache[id], memory_order_relaxed);

    return found ? found : next_find(id);
}

/* The two ways to find it, here for tests. next_walk() serves where there is no dlsym(): with a
 * glibc before 2.34, and no libdl. */
void *next_dlsym(const char *name);
void *next_walk(const char *name);

/* The same in one object, of which the file's first page is mapped there, and all addresses count
 * from it. */
void *next_in_image(const ElfW(Ehdr) * image, const char *name);

#endif
