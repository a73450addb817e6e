/* SPDX-License-Identifier: Apache-2.0
 *
 * rds_mysql_kind.c - what a Multi-AZ DB cluster of RDS with MySQL is: see conf/engine_kind.h.
 */
#include "config.h"

#include "agent/probe/engines/mysql/family/advice.h"
#include "agent/probe/engines/mysql/family/connection.h"
#include "agent/probe/engines/mysql/mysql_kind.h"
#include "agent/probe/engines/mysql/rds_mysql_kind.h"

const struct engine_kind engine_kind_rds_mysql = {
    .name = "rds-mysql",
    .default_port = 3306,
    .tells = ENGINE_TELLS_HOSTS,
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
    .lag_unit = "transactions",
    .lag_in_transactions = true,
    .branch = "position when it took over",
};
