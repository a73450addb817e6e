/* SPDX-License-Identifier: Apache-2.0
 *
 * label.h - how a server is called in findings.
 */
#ifndef HOMING_AGENT_DOCTOR_LABEL_H
#define HOMING_AGENT_DOCTOR_LABEL_H

#include "agent/doctor/seen.h"

#define LABEL_SIZE (HOMING_NAME_MAX + 80)

/* "db1.example.com:5432", as in members; "seed " before a seed, "named " before who is named by others. */
void label_server(const struct seen_server *server, char ret[LABEL_SIZE]);

/* The same " at 10.0.0.1", if the host is a name. */
void label_visit(const struct seen_server *server, const struct seen_visit *visit,
                 char ret[LABEL_SIZE]);

/* The addresses of a name, in a row. */
void label_addresses(const struct seen_name *name, char *ret, size_t size);

#endif
