/* SPDX-License-Identifier: Apache-2.0
 *
 * privilege.c - see privilege.h. It uses the kernel's interface itself: libcap would be one more
 * library for two calls.
 */
#include "config.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/base/privilege.h"

struct sets {
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

static int sets_get(struct sets *ret)
{
    ret->header = (struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(SYS_capget, &ret->header, ret->data) ? -errno : 0;
}

bool privilege_has(int capability)
{
    struct sets sets;

    return sets_get(&sets) == 0 &&
           (sets.data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
}

/* The bounding set can be made smaller only with CAP_SETPCAP. Without that, no_new_privs has to be
 * enough. */
static void drop_bounding(uint64_t mask)
{
    for (int i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++)
        if (i > 63 || !(mask >> i & 1))
            (void)prctl(PR_CAPBSET_DROP, i);
}

int privilege_keep(uint64_t mask)
{
    struct sets sets;
    int rv = sets_get(&sets);

    if (rv)
        return rv;
    drop_bounding(mask);
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        uint32_t keep = (uint32_t)(mask >> (32 * i));
        sets.data[i].permitted &= keep;
        sets.data[i].effective = sets.data[i].permitted;
        sets.data[i].inheritable = 0;
    }
    if (syscall(SYS_capset, &sets.header, sets.data) ||
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return -errno;
    return 0;
}
