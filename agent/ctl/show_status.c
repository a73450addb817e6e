/* SPDX-License-Identifier: Apache-2.0
 *
 * show_status.c - `homingctl status`: what an operator needs at three in the morning. In each
 * cluster the worst comes first. Lines fit into 100 columns.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "agent/ctl/show.h"
#include "agent/ctl/text.h"

#define CLEAN_SIZE 1024
/* Longer member names push their own line, not the table. */
#define MEMBER_WIDTH_MAX 40

#define RED  "\033[1;31m"
#define BOLD "\033[1m"
#define NONE "\033[0m"

static const char *paint(const struct show *show, const char *colour)
{
    return show->colour ? colour : "";
}

void show_str(const struct show *show, const struct msg_value *map, const char *key,
              const char *otherwise)
{
    const char *text = msg_get_str(map, key);
    char clean[CLEAN_SIZE];

    text_clean(text ? text : otherwise, clean, sizeof(clean));
    fputs(clean, show->out);
}

void show_other_ports(const struct show *show, const struct msg_value *map)
{
    const struct msg_value *ports = msg_get(map, "other_ports");
    uint64_t port;

    for (uint32_t i = 0; i < msg_array_len(ports); i++)
        if (msg_uint(msg_array_at(ports, i), &port))
            fprintf(show->out, "%s%llu", i ? ", " : ", also at port ", (unsigned long long)port);
}

static bool is(const struct msg_value *map, const char *key, const char *text)
{
    const char *value = msg_get_str(map, key);

    return value && strcmp(value, text) == 0;
}

static bool is_steady(const struct msg_value *cluster)
{
    return (is(cluster, "state", "steady") || is(cluster, "state", "frozen")) &&
           msg_array_len(msg_get(cluster, "alarms")) == 0;
}

static bool is_good(const struct msg_value *cluster)
{
    return is_steady(cluster) && msg_array_len(msg_get(cluster, "warnings")) == 0;
}

/* ---- alarms ---- */

static void print_alarms(const struct show *show, const struct msg_value *alarms)
{
    for (uint32_t i = 0; i < msg_array_len(alarms); i++) {
        const struct msg_value *alarm = msg_array_at(alarms, i);
        fprintf(show->out, "  %sALARM%s ", paint(show, RED), paint(show, NONE));
        show_str(show, alarm, "alarm", "?");
        fputs(": ", show->out);
        show_str(show, alarm, "text", "");
        if (msg_get_str(alarm, "command")) {
            fprintf(show->out, "\n        to resolve: %s", paint(show, BOLD));
            show_str(show, alarm, "command", "");
            fputs(paint(show, NONE), show->out);
        }
        fputc('\n', show->out);
    }
}

static void print_warnings(const struct show *show, const struct msg_value *warnings)
{
    for (uint32_t i = 0; i < msg_array_len(warnings); i++) {
        const struct msg_value *warning = msg_array_at(warnings, i);
        fprintf(show->out, "  %sWARNING%s ", paint(show, BOLD), paint(show, NONE));
        show_str(show, warning, "warning", "?");
        fputs(": ", show->out);
        show_str(show, warning, "text", "");
        fputc('\n', show->out);
    }
}

/* ---- members ---- */

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

static void age(const struct show *show, const struct msg_value *map, const char *key, int width)
{
    uint64_t ms;
    char text[TEXT_SHORT] = "never";

    if (msg_uint(msg_get(map, key), &ms))
        text_age(ms, text);
    fprintf(show->out, "%-*s", width, text);
}

static void padded(const struct show *show, const char *text, int width)
{
    char clean[CLEAN_SIZE];
    int own = (int)text_clean(text, clean, sizeof(clean));

    fprintf(show->out, "%s%*s", clean, own < width ? width - own : 0, "");
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
    bool claims = is(member, "role", "writer");

#define REMARK(condition, text)                                                                    \
    if (condition) {                                                                               \
        fprintf(show->out, "%s%s", sep, text);                                                     \
        sep = ", ";                                                                                \
    }
    REMARK(writer, "published");
    REMARK(!writer && is(member, "member",
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
        bool answers = is(place, "report", "answer");
        fputs("      ", show->out);
        show_str(show, place, "kind", "?");
        fputc(' ', show->out);
        show_str(show, place, "place", "?");
        if (is(place, "kind", "left")) {
            fputs(", ", show->out);
            age(show, place, "left_ms", 0);
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
    age(show, map, key, 0);
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
    age(show, member, "answered_ms", 8);
    remarks(show, cluster, member);
    fputc('\n', show->out);
    words(show, 6, member, "error");
    words(show, 6, member, "note");
    print_discovered(show, member);
    print_places(show, member);
}

static void print_members(const struct show *show, const struct msg_value *cluster)
{
    const struct msg_value *members = msg_get(cluster, "members");
    struct widths width = widths_of(cluster, members);

    fprintf(show->out, "  %-*s%-8s%-*s%-*s%-*s%s\n", width.member, "MEMBER", "SAYS", width.term,
            "TERM", show->positions ? 13 : 0, show->positions ? "POSITION" : "", width.lag, "LAG",
            "AGE");
    for (uint32_t i = 0; i < msg_array_len(members); i++)
        print_member(show, cluster, msg_array_at(members, i), &width);
}

/* ---- endpoints ---- */

static void print_endpoint(const struct show *show, const struct msg_value *endpoint)
{
    const struct msg_value *names = msg_get(endpoint, "names");
    char clean[CLEAN_SIZE];

    fputs("  ", show->out);
    for (uint32_t i = 0; i < msg_array_len(names); i++) {
        const char *name = msg_str(msg_array_at(names, i));
        text_clean(name ? name : "?", clean, sizeof(clean));
        fprintf(show->out, "%s%s", i ? ", " : "", clean);
    }
    fputs(" → ", show->out);
    show_str(show, endpoint, "role", "?");
    fputs(" (mode ", show->out);
    show_str(show, endpoint, "mode", "?");
    fprintf(show->out, ", generation %llu)",
            (unsigned long long)msg_get_uint(endpoint, "generation", 0));
    show_other_ports(show, endpoint);
    fputc('\n', show->out);
}

/* ---- clusters ---- */

static void head(const struct show *show, const struct msg_value *cluster)
{
    bool good = is_steady(cluster);

    fputs(paint(show, BOLD), show->out);
    show_str(show, cluster, "cluster", "?");
    fprintf(show->out, "%s: %s", paint(show, NONE), good ? "" : paint(show, RED));
    show_str(show, cluster, "state", "?");
    fprintf(show->out, "%s, writer ", good ? "" : paint(show, NONE));
    show_str(show, cluster, "writer", "unknown");
    if (msg_get_str(cluster, "writer")) {
        fputs(" for ", show->out);
        age(show, cluster, "since_ms", 0);
        fputs(", term ", show->out);
        show_str(show, cluster, "term", "none");
        fputs(", confirmed ", show->out);
        age(show, cluster, "confirmed_ms", 0);
        fputs(" ago", show->out);
    }
    if (msg_get_bool(cluster, "frozen", false) && !is(cluster, "state", "frozen"))
        fputs(", frozen", show->out);
    if (msg_get_bool(cluster, "braked", false))
        fputs(", braked (W10)", show->out);
    if (msg_get_str(cluster, "mode")) {
        fputs(", mode by order: ", show->out);
        show_str(show, cluster, "mode", "");
    }
    fputc('\n', show->out);
}

/* Nothing while nothing was severed. */
static void print_severed(const struct show *show, const struct msg_value *cluster)
{
    uint64_t severed = msg_get_uint(cluster, "severed", 0);
    uint64_t would = msg_get_uint(cluster, "would_sever", 0);
    uint64_t failed = msg_get_uint(cluster, "not_severed", 0);
    uint64_t older = msg_get_uint(cluster, "spared_older", 0);

    if (!severed && !would && !failed && !older)
        return;
    fprintf(show->out, "  connections severed: %" PRIu64, severed);
    if (would)
        fprintf(show->out, ", would have been (observe): %" PRIu64, would);
    if (failed)
        fprintf(show->out, ", refused by the kernel: %" PRIu64, failed);
    if (older)
        fprintf(show->out, ", untagged but spared, as known before homing-sever: %" PRIu64, older);
    fputc('\n', show->out);
}

bool show_cluster(const struct show *show, const struct msg_value *cluster)
{
    const struct msg_value *endpoints = msg_get(cluster, "endpoints");

    head(show, cluster);
    if (!is(cluster, "state", "steady")) {
        fputs("  ", show->out);
        show_str(show, cluster, "reason_text", "");
        fputc('\n', show->out);
    }
    print_alarms(show, msg_get(cluster, "alarms"));
    print_warnings(show, msg_get(cluster, "warnings"));
    print_members(show, cluster);
    for (uint32_t i = 0; i < msg_array_len(endpoints); i++)
        print_endpoint(show, msg_array_at(endpoints, i));
    print_severed(show, cluster);
    return is_good(cluster);
}

/* Whether a writer's endpoint of it is in mode sever. */
static bool wants_severing(const struct msg_value *cluster)
{
    const struct msg_value *endpoints = msg_get(cluster, "endpoints");

    for (uint32_t i = 0; i < msg_array_len(endpoints); i++) {
        const struct msg_value *endpoint = msg_array_at(endpoints, i);
        if (is(endpoint, "mode", "sever") && is(endpoint, "role", "writer"))
            return true;
    }
    return false;
}

/* An old agent does not say. */
static bool cannot_sever(const struct msg_value *severing)
{
    return severing && !msg_get_bool(severing, "available", false);
}

static uint32_t count_wanting(const struct msg_value *clusters)
{
    uint32_t wanting = 0;

    for (uint32_t i = 0; i < msg_array_len(clusters); i++)
        wanting += wants_severing(msg_array_at(clusters, i));
    return wanting;
}

static uint32_t count_bad(const struct msg_value *clusters)
{
    uint32_t bad = 0;

    for (uint32_t i = 0; i < msg_array_len(clusters); i++)
        bad += !is_good(msg_array_at(clusters, i));
    return bad;
}

static uint32_t count_endpoints(const struct msg_value *clusters, const char *mode)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < msg_array_len(clusters); i++) {
        const struct msg_value *endpoints = msg_get(msg_array_at(clusters, i), "endpoints");
        for (uint32_t e = 0; e < msg_array_len(endpoints); e++)
            count += is(msg_array_at(endpoints, e), "mode", mode);
    }
    return count;
}

static uint32_t count_frozen(const struct msg_value *clusters)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < msg_array_len(clusters); i++)
        count += msg_get_bool(msg_array_at(clusters, i), "frozen", false);
    return count;
}

static void remark_count(const struct show *show, const char **sep, uint32_t count,
                         const char *what, const char *how)
{
    if (!count)
        return;
    fprintf(show->out, "%s%u %s%s %s", *sep, count, what, count == 1 ? "" : "s", how);
    *sep = ", ";
}

/* What is as somebody wants it is well, but programs do not follow a failover there. */
static void print_well(const struct show *show, const struct msg_value *clusters)
{
    const char *sep = ", but ";

    fputs("all well", show->out);
    remark_count(show, &sep, count_endpoints(clusters, "off"), "endpoint", "in mode off");
    remark_count(show, &sep, count_endpoints(clusters, "observe"), "endpoint", "in mode observe");
    remark_count(show, &sep, count_frozen(clusters), "cluster", "frozen");
    fputc('\n', show->out);
}

/* `unserved`: clusters in mode sever where nothing can be severed. */
static void agent(const struct show *show, const struct msg_value *status, uint32_t count,
                  uint32_t bad, uint32_t unserved)
{
    uint32_t alarms = msg_array_len(msg_get(status, "alarms"));

    fputs("homingd ", show->out);
    show_str(show, status, "version", "?");
    fprintf(show->out, ", pid %llu, up ", (unsigned long long)msg_get_uint(status, "pid", 0));
    age(show, status, "up_ms", 0);
    fprintf(show->out, ": %u cluster%s, ", count, count == 1 ? "" : "s");
    if (bad)
        fprintf(show->out, "%s%u not well%s\n", paint(show, RED), bad, paint(show, NONE));
    else if (unserved)
        fprintf(show->out, "%sno connection can be severed%s\n", paint(show, RED),
                paint(show, NONE));
    else if (alarms)
        fputs("an alarm of the agent's own\n", show->out);
    else
        print_well(show, msg_get(status, "clusters"));
    print_alarms(show, msg_get(status, "alarms"));
}

static void ability(const struct show *show, const struct msg_value *severing)
{
    if (!cannot_sever(severing)) {
        fputs("severing: available\n", show->out);
        return;
    }
    fprintf(show->out, "severing: %snot available%s: ", paint(show, RED), paint(show, NONE));
    show_str(show, severing, "why", "?");
    fputc('\n', show->out);
}

static void print_without_room(const struct show *show, const struct msg_value *severing)
{
    uint64_t count = msg_get_uint(severing, "without_room", 0);

    if (count)
        fprintf(show->out,
                "%sthere was no room for %llu permits%s, %llu of them of uid %llu: LIMITS in "
                "homing-sever(8)\n",
                paint(show, RED), (unsigned long long)count, paint(show, NONE),
                (unsigned long long)msg_get_uint(severing, "short_count", 0),
                (unsigned long long)msg_get_uint(severing, "short_uid", 0));
}

/* What severing could not do as it should. Nothing, as a rule. */
static void print_shortcomings(const struct show *show, const struct msg_value *severing)
{
    uint64_t given_up = msg_get_uint(severing, "given_up", 0);
    uint64_t late = msg_get_uint(severing, "mptcp_late", 0);
    uint64_t hidden = msg_get_uint(severing, "mptcp_hidden", 0);

    if (given_up)
        fprintf(show->out, "users with too many tags to go through, not all severed: %" PRIu64 "\n",
                given_up);
    if (late)
        fprintf(show->out, "severed, but noticed only after net.mptcp.close_timeout: %" PRIu64 "\n",
                late);
    if (hidden)
        fprintf(show->out, "MPTCP that this kernel does not tell apart, not severed: %" PRIu64 "\n",
                hidden);
}

/* What layer 3 can do here, and what the layers have done. */
static void print_severing(const struct show *show, const struct msg_value *severing)
{
    if (!severing)
        return;
    ability(show, severing);
    fprintf(show->out, "processes with a permit: %llu; connects redirected: %llu",
            (unsigned long long)msg_get_uint(severing, "processes", 0),
            (unsigned long long)msg_get_uint(severing, "redirected", 0));
    if (msg_get_uint(severing, "would_redirect", 0))
        fprintf(show->out, ", would have been: %llu",
                (unsigned long long)msg_get_uint(severing, "would_redirect", 0));
    if (msg_get_uint(severing, "shared_address", 0))
        fprintf(show->out, "; of an address that two names share: %llu",
                (unsigned long long)msg_get_uint(severing, "shared_address", 0));
    fputc('\n', show->out);
    print_without_room(show, severing);
    print_shortcomings(show, severing);
}

static bool all(const struct show *show, const struct msg_value *status)
{
    const struct msg_value *clusters = msg_get(status, "clusters");
    const struct msg_value *severing = msg_get(status, "severing");
    uint32_t count = msg_array_len(clusters), bad = count_bad(clusters);
    uint32_t unserved = cannot_sever(severing) ? count_wanting(clusters) : 0;

    agent(show, status, count, bad, unserved);
    print_severing(show, severing);
    for (uint32_t i = 0; i < count; i++) {
        fputc('\n', show->out);
        show_cluster(show, msg_array_at(clusters, i));
    }
    return bad == 0 && unserved == 0;
}

static bool print_only(const struct show *show, const struct msg_value *status, const char *only,
                       bool *ret_found)
{
    const struct msg_value *clusters = msg_get(status, "clusters");
    const struct msg_value *severing = msg_get(status, "severing");
    bool good = true, unserved;

    *ret_found = false;
    for (uint32_t i = 0; i < msg_array_len(clusters); i++) {
        const struct msg_value *cluster = msg_array_at(clusters, i);
        if (!is(cluster, "cluster", only))
            continue;
        *ret_found = true;
        unserved = cannot_sever(severing) && wants_severing(cluster);
        good = show_cluster(show, cluster) && !unserved;
        if (unserved)
            ability(show, severing);
    }
    if (*ret_found)
        print_alarms(show, msg_get(status, "alarms"));
    return good;
}

bool show_status(const struct show *show, const struct msg_value *status, const char *only,
                 bool *ret_found)
{
    bool good = true;

    if (only)
        good = print_only(show, status, only, ret_found);
    else {
        *ret_found = true;
        good = all(show, status);
    }
    return good && msg_array_len(msg_get(status, "alarms")) == 0;
}
