/* SPDX-License-Identifier: Apache-2.0
 *
 * tls.c - TLS in memory against a server in memory: what is accepted, what is refused, and with which
 * words; peers that dribble, stall, lie and flood.
 */
#include "config.h"

#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/tls/tls.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/support/tls_peer.h"

static char folder_path[FOLDER_SIZE];
static char paths[8][64];
static struct tls_context *context;
static struct tls *tls;
static struct tls_peer peer;

static const char *file(const char *name, const char *kind)
{
    static int turn;
    char *path = paths[turn++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s.%s", folder_path, name, kind);
    return path;
}

static const struct tls_peer_certificate certificates[] = {
    {.name = "ca"},
    {.name = "other-ca"},
    {.name = "db",
     .issuer = "ca",
     .names = "DNS:db1.example.com,DNS:*.wild.example.com,IP:10.0.0.1,IP:2001:db8::1"},
    {.name = "old",
     .issuer = "ca",
     .names = "DNS:db1.example.com",
     .from_s = -7200,
     .until_s = -60},
    {.name = "new",
     .issuer = "ca",
     .names = "DNS:db1.example.com",
     .from_s = 1800,
     .until_s = 3600},
    {.name = "common", .issuer = "ca", .common = "db1.example.com"},
    {.name = "us", .issuer = "ca"},
    {.name = "stranger", .issuer = "other-ca"},
};

static int group_setup(void **state)
{
    (void)state;
    folder_make(folder_path);
    for (size_t i = 0; i < sizeof(certificates) / sizeof(certificates[0]); i++)
        tls_peer_certify(folder_path, &certificates[i]);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    folder_remove(folder_path);
    return 0;
}

/* A connection to `host`, and a server with this certificate. */
static void begin_with(const struct tls_settings *settings, const char *host, const char *name,
                       const char *wanted_ca, int version)
{
    char error[TLS_ERROR_SIZE] = "";

    context = tls_context_ref(settings, error);
    assert_string_equal(context ? "" : error, "");
    tls = tls_new(context, host);
    assert_non_null(tls);
    tls_peer_init(&peer, folder_path, name, wanted_ca, version);
}

static void begin(enum tls_mode mode, const char *host, const char *name)
{
    const struct tls_settings settings = {.mode = mode,
                                          .ca = mode == TLS_VERIFY_FULL ? file("ca", "pem") : NULL};
    begin_with(&settings, host, name, NULL, 0);
}

static void finish(void)
{
    tls_free(tls);
    tls_context_unref(context);
    tls_peer_done(&peer);
    tls = NULL;
    context = NULL;
}

/* Moves bytes, at most `step` at a time, until neither side has more. */
static void exchange(size_t step)
{
    uint8_t bytes[16384];

    for (bool more = true; more;) {
        size_t n = tls_take(tls, bytes, step);
        tls_peer_feed(&peer, bytes, n);
        size_t back = tls_peer_take(&peer, bytes, step);
        assert_int_equal(tls_feed(tls, bytes, back), 0);
        more = n + back > 0;
    }
}

static void assert_failed(const char *text)
{
    assert_int_equal(tls_state(tls), TLS_FAILED);
    if (!strstr(tls_error(tls), text))
        fail_msg("'%s' does not say '%s'", tls_error(tls), text);
    assert_null(strchr(tls_error(tls), '\n'));
}

static void hear_each_other(size_t step)
{
    char heard[32] = "";

    assert_true(tls_write(tls, "question", 8));
    exchange(step);
    assert_int_equal(SSL_read(peer.ssl, heard, sizeof(heard)), 8);
    assert_string_equal(heard, "question");
    assert_int_equal(SSL_write(peer.ssl, "answer", 6), 6);
    exchange(step);
    assert_int_equal(tls_read(tls, heard, sizeof(heard)), 6);
    assert_memory_equal(heard, "answer", 6);
    assert_int_equal(tls_read(tls, heard, sizeof(heard)), 0);
    assert_int_equal(tls_state(tls), TLS_OPEN);
}

/* Whom we talk to. */

static void a_proved_name_is_taken_whole_or_byte_by_byte(void **state)
{
    static const size_t steps[] = {16384, 1, 5};
    static const int versions[] = {0, TLS1_2_VERSION};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        const struct tls_settings settings = {.mode = TLS_VERIFY_FULL, .ca = file("ca", "pem")};
        begin_with(&settings, "db1.example.com", "db", NULL, versions[i % 2]);
        exchange(steps[i / 2]);
        assert_int_equal(tls_state(tls), TLS_OPEN);
        assert_string_equal(tls_error(tls), "");
        hear_each_other(steps[i / 2]);
        finish();
    }
}

static bool is_taken(const char *host, const char *name)
{
    begin(TLS_VERIFY_FULL, host, name);
    exchange(16384);
    bool taken = tls_state(tls) == TLS_OPEN;
    if (!taken)
        assert_failed("the server's certificate is for ");
    finish();
    return taken;
}

static void a_name_is_the_configured_one_and_an_address_needs_one_in_the_certificate(void **state)
{
    (void)state;
    assert_true(is_taken("DB1.example.com.", "db"));
    assert_true(is_taken("a.wild.example.com", "db"));
    assert_true(is_taken("10.0.0.1", "db"));
    assert_true(is_taken("2001:DB8:0::1", "db"));
    assert_true(is_taken("db1.example.com", "common"));
    assert_false(is_taken("db2.example.com", "db"));
    assert_false(is_taken("a.b.wild.example.com", "db"));
    assert_false(is_taken("wild.example.com", "db"));
    assert_false(is_taken("example.com", "db"));
    assert_false(is_taken("10.0.0.2", "db"));
    assert_false(is_taken("10.0.0.1.example.com", "db"));
    assert_false(is_taken("db", "db")); /* a common name beside other names */
}

static void a_wrong_name_is_told_with_the_names_that_are_there(void **state)
{
    (void)state;
    begin(TLS_VERIFY_FULL, "db2.example.com", "db");
    exchange(16384);
    assert_failed("for db1.example.com, *.wild.example.com, not for db2.example.com");
    finish();
}

static void a_certificate_of_another_ca_is_refused(void **state)
{
    const struct tls_settings settings = {.mode = TLS_VERIFY_FULL, .ca = file("other-ca", "pem")};
    (void)state;
    begin_with(&settings, "db1.example.com", "db", NULL, 0);
    exchange(16384);
    assert_failed("the CA of the server's certificate is not in ");
    finish();
    begin(TLS_VERIFY_FULL, "ca", "ca"); /* a CA's own, as if it were a server's: it is known */
    exchange(16384);
    assert_int_equal(tls_state(tls), TLS_OPEN);
    finish();
}

static void the_systems_list_does_not_have_a_ca_of_ours(void **state)
{
    static const struct tls_settings settings = {.mode = TLS_VERIFY_FULL};
    (void)state;
    begin_with(&settings, "db1.example.com", "db", NULL, 0);
    exchange(16384);
    assert_failed("is not in the system's list: name its file in tls_ca");
    finish();
}

static void a_certificate_has_its_time(void **state)
{
    (void)state;
    begin(TLS_VERIFY_FULL, "db1.example.com", "old");
    exchange(16384);
    assert_failed("has expired: renew it");
    finish();
    begin(TLS_VERIFY_FULL, "db1.example.com", "new");
    exchange(16384);
    assert_failed("is not valid yet: compare the clocks");
    finish();
}

static void require_takes_any_certificate(void **state)
{
    static const char *const names[] = {"old", "new", "stranger", "other-ca"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        begin(TLS_REQUIRE, "db1.example.com", names[i]);
        exchange(16384);
        assert_int_equal(tls_state(tls), TLS_OPEN);
        hear_each_other(16384);
        finish();
    }
}

static void when_the_peers_certificate_expires_can_be_asked(void **state)
{
    (void)state;
    begin(TLS_REQUIRE, "db1.example.com", "db");
    assert_int_equal(tls_peer_expires(tls), 0);
    exchange(16384);
    assert_in_range(tls_peer_expires(tls), time(NULL) + 1800, time(NULL) + 3600);
    finish();
}

static void a_name_is_sent_ahead_and_an_address_is_not(void **state)
{
    (void)state;
    begin(TLS_REQUIRE, "db1.example.com.", "db");
    exchange(16384);
    assert_string_equal(SSL_get_servername(peer.ssl, TLSEXT_NAMETYPE_host_name), "db1.example.com");
    finish();
    begin(TLS_REQUIRE, "10.0.0.1", "db");
    exchange(16384);
    assert_null(SSL_get_servername(peer.ssl, TLSEXT_NAMETYPE_host_name));
    finish();
}

/* Who we are. */

static void a_server_that_wants_our_certificate_gets_it(void **state)
{
    const struct tls_settings settings = {.mode = TLS_VERIFY_FULL,
                                          .ca = file("ca", "pem"),
                                          .cert = file("us", "pem"),
                                          .key = file("us", "key")};
    (void)state;
    begin_with(&settings, "db1.example.com", "db", "ca", 0);
    exchange(16384);
    hear_each_other(16384);
    finish();
}

static void a_server_that_wants_a_certificate_of_ours_and_gets_none_says_so(void **state)
{
    static const struct {
        int version;
        const char *text;
    } cases[] = {{0, "wants a certificate of ours: name it in tls_cert"},
                 {TLS1_2_VERSION, "wants a certificate of ours (tls_cert)"}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct tls_settings settings = {.mode = TLS_REQUIRE};
        uint8_t bytes[16];
        begin_with(&settings, "db1.example.com", "db", "ca", cases[i].version);
        exchange(16384);
        (void)tls_read(tls, bytes, sizeof(bytes)); /* in TLS 1.3 it is said after the handshake */
        assert_failed(cases[i].text);
        finish();
    }
}

static void a_certificate_of_ours_that_is_not_taken_is_told_so(void **state)
{
    const struct tls_settings settings = {
        .mode = TLS_REQUIRE, .cert = file("stranger", "pem"), .key = file("stranger", "key")};
    uint8_t bytes[16];
    (void)state;
    begin_with(&settings, "db1.example.com", "db", "ca", 0);
    exchange(16384);
    (void)tls_read(tls, bytes, sizeof(bytes));
    assert_failed("does not take our certificate (tls_cert)");
    finish();
}

/* Peers that are none. */

static void what_speaks_no_tls_is_told_so(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 400 Bad Request\r\n\r\n",
                                          "\x31\0\0\2\xff\x15\4#08S01Bad handshake", "\0", "E"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        begin(TLS_REQUIRE, "db1.example.com", "db");
        assert_int_equal(tls_feed(tls, answers[i], strlen(answers[i]) + 1), 0);
        assert_failed("answers in clear where TLS begins");
        assert_int_equal(tls_feed(tls, "more", 4), 0);
        assert_int_equal(tls_read(tls, (char[4]){0}, 4), 0);
        assert_false(tls_write(tls, "x", 1));
        finish();
    }
}

static void an_old_version_is_refused(void **state)
{
    const struct tls_settings settings = {.mode = TLS_REQUIRE};
    (void)state;
    begin_with(&settings, "db1.example.com", "db", NULL, TLS1_1_VERSION);
    exchange(16384);
    assert_failed("no TLS of version 1.2 or later");
    finish();
}

static void a_peer_that_stalls_is_waited_for_by_others(void **state)
{
    uint8_t bytes[16384];
    (void)state;
    begin(TLS_REQUIRE, "db1.example.com", "db");
    assert_true(tls_has_more(tls));
    size_t n = tls_take(tls, bytes, sizeof(bytes));
    tls_peer_feed(&peer, bytes, n);
    n = tls_peer_take(&peer, bytes, 100);
    assert_int_equal(tls_feed(tls, bytes, n), 0);
    assert_int_equal(tls_state(tls), TLS_HANDSHAKE);
    assert_false(tls_has_more(tls));
    assert_int_equal(tls_read(tls, bytes, sizeof(bytes)), 0);
    assert_false(tls_write(tls, "x", 1));
    finish();
}

static void a_changed_byte_ends_the_connection(void **state)
{
    uint8_t bytes[256];
    (void)state;
    begin(TLS_REQUIRE, "db1.example.com", "db");
    exchange(16384);
    assert_int_equal(SSL_write(peer.ssl, "answer", 6), 6);
    size_t n = tls_peer_take(&peer, bytes, sizeof(bytes));
    bytes[n - 1] ^= 1;
    assert_int_equal(tls_feed(tls, bytes, n), 0);
    assert_int_equal(tls_read(tls, bytes, sizeof(bytes)), 0);
    assert_failed("TLS with the server failed: ");
    finish();
}

static void a_peer_that_says_goodbye_is_closed(void **state)
{
    uint8_t bytes[16];
    (void)state;
    begin(TLS_REQUIRE, "db1.example.com", "db");
    exchange(16384);
    SSL_shutdown(peer.ssl);
    exchange(16384);
    assert_int_equal(tls_read(tls, bytes, sizeof(bytes)), 0);
    assert_int_equal(tls_state(tls), TLS_CLOSED);
    assert_int_equal(tls_feed(tls, "x", 1), 0);
    finish();
}

static void what_is_not_read_is_not_kept_without_end(void **state)
{
    static uint8_t zeros[16384], bytes[32768];
    int rv = 0;
    (void)state;
    begin(TLS_REQUIRE, "db1.example.com", "db");
    exchange(16384);
    for (int i = 0; i < 100 && rv == 0; i++) {
        assert_int_equal(SSL_write(peer.ssl, zeros, sizeof(zeros)), sizeof(zeros));
        rv = tls_feed(tls, bytes, tls_peer_take(&peer, bytes, sizeof(bytes)));
    }
    assert_int_equal(rv, -ENOBUFS);
    for (size_t n; (n = tls_read(tls, bytes, sizeof(bytes))) > 0;)
        assert_int_equal(bytes[n - 1], 0);
    assert_int_equal(tls_state(tls), TLS_OPEN);
    finish();
}

static void a_peer_that_asks_for_answers_and_reads_none_is_cut_off(void **state)
{
    uint8_t bytes[4096];
    (void)state;
    begin(TLS_REQUIRE, "db1.example.com", "db");
    exchange(16384);
    for (int i = 0; i < 100000 && tls_state(tls) == TLS_OPEN; i++) {
        SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED);
        assert_int_equal(SSL_write(peer.ssl, "x", 1), 1);
        assert_int_equal(tls_feed(tls, bytes, tls_peer_take(&peer, bytes, sizeof(bytes))), 0);
        (void)tls_read(tls, bytes, 1);
    }
    assert_failed("asks for answers and reads none");
    finish();
}

/* What is offered; SSL_get1_groups() has groups without a name from 0x1000000 on. */
static void assert_no_prime_of_the_servers(void)
{
    const STACK_OF(SSL_CIPHER) *ciphers = SSL_get_client_ciphers(peer.ssl);
    int groups[64], count = (int)SSL_get1_groups(peer.ssl, NULL);

    assert_in_range(sk_SSL_CIPHER_num(ciphers), 3, 100);
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++)
        assert_int_not_equal(SSL_CIPHER_get_kx_nid(sk_SSL_CIPHER_value(ciphers, i)), NID_kx_dhe);
    assert_in_range(count, 3, 64);
    SSL_get1_groups(peer.ssl, groups);
    for (int i = 0; i < count; i++)
        assert_false(groups[i] >= NID_ffdhe2048 && groups[i] <= NID_ffdhe8192);
}

static void no_server_makes_us_reckon_with_a_prime_of_its_choice(void **state)
{
    static const int versions[] = {0, TLS1_2_VERSION};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct tls_settings settings = {.mode = TLS_REQUIRE};
        begin_with(&settings, "db1.example.com", "db", NULL, versions[i]);
        exchange(16384);
        assert_int_equal(tls_state(tls), TLS_OPEN);
        assert_no_prime_of_the_servers();
        finish();
    }
}

/* Settings and contexts. */

static void modes_have_names(void **state)
{
    enum tls_mode mode = TLS_OFF;
    (void)state;
    assert_true(tls_mode_find("verify-full", 11, &mode));
    assert_int_equal(mode, TLS_VERIFY_FULL);
    assert_false(tls_mode_find("verify-ful", 10, &mode));
    assert_false(tls_mode_find("prefer", 6, &mode));
    assert_string_equal(tls_mode_name(TLS_REQUIRE), "require");
    assert_null(tls_mode_check("off", 3));
    assert_non_null(tls_mode_check("", 0));
}

static void settings_that_do_not_fit_together_are_told(void **state)
{
    (void)state;
    assert_null(tls_settings_check(&(struct tls_settings){.mode = TLS_REQUIRE, .cert = "c"}));
    assert_null(tls_settings_check(&(struct tls_settings){.mode = TLS_OFF}));
    assert_non_null(tls_settings_check(&(struct tls_settings){.mode = TLS_OFF, .ca = "a"}));
    assert_non_null(tls_settings_check(&(struct tls_settings){.mode = TLS_REQUIRE, .ca = "a"}));
    assert_non_null(tls_settings_check(&(struct tls_settings){.mode = TLS_REQUIRE, .key = "k"}));
}

static void assert_no_context(const struct tls_settings *settings, const char *text)
{
    char error[TLS_ERROR_SIZE] = "";

    assert_null(tls_context_ref(settings, error));
    if (!strstr(error, text))
        fail_msg("'%s' does not say '%s'", error, text);
}

static void a_file_that_cannot_be_used_is_told_by_name(void **state)
{
    (void)state;
    assert_no_context(&(struct tls_settings){.mode = TLS_VERIFY_FULL, .ca = "/nowhere"},
                      "tls_ca /nowhere cannot be read: No such file");
    assert_no_context(&(struct tls_settings){.mode = TLS_VERIFY_FULL, .ca = file("ca", "key")},
                      "ca.key holds no CA certificate");
    assert_no_context(&(struct tls_settings){.mode = TLS_REQUIRE, .cert = file("us", "key")},
                      "us.key holds no certificate");
    assert_no_context(&(struct tls_settings){.mode = TLS_REQUIRE, .cert = file("us", "pem")},
                      "us.pem holds no key that fits");
    assert_no_context(&(struct tls_settings){.mode = TLS_REQUIRE,
                                             .cert = file("us", "pem"),
                                             .key = file("stranger", "key")},
                      "tls_key ");
}

static void a_passphrase_is_not_asked_for(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *to = fopen(file("locked", "key"), "w");
    (void)state;
    assert_int_equal(
        PEM_write_PrivateKey(to, key, EVP_aes_128_cbc(), (const unsigned char *)"p", 1, NULL, NULL),
        1);
    fclose(to);
    EVP_PKEY_free(key);
    assert_no_context(&(struct tls_settings){.mode = TLS_REQUIRE,
                                             .cert = file("us", "pem"),
                                             .key = file("locked", "key")},
                      "and has no passphrase");
}

static void connections_share_a_context_until_a_file_is_replaced(void **state)
{
    static const struct tls_peer_certificate again = {.name = "renewed", .issuer = "ca"};
    char error[TLS_ERROR_SIZE];
    (void)state;
    tls_peer_certify(folder_path, &again);
    const struct tls_settings settings = {
        .mode = TLS_REQUIRE, .cert = file("renewed", "pem"), .key = file("renewed", "key")};
    const struct tls_settings other = {.mode = TLS_REQUIRE};
    struct tls_context *first = tls_context_ref(&settings, error);
    struct tls_context *second = tls_context_ref(&settings, error);
    struct tls_context *third = tls_context_ref(&other, error);
    assert_non_null(first);
    assert_ptr_equal(first, second);
    assert_ptr_not_equal(first, third);
    unlink(settings.cert);
    unlink(settings.key);
    tls_peer_certify(folder_path, &again);
    struct tls_context *fourth = tls_context_ref(&settings, error);
    assert_non_null(fourth);
    assert_ptr_not_equal(first, fourth);
    tls_context_unref(second);
    tls_context_unref(first);
    tls_context_unref(third);
    tls_context_unref(fourth);
    tls_context_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_proved_name_is_taken_whole_or_byte_by_byte),
        TEST(a_name_is_the_configured_one_and_an_address_needs_one_in_the_certificate),
        TEST(a_wrong_name_is_told_with_the_names_that_are_there),
        TEST(a_certificate_of_another_ca_is_refused),
        TEST(the_systems_list_does_not_have_a_ca_of_ours),
        TEST(a_certificate_has_its_time),
        TEST(require_takes_any_certificate),
        TEST(when_the_peers_certificate_expires_can_be_asked),
        TEST(a_name_is_sent_ahead_and_an_address_is_not),
        TEST(a_server_that_wants_our_certificate_gets_it),
        TEST(a_server_that_wants_a_certificate_of_ours_and_gets_none_says_so),
        TEST(a_certificate_of_ours_that_is_not_taken_is_told_so),
        TEST(what_speaks_no_tls_is_told_so),
        TEST(an_old_version_is_refused),
        TEST(a_peer_that_stalls_is_waited_for_by_others),
        TEST(a_changed_byte_ends_the_connection),
        TEST(a_peer_that_says_goodbye_is_closed),
        TEST(what_is_not_read_is_not_kept_without_end),
        TEST(a_peer_that_asks_for_answers_and_reads_none_is_cut_off),
        TEST(no_server_makes_us_reckon_with_a_prime_of_its_choice),
        TEST(modes_have_names),
        TEST(settings_that_do_not_fit_together_are_told),
        TEST(a_file_that_cannot_be_used_is_told_by_name),
        TEST(a_passphrase_is_not_asked_for),
        TEST(connections_share_a_context_until_a_file_is_replaced),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
