/* SPDX-License-Identifier: Apache-2.0
 *
 * conductor.h - what the parts of the conductor share: the servers, the view and the switches, and the
 * orders to homing-sever.
 */
#ifndef HOMING_TESTS_LIVE_WALK_CONDUCTOR_H
#define HOMING_TESTS_LIVE_WALK_CONDUCTOR_H

#include "tests/live/walk/walk.h"

struct cluster {
    uint64_t due_ms;
    bool back;        /* the next switch goes back */
    bool without;     /* nobody is the writer until then */
    uint8_t home;     /* where the member with two addresses is */
    bool moved;       /* it was at both */
    uint32_t settled; /* of the switches up to this one the order is over */
    uint8_t writer, was_writer;
    bool once_writer[WALK_MEMBERS];
};

extern struct walk *walk;
extern struct cluster clusters[WALK_CLUSTERS];

_Noreturn void die(const char *what);
uint32_t roll(uint32_t sides);
void address_text(int family, int cluster, int member, char ret_text[48]);
uint64_t endpoint_id(int cluster, int endpoint);
/* No two endpoints count alike. */
uint64_t generation(int endpoint, uint32_t number);

/* A child accepts and holds whatever connects. */
void servers_start(void);

/* Connects to homing-sever. After orders_lost(), all that has not been replied to is ordered again. */
void orders_dial(const char *path);
/* It ends: what is ordered from now on waits for the next one. */
void orders_lost(void);
/* To be polled; -1: there is none. */
int orders_fd(void);
void orders_hear(void);
bool orders_all_settled(void);
void orders_send(int cluster, uint32_t number);
/* Of all switches of the cluster up to this one. */
void orders_cancel(int cluster, uint32_t number);

#endif
