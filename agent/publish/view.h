/* SPDX-License-Identifier: Apache-2.0
 *
 * view.h - publishes verdicts as shared memory: a sealed memfd that every attached process maps.
 *
 * Called by daemon/publish.c and daemon/reload.c. It is sealed SHRINK|GROW|FUTURE_WRITE|SEAL: the
 * agent keeps writing, and no client can. If the table is full, they make a new view, and retire
 * the old one (V4).
 */
#ifndef HOMING_AGENT_PUBLISH_VIEW_H
#define HOMING_AGENT_PUBLISH_VIEW_H

#include "proto/view_write.h"

struct view;

/* An empty view with room for so many names, clusters and members in all. NULL with errno. */
struct view *view_new(uint32_t names, uint32_t clusters, uint32_t members);
/* Retires it (V4) and closes the descriptor. */
void view_free(struct view *view);

/* The descriptor to hand over, which stays the view's. Instance and size are for the attach
 * reply. */
int view_fd(const struct view *view);
uint64_t view_instance(const struct view *view);
uint64_t view_bytes(const struct view *view);

/* The writing end, for view_write_*(). */
struct view_writer *view_writer(struct view *view);

#endif
