/* SPDX-License-Identifier: Apache-2.0
 *
 * extension.c - a plug-in that uses the client library deepbind.c. process.py opens it with
 * RTLD_DEEPBIND.
 */
unsigned deepbind_lookup(const char *name);
unsigned extension_lookup(const char *name);
unsigned extension_lookup(const char *name)
{
    return deepbind_lookup(name);
}
