/* SPDX-License-Identifier: Apache-2.0
 *
 * own.c - see own.h.
 */
#include "config.h"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/stranger.h"
#include "agent/sever/sweep/own.h"

void own_init(struct group *own)
{
    *own = (struct group){.uid = (uid_t)-1}; /* which no user has */
}

void own_close(struct group *own)
{
    if (own->netlink_count)
        close(own->netlinks[0].fd);
    own->netlink_count = 0;
    own->late = 0;
}

static void open_netlink(struct group *own)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    if (fd < 0)
        return;
    own->netlinks[0].fd = fd;
    own->netlinks[0].ours = true;
    own->netlink_count = 1;
    own->netns = netns_of(fd);
}

/* Orders that do not sever what is untagged count there, once. Where namespaces cannot be told apart,
 * groups may list the same, which would be counted twice. */
static bool is_of_interest(const struct group *own, const struct sever_order *order, uint32_t nth)
{
    return order->untagged || (nth == 0 && order->kind != SEVER_LIST && own->netns);
}

struct group *own_for(struct group *own, const struct sever_order *order, uint32_t nth)
{
    if (own && own->netlink_count == 0)
        open_netlink(own);
    return own && own->netlink_count && is_of_interest(own, order, nth) ? own : NULL;
}
