/* SPDX-License-Identifier: Apache-2.0
 *
 * offer.c - see offer.h.
 */
#include "config.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/stranger.h"
#include "agent/sever/permits/guard.h"
#include "agent/sever/permits/offer.h"

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
        [OFFER_SIZE] = "the memory has another size than its hello says",
        [OFFER_UNLISTED] = "its netlink socket does not list the connection that it came over",
        [OFFER_LAYOUT] = "the memory does not begin like tags of a version known here",
    };

    return (unsigned)result < OFFER_RESULT_COUNT ? names[result] : "?";
}

static enum offer_result read_message(int connection, struct rights *ret_rights,
                                      struct permit_hello *ret_hello)
{
    uint8_t bytes[PERMIT_HELLO_SIZE + 1]; /* one more shows what is too long */

    guard_begin();
    ssize_t n = rights_receive(connection, bytes, sizeof(bytes), MSG_DONTWAIT, ret_rights);
    guard_end();
    if (n <= 0)
        return OFFER_NOTHING;
    if (ret_rights->truncated)
        return OFFER_TRUNCATED;
    return permit_hello_check(bytes, (size_t)n, ret_hello) ? OFFER_PERMIT : OFFER_NO_HELLO;
}

static int option_of(int fd, int option)
{
    int value = -1;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) ? -1 : value;
}

bool offer_is_netlink(int fd)
{
    int type = option_of(fd, SO_TYPE);

    return option_of(fd, SO_DOMAIN) == AF_NETLINK &&
           option_of(fd, SO_PROTOCOL) == NETLINK_SOCK_DIAG &&
           (type == SOCK_RAW || type == SOCK_DGRAM);
}

static enum offer_result check_tags(int fd, uint32_t slots)
{
    uint64_t head[3];
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & PERMIT_TAG_SEALS) != PERMIT_TAG_SEALS)
        return OFFER_SEALS;
    if (fstat(fd, &st) || (uint64_t)st.st_size != tag_memory_size(slots))
        return OFFER_SIZE;
    if (pread(fd, head, sizeof(head), 0) != sizeof(head) || head[0] != TAG_MAGIC ||
        head[1] != TAG_VERSION || head[2] != slots)
        return OFFER_LAYOUT;
    return OFFER_PERMIT;
}

/* Its slots are what its size has room for. */
bool offer_is_tags(int fd)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || fstat(fd, &st) || st.st_size < (off_t)tag_memory_size(TAG_SLOTS_MIN) ||
        st.st_size > (off_t)tag_memory_size(TAG_SLOTS_MAX))
        return false;
    return check_tags(fd, (uint32_t)(((size_t)st.st_size - tag_memory_size(0)) /
                                     sizeof(struct tag))) == OFFER_PERMIT;
}

static enum offer_result check_fds(const struct rights *rights, uint32_t slots)
{
    if (rights->count != PERMIT_FD_COUNT)
        return OFFER_TOO_FEW;
    return offer_is_netlink(rights->fds[PERMIT_FD_NETLINK])
               ? check_tags(rights->fds[PERMIT_FD_TAGS], slots)
               : OFFER_NETLINK;
}

void offer_read(int connection, struct offer *ret_offer)
{
    struct permit_hello hello = {0};

    *ret_offer = (struct offer){0};
    ret_offer->result = read_message(connection, &ret_offer->rights, &hello);
    if (ret_offer->result == OFFER_PERMIT)
        ret_offer->result = check_fds(&ret_offer->rights, hello.slots);
    if (ret_offer->result == OFFER_PERMIT)
        ret_offer->netns = netns_of(ret_offer->rights.fds[PERMIT_FD_NETLINK]);
    if (ret_offer->result == OFFER_PERMIT &&
        uids_ask(ret_offer->rights.fds[PERMIT_FD_NETLINK], connection, &ret_offer->uids))
        ret_offer->result = OFFER_UNLISTED;
}
