/* SPDX-License-Identifier: Apache-2.0
 *
 * work.c - what a library is told in place of work that a server asks for: here, that there is no Kerberos.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "agent/base/tls/work.h"
#include "tests/support/test.h"

/* As <gssapi/gssapi.h> has them. */
struct gss_buffer {
    size_t length;
    void *value;
};
uint32_t gss_init_sec_context(uint32_t *ret_minor, void *credentials, void *context, void *name,
                              void *mechanism, uint32_t flags, uint32_t seconds, void *channel,
                              void *token, void *ret_mechanism, void *ret_token,
                              uint32_t *ret_flags, uint32_t *ret_seconds);

/* libpq sends the token to the server, whatever else it is told. */
static void who_is_refused_kerberos_has_no_token_to_send(void **state)
{
    struct gss_buffer token;
    uint32_t minor = 7;

    (void)state;
    memset(&token, 0xa5, sizeof(token));
    tls_work_begin(false);
    assert_int_not_equal(gss_init_sec_context(&minor, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL,
                                              NULL, &token, NULL, NULL),
                         0);
    assert_int_equal(minor, 0);
    assert_int_equal(token.length, 0);
    assert_null(token.value);
    assert_non_null(strstr(tls_work_end(), "the server wants Kerberos"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_refused_kerberos_has_no_token_to_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
