/* SPDX-License-Identifier: Apache-2.0
 *
 * words.c - see words.h.
 */
#include "tests/shim/words.h"

const char *lookup_action_name(enum lookup_action action)
{
    switch (action) {
    case LOOKUP_PASS:
        return "pass";
    case LOOKUP_ANSWER:
        return "answer";
    case LOOKUP_VERIFY:
        return "verify";
    case LOOKUP_NONAME:
        return "noname";
    case LOOKUP_ACTION_COUNT:
        break;
    }
    return "invalid";
}

const char *finding_kind_name(enum finding_kind kind)
{
    switch (kind) {
    case FINDING_ELSEWHERE:
        return "elsewhere";
    case FINDING_FOREIGN:
        return "foreign";
    case FINDING_RIGHT:
        return "right";
    case FINDING_WRONG:
        return "wrong";
    case FINDING_NO_WRITER:
        return "no_writer";
    case FINDING_NO_FAMILY:
        return "no_family";
    case FINDING_KIND_COUNT:
        break;
    }
    return "invalid";
}

const char *redirect_action_name(enum redirect_action action)
{
    switch (action) {
    case REDIRECT_PASS:
        return "pass";
    case REDIRECT_SHARED:
        return "shared";
    case REDIRECT_OBSERVED:
        return "observed";
    case REDIRECT_GO:
        return "go";
    case REDIRECT_WAIT:
        return "wait";
    case REDIRECT_REFUSE:
        return "refuse";
    case REDIRECT_ACTION_COUNT:
        break;
    }
    return "invalid";
}
