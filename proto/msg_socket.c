/* SPDX-License-Identifier: Apache-2.0
 *
 * msg_socket.c - see msg_socket.h.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/msg_socket.h"

bool msg_send_some(struct msg_writer *w, int fd)
{
    if (msg_writer_finish(w))
        return false;
    ssize_t n = w->len ? send(fd, w->data, w->len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    w->len -= (size_t)n;
    if (w->len)
        memmove(w->data, w->data + n, w->len);
    else
        msg_writer_done(w); /* one long list does not keep its memory for ever */
    return true;
}

bool msg_receive_some(struct msg_parser *p, int fd, msg_taken_fn *taken, void *arg)
{
    uint8_t bytes[16384];
    ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    struct msg msg;
    size_t used;

    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    for (size_t at = 0; at < (size_t)n; at += used) {
        enum msg_fed fed = msg_parser_feed(p, bytes + at, (size_t)n - at, &used, &msg);
        if (fed == MSG_FED_MORE)
            return true;
        if (fed != MSG_FED_MESSAGE || !taken(arg, &msg))
            return false;
    }
    return true;
}
