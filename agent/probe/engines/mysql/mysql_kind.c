/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_kind.c - what MySQL and MariaDB are: see conf/engine_kind.h. Without a client.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "agent/probe/engines/mysql/family/advice.h"
#include "agent/probe/engines/mysql/family/connection.h"
#include "agent/probe/engines/mysql/mysql_kind.h"

void mysql_print_count(uint64_t position, char *ret, size_t size)
{
    snprintf(ret, size, "%" PRIu64, position == 0 ? 0 : position - 1);
}

/* A group's view as its members show it; else the count of switches. */
static void print_view(uint64_t hi, uint64_t lo, char *ret, size_t size)
{
    if (hi == 0)
        snprintf(ret, size, "%" PRIu64, lo);
    else
        snprintf(ret, size, "%" PRIu64 ":%" PRIu64, hi, lo);
}

const struct engine_kind engine_kind_mysql = {
    .name = "mysql",
    .also = "mariadb",
    .default_port = 3306,
    .client = "mysql",
    .keywords = mysql_keywords,
    .check_connection = mysql_connection_refuse,
    .check_together = mysql_connection_check,
    .alias = alias_amazon,
    .region = alias_amazon_region,
    .proof_keyword = "tls",
    .proof_value = "verify-full",
    .advice = mysql_advice,
    .grants = mysql_grants,
    .print_position = mysql_print_count,
    .print_term = print_view,
    .lag_unit = "transactions",
    .lag_in_transactions = true,
    .takes_circular = true,
    .branch = "position when it took over",
};
