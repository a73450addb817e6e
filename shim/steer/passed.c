/* SPDX-License-Identifier: Apache-2.0
 *
 * passed.c - see passed.h.
 */
#include "shim/libc/libc.h"
#include "shim/libc/socket.h"
#include "shim/permit/permit.h"
#include "shim/steer/passed.h"
#include "shim/view/attach.h"
#include "shim/view/process.h"

static bool passed_list_wants_permit(const struct view_map *map, uint32_t cluster,
                                     const struct inet_address *to)
{
    struct view_address at;
    struct view_list list;

    if (!view_list_open(map, cluster, &list))
        return false;
    for (uint32_t i = 0; view_list_at(&list, i, &at); i++)
        if (at.flags & VIEW_MEMBER_PERMIT && inet_address_same_host(&at.address, to))
            return true;
    return false;
}

static bool passed_wants_permit(const struct view_map *map, const struct inet_address *to)
{
    uint64_t key = view_address_key(to);
    uint32_t at = 0, cluster;

    while (view_index_next(map, key, &at, &cluster))
        if (passed_list_wants_permit(map, cluster, to))
            return true;
    return false;
}

void passed_hand_over(int fd, const struct inet_address *to)
{
    struct libc_kept kept = libc_keep_errno();
    const struct attached *head = attach_present();

    if (head && !process_sever_refused() && passed_wants_permit(&head->map, to) &&
        socket_is_stream(fd))
        permit_renew(fd, 0, view_sever_instance(&head->map), process_now_ms());
    libc_restore_errno(kept);
}
