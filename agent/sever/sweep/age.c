/* SPDX-License-Identifier: Apache-2.0
 *
 * age.c - see age.h. The numbers are those of gen_cookie_next() in the kernel's include/linux/cookie.h.
 */
#include "config.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/sever/sweep/age.h"

enum {
    /* In one age_go_on(): a millisecond or two. */
    STEPS = 128
};

/* Counted down, by whoever interrupts another one that counts up: their batch is not known. */
#define COUNTED_DOWN (UINT64_C(1) << 63)

/* 0: no descriptor is left. */
static uint64_t next_cookie(void)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return 0;
    (void)getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
    close(fd);
    return cookie < COUNTED_DOWN ? cookie : 0;
}

/* From 1, and the numbers of the first batch are 1 to 4096. */
static uint64_t batch_of(uint64_t cookie)
{
    return (cookie - 1) / AGE_BATCH + 1;
}

static uint32_t left_after(uint64_t cookie)
{
    return AGE_BATCH - 1 - (uint32_t)((cookie - 1) % AGE_BATCH);
}

static bool is_fresh(const struct age *age, uint64_t batch)
{
    return age->fresh && batch >= age->fresh;
}

static void remember(struct age *age, uint64_t cookie)
{
    uint64_t batch = batch_of(cookie);

    for (uint32_t i = 0; i < age->count; i++)
        if (age->begun[i].batch == batch)
            return; /* numbers of one batch only grow */
    if (age->count == AGE_BEGUN)
        return;
    age->begun[age->count].batch = batch;
    age->begun[age->count++].seen = cookie;
}

/* The first number of a batch, if that was handed out here, says that it was taken just now. */
static void see(struct age *age, uint64_t cookie)
{
    uint64_t batch = batch_of(cookie);

    if (!cookie || is_fresh(age, batch))
        return;
    if (left_after(cookie) == AGE_BATCH - 1)
        age->fresh = batch;
    else
        remember(age, cookie);
}

static bool counts_for_all(void)
{
    struct utsname name;
    char *end;

    if (uname(&name))
        return false;
    long major = strtol(name.release, &end, 10);
    long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    return major > 5 || (major == 5 && minor >= 4);
}

void age_now(struct age *age)
{
    *age = (struct age){.known = counts_for_all()};
    age_note(age);
}

void age_note(struct age *age)
{
    uint64_t cookie = age->known ? next_cookie() : 0;

    see(age, cookie);
    for (int i = 0; i < AGE_ROOM && cookie && left_after(cookie) < AGE_ROOM &&
                    !is_fresh(age, batch_of(cookie));
         i++) {
        cookie = next_cookie();
        see(age, cookie);
    }
}

void age_go_on(struct age *age)
{
    for (int i = 0; i < STEPS && age->known && !age->fresh; i++)
        see(age, next_cookie());
}

bool age_is_after(const struct age *age, uint64_t cookie)
{
    uint64_t batch = cookie && cookie < COUNTED_DOWN ? batch_of(cookie) : 0;

    if (!age->known || !batch)
        return false;
    for (uint32_t i = 0; i < age->count; i++)
        if (age->begun[i].batch == batch)
            return cookie > age->begun[i].seen;
    return is_fresh(age, batch);
}
