/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.c - the key `connection`: libpq's keywords and values, read without libpq.
 *
 * The agent chooses the server, the credentials and what it asks; a keyword that would choose for
 * it is refused here, where it can still be pointed at.
 */
#include "config.h"

#include <string.h>

#include "agent/conf/check.h"
#include "agent/conf/value.h"

static const struct {
    const char *keyword;
    const char *advice;
} conf_connection_forbidden[] = {
    {"host", "servers are listed under members"},
    {"hostaddr", "servers are listed under members"},
    {"port", "ports are given with the members"},
    {"password", "put it into a file and name that in password_file"},
    {"passfile", "name a file with only the password in password_file"},
    {"service", "write its settings here"},
    {"options", "the agent sets what its sessions need"},
    {"target_session_attrs", "the agent asks each member itself"},
};

/* Keywords whose values are not for other people's eyes. */
static const char *const conf_connection_secrets[] = {"sslpassword", "oauth_client_secret"};

static bool connection_is(const struct conf_keyword *keyword, const char *name)
{
    return keyword->len == strlen(name) && memcmp(keyword->at, name, keyword->len) == 0;
}

/* Where `at`, inside the node's text, stands in the file; the node's begin if that is not known. */
static struct conf_at connection_at(const struct conf_node *node, const char *at)
{
    if (node->text_column == 0)
        return node->at;
    struct conf_at place = {node->at.line, node->text_column};
    for (const char *byte = node->text; byte < at; byte++)
        place.column += ((unsigned char)*byte & 0xc0) != 0x80;
    return place;
}

static void connection_check_one(const struct conf_node *node, const struct conf_keyword *keyword,
                                 struct conf_errors *errors)
{
    struct conf_at at = connection_at(node, keyword->at);
    for (size_t i = 0; i < sizeof(conf_connection_forbidden) / sizeof(conf_connection_forbidden[0]);
         i++)
        if (connection_is(keyword, conf_connection_forbidden[i].keyword))
            conf_errors_add(errors, at, "'%s' may not be in connection; %s",
                            conf_connection_forbidden[i].keyword,
                            conf_connection_forbidden[i].advice);
    /* libpq takes a dbname with '=' for a whole connection string, host and all. */
    if (connection_is(keyword, "dbname") && (memchr(keyword->value, '=', keyword->value_len) ||
                                             memmem(keyword->value, keyword->value_len, "://", 3)))
        conf_errors_add(errors, at, "dbname may not be a connection string; write only the name");
}

void conf_connection_check(const struct conf_node *node, struct conf_errors *errors)
{
    struct conf_keyword keyword;
    if (strncmp(node->text, "postgres://", 11) == 0 ||
        strncmp(node->text, "postgresql://", 13) == 0) {
        conf_errors_add(errors, node->at,
                        "connection is a URI; write libpq's keywords, as in \"user=homing "
                        "dbname=postgres\"");
        return;
    }
    for (const char *at = node->text;; at = keyword.next) {
        const char *wrong = conf_value_keyword(at, &keyword);
        if (wrong) {
            /* Without its text: it may be half a secret. */
            conf_errors_add(errors, connection_at(node, keyword.at), "connection %s", wrong);
            return;
        }
        if (keyword.len == 0)
            return;
        connection_check_one(node, &keyword, errors);
    }
}

static bool connection_is_secret(const struct conf_keyword *keyword)
{
    for (size_t i = 0; i < sizeof(conf_connection_secrets) / sizeof(conf_connection_secrets[0]);
         i++)
        if (connection_is(keyword, conf_connection_secrets[i]))
            return true;
    return false;
}

void conf_connection_print(const char *connection, void (*put)(char byte, FILE *out), FILE *out)
{
    struct conf_keyword keyword;
    const char *printed = connection;
    while (!conf_value_keyword(printed, &keyword) && keyword.len != 0) {
        const char *until = connection_is_secret(&keyword) ? keyword.value : keyword.next;
        for (; printed < until; printed++)
            put(*printed, out);
        for (const char *star = until != keyword.next ? "***" : ""; *star != '\0'; star++)
            put(*star, out);
        printed = keyword.next;
    }
    for (; *printed != '\0'; printed++)
        put(*printed, out);
}
