/* SPDX-License-Identifier: Apache-2.0
 *
 * patient.h - makes and frees what was seen of a cluster, and finds what is to be done next.
 */
#ifndef HOMING_AGENT_DOCTOR_PATIENT_H
#define HOMING_AGENT_DOCTOR_PATIENT_H

#include "agent/doctor/seen.h"

/* Nothing is seen yet. NULL: out of memory. It lives no longer than `conf`. */
struct seen_cluster *patient_new(const struct conf_cluster *conf);
void patient_free(struct seen_cluster *cluster); /* NULL is allowed */

/* The addresses of each server whose name is SEEN_GOOD become its visits, as far as they are allowed. When all
 * servers have ended, those that they name, and that homing would make members, are added. */
void patient_plan(struct seen_cluster *cluster);

/* What still waits; NULL: nothing. */
struct seen_name *patient_next_name(struct seen_cluster *cluster);
struct seen_visit *patient_next_visit(struct seen_cluster *cluster,
                                      struct seen_server **ret_server);

/* Whether everything has ended. */
bool patient_is_done(const struct seen_cluster *cluster);

#endif
