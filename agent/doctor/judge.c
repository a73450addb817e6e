/* SPDX-License-Identifier: Apache-2.0
 *
 * judge.c - see judge.h. Called by doctor.c.
 */
#include "config.h"

#include "agent/doctor/judge.h"
#include "agent/doctor/judge_endpoints.h"
#include "agent/doctor/judge_server.h"
#include "agent/doctor/judge_together.h"
#include "agent/doctor/judge_told.h"

void judge_cluster(struct findings *f, const struct seen_cluster *cluster)
{
    findings_begin(f, cluster->conf->name, cluster->conf->engine->name);
    for (uint32_t i = 0; i < cluster->server_count; i++)
        judge_server(f, cluster, &cluster->servers[i]);
    judge_together(f, cluster);
    judge_told(f, cluster);
    judge_endpoints(f, cluster);
}
