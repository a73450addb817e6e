/* SPDX-License-Identifier: Apache-2.0
 *
 * view.c - the memfd behind the view; proto/view_write.c writes what is in it. Called by
 * daemon/publish.c and daemon/reload.c.
 *
 * 1. Only this mapping can write. It is made before F_SEAL_FUTURE_WRITE, which refuses every later
 *    one that could write, through any descriptor, to any uid.
 * 2. The size never changes and every page exists before the descriptor is given away, so that a
 *    reader can neither fault nor be charged for memory.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/base/memfd.h"
#include "agent/publish/view.h"

#define VIEW_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

struct view {
    int fd;
    void *base;
    size_t bytes;
    uint64_t instance;
    struct view_writer writer;
};

/* If there is no memory for a page, fallocate() says ENOSPC now. Without it, writing to that page
 * would be a SIGBUS later. */
static bool map(struct view *view)
{
    if (ftruncate(view->fd, (off_t)view->bytes) || fallocate(view->fd, 0, 0, (off_t)view->bytes))
        return false;
    void *base = mmap(NULL, view->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, view->fd, 0);
    if (base == MAP_FAILED)
        return false;
    view->base = base;
    return true;
}

static bool fill(struct view *view, uint32_t names, uint32_t clusters, uint32_t members)
{
    uint32_t slots = view_slots_for(names);

    view->bytes = view_size(slots, clusters, members);
    view->fd = memfd_new("homing-view", MFD_ALLOW_SEALING);
    if (view->fd < 0 || !map(view) ||
        getrandom(&view->instance, sizeof(view->instance), 0) != sizeof(view->instance))
        return false;
    view->instance |= 1; /* 0 means "none" */
    view_write_init(&view->writer, view->base, view->bytes, slots, clusters, view->instance);
    return fcntl(view->fd, F_ADD_SEALS, VIEW_SEALS) == 0;
}

struct view *view_new(uint32_t names, uint32_t clusters, uint32_t members)
{
    struct view *view = calloc(1, sizeof(*view));
    if (!view)
        return NULL;
    view->fd = -1;
    if (fill(view, names, clusters, members))
        return view;

    int error = errno;
    if (view->base)
        munmap(view->base, view->bytes);
    if (view->fd >= 0)
        close(view->fd);
    free(view);
    errno = error;
    return NULL;
}

void view_free(struct view *view)
{
    if (!view)
        return;
    view_write_retired(&view->writer);
    munmap(view->base, view->bytes);
    close(view->fd);
    free(view);
}

int view_fd(const struct view *view)
{
    return view->fd;
}

uint64_t view_instance(const struct view *view)
{
    return view->instance;
}

uint64_t view_bytes(const struct view *view)
{
    return view->bytes;
}

struct view_writer *view_writer(struct view *view)
{
    return &view->writer;
}
