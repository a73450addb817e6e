/* SPDX-License-Identifier: Apache-2.0
 *
 * disk.h - a text on disk that survives crashes of the machine: two copies, overwritten in turn. A
 * save costs one fdatasync of blocks that the file has already.
 *
 * Called by state.c, with the directory's lock held. NAME.1 and NAME.2 each hold the text, a line
 * with the number of the save, a sum over all of that, and blanks that keep the file's size. The
 * copy with the higher number counts. A copy that is not whole is renamed to NAME.N.corrupt, and
 * that is logged.
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
    uint64_t newest; /* its last save; if the newest copy has another sum, another agent wrote it */
    uint64_t on_disk; /* its last save that was synced */
};

/* -errno: what the files hold is not known. */
int state_disk_read(int dir, const char *name, struct state_disk *ret_disk);
void state_disk_done(struct state_disk *disk);

/* The copy that counts, NULL if there is none. */
struct state_copy *state_disk_newest(struct state_disk *disk);

/* Puts a copy aside whose text makes no sense, like one that is not whole. */
void state_disk_reject(int dir, const char *name, struct state_disk *disk, struct state_copy *copy);

/* 0: from now on this text is what is read. With `sync` that holds after a crash of the machine,
 * too. Without it, this text or the last synced one is read then. -errno: the files hold what they
 * held before. `disk` is what was read there under the same lock. */
int state_disk_write(int dir, const char *name, struct state_disk *disk, struct state_known *known,
                     const char *text, size_t len, bool sync);

/* Takes a copy whose `text` is the `size` bytes of a file and a NUL behind them, and fills in the
 * rest. Pure. -EBADMSG: the copy is not whole. -ENOMEM. */
int state_disk_check(struct state_copy *copy);

/* FNV-1a: any change of one byte changes it. Two texts with one sum are taken for the same. */
uint64_t state_disk_sum(const char *text, size_t len);

#endif
