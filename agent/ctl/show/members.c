/* SPDX-License-Identifier: Apache-2.0
 *
 * members.c - the table of members in `homingctl status` and explain: what each says, and what is
 * odd about it.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "agent/ctl/show/parts.h"
#include "agent/ctl/show/text.h"

/* Longer member names push their own line, not the table. */
#define MEMBER_WIDTH_MAX 40

/* Of the longest value of `key`, at least `width`. */
static int column_width(const struct msg_value *members, const char *key, int width)
{
    for (uint32_t i = 0; i < msg_array_len(members); i++) {
        const char *text = msg_get_str(msg_array_at(members, i), key);
        char clean[CLEAN_SIZE];
        int own = (int)text_clean(text ? text : "?", clean, sizeof(clean));
        if (own > width && own <= MEMBER_WIDTH_MAX)
            width = own;
    }
    return width;
}

static void padded(const struct show *show, const char *text, int width)
{
    char clean[CLEAN_SIZE];
    int own = (int)text_clean(text, clean, sizeof(clean));

    fprintf(show->out, "%s%*s", clean, own < width ? width - own : 1, "");
}

/* In bytes that read easily; in an engine's other unit as a number of these. */
static void print_lag(const struct show *show, const struct msg_value *cluster,
                      const struct msg_value *member, int width)
{
    uint64_t lag;
    const char *unit = msg_get_str(cluster, "lag_unit");
    char text[64] = "-";

    if (msg_uint(msg_get(member, "lag"), &lag) && unit && strcmp(unit, "bytes") != 0)
        snprintf(text, sizeof(text), "%" PRIu64 " %s", lag, unit);
    else if (msg_uint(msg_get(member, "lag"), &lag))
        text_size(lag, text);
    padded(show, text, width);
}

static void print_position(const struct show *show, const struct msg_value *member, int width)
{
    const char *text = msg_get_str(member, "position_text");
    uint64_t position = msg_get_uint(member, "position", 0);
    char number[24] = "-";

    if (position) /* an agent of an older version has no text */
        snprintf(number, sizeof(number), "%" PRIu64, position);
    padded(show, text ? text : number, width);
}

/* W4: it serves no readers, either. Identities are texts, nil where they are not known. */
static bool is_of_other_data(const struct msg_value *cluster, const struct msg_value *member)
{
    const char *held = msg_get_str(cluster, "identity"), *own = msg_get_str(member, "identity");

    return held && own && strcmp(held, own) != 0;
}

/* What it is to homing now, as opposed to what it says it is. */
static void remarks(const struct show *show, const struct msg_value *cluster,
                    const struct msg_value *member)
{
    const char *alias = msg_get_str(member, "alias_of");
    const char *report = msg_get_str(member, "report");
    const char *sep = "  ";
    bool writer = msg_get_bool(member, "writer", false);
    bool claims = show_is(member, "role", "writer");

#define REMARK(condition, text)                                                                    \
    if (condition) {                                                                               \
        fprintf(show->out, "%s%s", sep, text);                                                     \
        sep = ", ";                                                                                \
    }
    REMARK(writer, "published");
    REMARK(!writer && show_is(member, "member",
                              msg_get_str(cluster, "rival") ? msg_get_str(cluster, "rival") : ""),
           "rival");
    REMARK(msg_get_bool(member, "demoted", false), "demoted");
    REMARK(claims && !msg_get_bool(member, "authenticated", false), "unauthenticated");
    REMARK(is_of_other_data(cluster, member), "other data set");
    REMARK(!msg_get_bool(member, "failover", true), "failover: false");
    REMARK(show->positions && msg_get_bool(member, "heir", false), "heir");
    if (show->positions && msg_get_str(member, "follows")) {
        fprintf(show->out, "%sfollows ", sep);
        show_str(show, member, "follows", "");
        sep = ", ";
    }
    if (alias) {
        fprintf(show->out, "%ssame server as ", sep);
        show_str(show, member, "alias_of", "");
        sep = ", ";
    }
    REMARK(report && strcmp(report, "answer") != 0, report);
    REMARK(!report, "not heard yet");
#undef REMARK
}

static void words(const struct show *show, int indent, const struct msg_value *member,
                  const char *key)
{
    if (!msg_get_str(member, key))
        return;
    fprintf(show->out, "%*s", indent, "");
    show_str(show, member, key, "");
    fputc('\n', show->out);
}

/* W11: "left 10.0.0.1:5432, 3 min ago: refused". */
static void print_places(const struct show *show, const struct msg_value *member)
{
    const struct msg_value *places = msg_get(member, "places");

    for (uint32_t i = 0; i < msg_array_len(places); i++) {
        const struct msg_value *place = msg_array_at(places, i);
        bool answers = show_is(place, "report", "answer");
        fputs("      ", show->out);
        show_str(show, place, "kind", "?");
        fputc(' ', show->out);
        show_str(show, place, "place", "?");
        if (show_is(place, "kind", "left")) {
            fputs(", ", show->out);
            show_age(show, place, "left_ms", 0);
            fputs(" ago", show->out);
        }
        fputs(": ", show->out);
        show_str(show, place, answers ? "role" : "report", "not heard yet");
        fputc('\n', show->out);
        words(show, 8, place, "error");
    }
}

/* Of the columns that may be wide: names, terms that are long, lags in another unit than bytes. */
struct widths {
    int member, term, lag;
};

static struct widths widths_of(const struct msg_value *cluster, const struct msg_value *members)
{
    const char *unit = msg_get_str(cluster, "lag_unit");
    bool bytes = !unit || strcmp(unit, "bytes") == 0;

    return (struct widths){
        .member = column_width(members, "member", 6) + 2,
        .term = column_width(members, "term", 5) + 1,
        .lag = bytes ? 11 : (int)strlen(unit) + 8,
    };
}

/* Nothing if it never was. */
static void print_age(const struct show *show, const struct msg_value *map, const char *key,
                      const char *before, const char *after)
{
    if (msg_type(msg_get(map, key)) != MSG_TYPE_UINT)
        return;
    fputs(before, show->out);
    show_age(show, map, key, 0);
    fputs(after, show->out);
}

/* "discovered from db-1:5432, 3 min ago; unnamed for 20 s". */
static void print_discovered(const struct show *show, const struct msg_value *member)
{
    const struct msg_value *discovered = msg_get(member, "discovered");

    if (!msg_get_str(discovered, "from"))
        return;
    fputs("      discovered from ", show->out);
    show_str(show, discovered, "from", "?");
    print_age(show, discovered, "since_ms", ", ", " ago");
    print_age(show, discovered, "unnamed_ms", "; unnamed for ", "");
    fputc('\n', show->out);
}

static void print_member(const struct show *show, const struct msg_value *cluster,
                         const struct msg_value *member, const struct widths *width)
{
    const char *name = msg_get_str(member, "member");
    const char *role = msg_get_str(member, "role");
    const char *term = msg_get_str(member, "term");

    fputs("  ", show->out);
    padded(show, name ? name : "?", width->member);
    padded(show, role ? role : "-", 8);
    padded(show, term ? term : "-", width->term);
    if (show->positions)
        print_position(show, member, 13);
    print_lag(show, cluster, member, width->lag);
    show_age(show, member, "answered_ms", 8);
    remarks(show, cluster, member);
    fputc('\n', show->out);
    words(show, 6, member, "error");
    words(show, 6, member, "note");
    print_discovered(show, member);
    print_places(show, member);
}

void show_members(const struct show *show, const struct msg_value *cluster)
{
    const struct msg_value *members = msg_get(cluster, "members");
    struct widths width = widths_of(cluster, members);

    fprintf(show->out, "  %-*s%-8s%-*s%-*s%-*s%s\n", width.member, "MEMBER", "SAYS", width.term,
            "TERM", show->positions ? 13 : 0, show->positions ? "POSITION" : "", width.lag, "LAG",
            "AGE");
    for (uint32_t i = 0; i < msg_array_len(members); i++)
        print_member(show, cluster, msg_array_at(members, i), &width);
}
