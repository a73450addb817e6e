/* SPDX-License-Identifier: Apache-2.0
 *
 * plain_conf.c - the two things that probe asks of a configuration, for programs that have none.
 *
 * Every address is allowed unless the test says otherwise; the password file is read as it is.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/conf.h"

int conf_password(const struct conf_cluster *cluster, char **ret_password)
{
    char *line = NULL;
    size_t size = 0;
    if (cluster->password_file == NULL) {
        *ret_password = NULL;
        return 0;
    }
    FILE *file = fopen(cluster->password_file, "re");
    if (file == NULL)
        return -errno;
    ssize_t length = getline(&line, &size, file);
    fclose(file);
    if (length < 0) {
        free(line);
        return -ENODATA;
    }
    line[strcspn(line, "\n")] = '\0';
    *ret_password = line;
    return 0;
}

bool conf_address_allowed(const struct conf_cluster *cluster, uint8_t family, const uint8_t *bytes)
{
    if (cluster->allowed_network_count == 0)
        return true;
    for (uint32_t i = 0; i < cluster->allowed_network_count; i++) {
        const struct conf_network *n = &cluster->allowed_networks[i];
        if (n->family == family && memcmp(n->bytes, bytes, n->bits / 8) == 0)
            return true;
    }
    return false;
}
