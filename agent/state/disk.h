/* SPDX-License-Identifier: Apache-2.0
 *
 * disk.h - a text on disk that survives crashes of the machine, and costs one fdatasync of
 * blocks that it has already: two copies, overwritten in turn.
 *
 * Called by state.c, with the directory's lock held. NAME.1 and NAME.2 are the text, a line with
 * the number of the save, a sum over all of that, and blanks that keep the file's size. The copy
 * with the higher number counts. One that is not whole is renamed to NAME.N.corrupt, and logged.
 */
#ifndef HOMING_AGENT_STATE_DISK_H
#define HOMING_AGENT_STATE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state_copy {
    char *text; /* malloc'd; NULL: there is no such copy */
    size_t len;
    size_t size; /* of the file */
    uint64_t number;
    uint64_t sum; /* tells this save from all others */
};

/* {0}: never saved. */
struct state_disk {
    struct state_copy copies[2];
    bool damaged; /* a copy was put aside while this was read */
};

/* What an agent knows of its own saves, as sums. {0}: nothing. */
struct state_known {
    uint64_t newest;  /* another one in the files is another agent's */
    uint64_t on_disk; /* the last one that was synced */
};

/* -errno: it is not known what is there. */
int state_disk_read(int dir, const char *name, struct state_disk *ret_disk);
void state_disk_done(struct state_disk *disk);

/* The copy that counts, NULL if there is none. */
struct state_copy *state_disk_newest(struct state_disk *disk);

/* A copy whose text turned out to make no sense: to be put aside like one that is not whole. */
void state_disk_reject(int dir, const char *name, struct state_disk *disk, struct state_copy *copy);

/* 0: the text is what is read from now on; after a crash of the machine it is, too, if `sync`, and
 * else it or the last one that was synced. -errno: as before. `disk` is what was read there under
 * the same lock. */
int state_disk_write(int dir, const char *name, struct state_disk *disk, struct state_known *known,
                     const char *text, size_t len, bool sync);

/* Of a copy with the `size` bytes of a file, and a zero behind them, as its text: finds the rest.
 * Pure. -EBADMSG: it is not whole. -ENOMEM. */
int state_disk_check(struct state_copy *copy);

/* FNV-1a: any change of one byte changes it. Two texts with one sum are taken for the same. */
uint64_t state_disk_sum(const char *text, size_t len);

#endif
