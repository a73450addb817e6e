/* SPDX-License-Identifier: Apache-2.0
 *
 * offer.c - see offer.h.
 */
#include "config.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sever/permits/guard.h"
#include "agent/sever/permits/offer.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

const char *offer_result_name(enum offer_result result)
{
    static const char *const names[OFFER_RESULT_COUNT] = {
        [OFFER_PERMIT] = "a permit",
        [OFFER_NOTHING] = "it sent nothing",
        [OFFER_NO_HELLO] = "it does not begin like a permit of a version known here",
        [OFFER_TRUNCATED] = "too many descriptors",
        [OFFER_TOO_FEW] = "too few descriptors",
        [OFFER_NETLINK] = "the first descriptor is not a NETLINK_SOCK_DIAG socket",
        [OFFER_SEALS] = "the second descriptor is not memory that is sealed against resizing",
        [OFFER_SIZE] = "the memory has another size than tags have",
        [OFFER_LAYOUT] = "the memory does not begin like tags of a version known here",
    };

    return (unsigned)result < OFFER_RESULT_COUNT ? names[result] : "?";
}

static enum offer_result read_message(int connection, struct rights *ret_rights)
{
    uint8_t bytes[sizeof(permit_hello) + 1]; /* one more shows what is too long */

    guard_begin();
    ssize_t n = rights_receive(connection, bytes, sizeof(bytes), MSG_DONTWAIT, ret_rights);
    guard_end();
    if (n <= 0)
        return OFFER_NOTHING;
    if (ret_rights->truncated)
        return OFFER_TRUNCATED;
    return n == sizeof(permit_hello) && memcmp(bytes, permit_hello, sizeof(permit_hello)) == 0
               ? OFFER_PERMIT
               : OFFER_NO_HELLO;
}

static int option_of(int fd, int option)
{
    int value = -1;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) ? -1 : value;
}

static bool is_netlink(int fd)
{
    int type = option_of(fd, SO_TYPE);

    return option_of(fd, SO_DOMAIN) == AF_NETLINK &&
           option_of(fd, SO_PROTOCOL) == NETLINK_SOCK_DIAG &&
           (type == SOCK_RAW || type == SOCK_DGRAM);
}

static enum offer_result check_tags(int fd)
{
    uint64_t head[3];
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & PERMIT_TAG_SEALS) != PERMIT_TAG_SEALS)
        return OFFER_SEALS;
    if (fstat(fd, &st) || st.st_size != sizeof(struct tag_memory))
        return OFFER_SIZE;
    if (pread(fd, head, sizeof(head), 0) != sizeof(head) || head[0] != TAG_MAGIC ||
        head[1] != TAG_VERSION || head[2] != TAG_SLOTS)
        return OFFER_LAYOUT;
    return OFFER_PERMIT;
}

static enum offer_result check_fds(const struct rights *rights)
{
    if (rights->count != PERMIT_FD_COUNT)
        return OFFER_TOO_FEW;
    return is_netlink(rights->fds[PERMIT_FD_NETLINK]) ? check_tags(rights->fds[PERMIT_FD_TAGS])
                                                      : OFFER_NETLINK;
}

static uint64_t netns_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) ? 0 : cookie;
}

void offer_read(int connection, struct offer *ret_offer)
{
    *ret_offer = (struct offer){0};
    ret_offer->result = read_message(connection, &ret_offer->rights);
    if (ret_offer->result == OFFER_PERMIT)
        ret_offer->result = check_fds(&ret_offer->rights);
    if (ret_offer->result == OFFER_PERMIT)
        ret_offer->netns = netns_of(ret_offer->rights.fds[PERMIT_FD_NETLINK]);
}
