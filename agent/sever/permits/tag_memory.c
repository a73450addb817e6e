/* SPDX-License-Identifier: Apache-2.0
 *
 * tag_memory.c - see tag_memory.h.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/sever/permits/tag_memory.h"

_Static_assert(TAG_WORDS == 4, "cookie, endpoint, generation, since_ms");

/* ---- which pages exist ---- */

/* Pages that are looked at, at first, and at most at once: mostly all that exist are among the first. */
#define FIRST_LOOK 16
#define LOOK       1024

static bool is_there(const struct tag_reading *r, uint32_t page)
{
    return r->there[page / 64] >> page % 64 & 1;
}

static void note_there(struct tag_reading *r, uint32_t page)
{
    r->there[page / 64] |= UINT64_C(1) << page % 64;
}

/* How many exist, in memory or swapped out. */
static uint32_t count_pages(const struct tag_reading *r)
{
    struct stat st;

    if (fstat(r->fd, &st))
        return r->pages;
    uint64_t count = ((uint64_t)st.st_blocks * 512 + r->page - 1) / r->page;
    return count < r->pages ? (uint32_t)count : r->pages;
}

/* Of those in memory. Returns their number; nothing is read here, and nothing can be. The mapping is a private one,
 * so that it does not look like somebody's who writes. */
static uint32_t look_at_pages(struct tag_reading *r)
{
    unsigned char in_memory[LOOK];
    size_t size = (size_t)r->pages * r->page;
    char *map = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE, r->fd, 0);
    uint32_t found = 0, count;

    if (map == MAP_FAILED)
        return 0;
    for (uint32_t i = 0; i < r->pages && found < count_pages(r); i += count) {
        count = i ? LOOK : FIRST_LOOK;
        count = count < r->pages - i ? count : r->pages - i;
        if (mincore(map + (size_t)i * r->page, (size_t)count * r->page, in_memory))
            break;
        for (uint32_t k = 0; k < count; k++)
            if (in_memory[k] & 1) {
                note_there(r, i + k);
                found++;
            }
    }
    munmap(map, size);
    return found;
}

/* Of a file that this process may not write, all pages are said to be in memory: then none is known. The head is in
 * the first page, which so exists. */
void tag_memory_begin(int fd, struct tag_reading *ret_reading)
{
    struct tag_reading *r = ret_reading;
    struct stat st;

    *r = (struct tag_reading){
        .fd = fd, .at = sizeof(struct tag_header), .page = (uint32_t)sysconf(_SC_PAGESIZE)};
    if (fstat(fd, &st) || st.st_size <= 0 || st.st_size > (off_t)tag_memory_size(TAG_SLOTS_MAX))
        return;
    r->pages = (uint32_t)(((size_t)st.st_size + r->page - 1) / r->page);
    uint32_t found = look_at_pages(r), exist = count_pages(r);
    if (found > exist) {
        memset(r->there, 0, sizeof(r->there));
        found = 0;
    }
    if (!is_there(r, 0))
        found++;
    note_there(r, 0);
    r->left = exist > found ? exist - found : 0;
}

/* The next byte that may exist; -1: none does. */
static off_t next_data(const struct tag_reading *r)
{
    uint32_t page = (uint32_t)(r->at / r->page);

    if (page >= r->pages || r->left || is_there(r, page))
        return page < r->pages ? r->at : -1;
    while (page < r->pages && !is_there(r, page))
        page++;
    return page < r->pages ? (off_t)page * r->page : -1;
}

/* ---- reading ---- */

/* Reads whole slots twice. One that is not the same again was being written, and loses its cookie.
 * Returns how many, 0 at the end, or negative errno. */
static int read_slots(int fd, off_t at, size_t size, uint64_t (*ret_slots)[TAG_WORDS])
{
    uint64_t again[TAG_MEMORY_SLOTS][TAG_WORDS];
    ssize_t n = pread(fd, ret_slots, size < sizeof(again) ? size : sizeof(again), at);
    ssize_t m = n < 0 ? n : pread(fd, again, (size_t)n, at);

    if (m < 0)
        return -errno;
    int count = (int)((size_t)m / sizeof(struct tag));
    for (int i = 0; i < count; i++)
        if (memcmp(ret_slots[i], again[i], sizeof(again[i])) != 0)
            ret_slots[i][0] = 0;
    return count;
}

/* What is not zero in a page that was not known to exist says that it does. */
static void find_page(struct tag_reading *r, uint32_t page, const uint64_t (*slots)[TAG_WORDS],
                      int count)
{
    uint64_t any = 0;

    for (int i = 0; i < count; i++)
        for (size_t k = 0; k < TAG_WORDS; k++)
            any |= slots[i][k];
    if (!any)
        return;
    note_there(r, page);
    r->left--;
}

/* While pages are left to be found, one is read at a time. Pages begin with whole slots. */
int tag_memory_next(struct tag_reading *r, uint64_t (*ret_slots)[TAG_WORDS])
{
    off_t data = next_data(r);
    size_t size = sizeof(struct tag) * TAG_MEMORY_SLOTS;
    int count = -EINTR;

    if (data < 0)
        return 0;
    uint32_t page = (uint32_t)(data / r->page);
    if (r->left && size > r->page - (size_t)data % r->page)
        size = r->page - (size_t)data % r->page;
    while (count == -EINTR)
        count = read_slots(r->fd, data, size, ret_slots);
    if (count > 0)
        r->at = data + (off_t)((size_t)count * sizeof(struct tag));
    if (count > 0 && r->left && !is_there(r, page))
        find_page(r, page, (const uint64_t(*)[TAG_WORDS])ret_slots, count);
    return count;
}

void tag_memory_add_counts(int fd, uint64_t counts[TAG_COUNT_COUNT])
{
    uint64_t of[TAG_COUNT_COUNT];

    if (pread(fd, of, sizeof(of), offsetof(struct tag_header, counts)) != sizeof(of))
        return;
    for (int i = 0; i < TAG_COUNT_COUNT; i++)
        counts[i] += of[i];
}

/* ---- who uses it ---- */

/* An answer that took so long and for which the kernel slept was a wait for pages. If it took long because others had
 * the processor, it did not sleep. */
#define WAIT_MS 10

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static long sleeps(void)
{
    struct rusage usage = {.ru_nvcsw = 0};

    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

/* The kernel takes this seal only of memory that nobody has mapped so. If somebody has, it says so before it
 * looks at the pages and may wait for them. */
static int seal(struct deputy_desk *desk, int fd, int none)
{
    uint64_t start = now_ms();
    long slept = sleeps();

    (void)none;
    if (deputy_take(desk) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0 || errno != EBUSY)
        return TAG_MEMORY_UNUSED;
    return now_ms() - start >= WAIT_MS && sleeps() > slept ? TAG_MEMORY_PINNED : TAG_MEMORY_MAPPED;
}

static struct deputy_owner owner_of(const void *owner, uint32_t piece)
{
    (void)piece;
    return *(const struct deputy_owner *)owner;
}

/* If nobody can be asked now, that is done later, as of memory that is mapped. */
enum tag_memory_use tag_memory_use(struct deputies *asking, struct deputy_owner owner, int fd,
                                   uint64_t *ret_took_ms)
{
    uint64_t start = now_ms();
    struct deputy_piece piece = {.what =
                                     asking->tickets + 1}; /* none is asked about twice at once */
    struct deputy_work work = {.fn = seal,
                               .fd = fd,
                               .second = -1,
                               .owner = owner_of,
                               .arg = &owner,
                               .pieces = &piece,
                               .count = 1,
                               .answer = TAG_MEMORY_MAPPED};
    int rv = deputies_run(asking, &work);
    enum tag_memory_use use = rv ? TAG_MEMORY_MAPPED : (enum tag_memory_use)work.answer;

    if (piece.fate == DEPUTY_STUCK)
        use = TAG_MEMORY_PINNED;
    deputies_rest(asking);
    *ret_took_ms = use == TAG_MEMORY_PINNED ? now_ms() - start : 0;
    return use;
}
