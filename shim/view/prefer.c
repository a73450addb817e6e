/* SPDX-License-Identifier: Apache-2.0
 *
 * prefer.c - see prefer.h.
 */
#include "shim/view/prefer.h"

/* glibc's tables of labels and precedences in one, for what gai.conf does not set. The first that
 * fits counts. */
static const struct prefer_rule {
    uint8_t prefix[16];
    uint8_t bits, precedence, label;
} prefer_rules[] = {
    {{[15] = 1}, 128, 50, 0},         /* ::1 */
    {{[10] = 0xff, 0xff}, 96, 10, 4}, /* IPv4 */
    {{0}, 96, 20, 3},                 /* IPv4 of old, ::a.b.c.d */
    {{0x20, 0x01, 0, 0}, 32, 40, 7},  /* Teredo */
    {{0x20, 0x02}, 16, 30, 2},        /* 6to4 */
    {{0xfe, 0xc0}, 10, 40, 5},        /* of a site, as was */
    {{0xfc}, 7, 40, 6},               /* unique local */
    {{0}, 0, 40, 1},
};

static bool prefer_fits(const struct prefer_rule *rule, const uint8_t *address)
{
    unsigned whole = rule->bits / 8, rest = rule->bits % 8;

    for (unsigned i = 0; i < whole; i++)
        if (address[i] != rule->prefix[i])
            return false;
    return rest == 0 || (address[whole] ^ rule->prefix[whole]) >> (8 - rest) == 0;
}

static const struct prefer_rule *prefer_rule(const uint8_t *address)
{
    const struct prefer_rule *rule = prefer_rules;

    while (!prefer_fits(rule, address)) /* the last one fits any */
        rule++;
    return rule;
}

enum prefer_scope {
    PREFER_LINK,
    PREFER_SITE,
    PREFER_GLOBAL
};

static enum prefer_scope prefer_scope4(const uint8_t *bytes)
{
    bool link = bytes[0] == 127 || (bytes[0] == 169 && bytes[1] == 254);

    return link ? PREFER_LINK : PREFER_GLOBAL;
}

static enum prefer_scope prefer_scope6(const uint8_t *address)
{
    unsigned begin = address[0] << 8 | (address[1] & 0xc0);

    if (begin == 0xfe80 || prefer_rule(address) == &prefer_rules[0])
        return PREFER_LINK;
    return begin == 0xfec0 ? PREFER_SITE : PREFER_GLOBAL;
}

/* The places of a way's addresses in a struct gaiconf. */
enum prefer_at {
    PREFER_FOUR_TO,
    PREFER_FOUR_FROM,
    PREFER_SIX_TO,
    PREFER_SIX_FROM
};

void prefer_conf(const struct prefer_way *four, const struct prefer_way *six,
                 struct gaiconf *ret_conf)
{
    const uint8_t *const addresses[GAICONF_ADDRESSES] = {
        [PREFER_FOUR_TO] = four->to,
        [PREFER_FOUR_FROM] = four->from,
        [PREFER_SIX_TO] = six->to,
        [PREFER_SIX_FROM] = six->from,
    };

    gaiconf_init(ret_conf, addresses);
}

static uint32_t prefer_label(const struct gaiconf *conf, enum prefer_at at)
{
    if (conf->kinds[GAICONF_LABEL].given)
        return conf->kinds[GAICONF_LABEL].value[at];
    return prefer_rule(conf->addresses[at])->label;
}

static uint32_t prefer_precedence(const struct gaiconf *conf, enum prefer_at at)
{
    if (conf->kinds[GAICONF_PRECEDENCE].given)
        return conf->kinds[GAICONF_PRECEDENCE].value[at];
    return prefer_rule(conf->addresses[at])->precedence;
}

bool prefer_six(const struct prefer_way *four, const struct prefer_way *six,
                const struct gaiconf *conf)
{
    bool scope4 = prefer_scope4(four->to + 12) == prefer_scope4(four->from + 12);
    bool scope6 = prefer_scope6(six->to) == prefer_scope6(six->from);
    bool label4 = prefer_label(conf, PREFER_FOUR_TO) == prefer_label(conf, PREFER_FOUR_FROM);
    bool label6 = prefer_label(conf, PREFER_SIX_TO) == prefer_label(conf, PREFER_SIX_FROM);
    uint32_t precedence4 = prefer_precedence(conf, PREFER_FOUR_TO);
    uint32_t precedence6 = prefer_precedence(conf, PREFER_SIX_TO);

    if (scope4 != scope6)
        return scope6;
    if (label4 != label6)
        return label6;
    if (precedence4 != precedence6)
        return precedence6 > precedence4;
    return prefer_scope6(six->to) < prefer_scope4(four->to + 12);
}
