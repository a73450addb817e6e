/* SPDX-License-Identifier: Apache-2.0
 *
 * status.c - `homingctl status`: what an operator needs at three in the morning. In each
 * cluster the worst comes first. Lines fit into 100 columns.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "agent/ctl/show/parts.h"
#include "agent/ctl/show/text.h"

#define RED  "\033[1;31m"
#define BOLD "\033[1m"
#define NONE "\033[0m"

static const char *paint(const struct show *show, const char *colour)
{
    return show->colour ? colour : "";
}

static bool is_steady(const struct msg_value *cluster)
{
    return (show_is(cluster, "state", "steady") || show_is(cluster, "state", "frozen")) &&
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
        show_age(show, cluster, "since_ms", 0);
        fputs(", term ", show->out);
        show_str(show, cluster, "term", "none");
        fputs(", confirmed ", show->out);
        show_age(show, cluster, "confirmed_ms", 0);
        fputs(show_is(cluster, "confirmed_by", "others") ? " ago by others" : " ago", show->out);
    }
    if (msg_get_bool(cluster, "frozen", false) && !show_is(cluster, "state", "frozen"))
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

/* ---- a blue/green deployment (W4a) ---- */

static const struct msg_value *find_writer(const struct msg_value *members)
{
    for (uint32_t i = 0; i < msg_array_len(members); i++)
        if (msg_get_bool(msg_array_at(members, i), "writer", false))
            return msg_array_at(members, i);
    return NULL;
}

static void print_phase(const struct show *show, const char *phase)
{
    for (; *phase; phase++)
        fputc(*phase == '_' ? ' ' : *phase, show->out);
}

static bool takes_part(const struct msg_value *members)
{
    for (uint32_t i = 0; i < msg_array_len(members); i++)
        if (msg_get_str(msg_array_at(members, i), "deployment"))
            return true;
    return false;
}

static void list_deployed(const struct show *show, const struct msg_value *members,
                          const char *deployment, const char *label)
{
    const char *before = label;

    for (uint32_t i = 0; i < msg_array_len(members); i++) {
        const struct msg_value *member = msg_array_at(members, i);
        if (!show_is(member, "deployment", deployment))
            continue;
        fputs(before, show->out);
        show_str(show, member, "member", "?");
        before = ", ";
    }
}

/* How far it is by the writer's own word, and who takes part. Nothing, as a rule. */
static void print_deployment(const struct show *show, const struct msg_value *cluster)
{
    const struct msg_value *members = msg_get(cluster, "members");
    const char *phase = msg_get_str(find_writer(members), "phase");

    if (!phase && !takes_part(members))
        return;
    fputs("  blue/green: ", show->out);
    print_phase(show, phase ? phase : "no deployment now");
    if (msg_type(msg_get(cluster, "switchover_ms")) == MSG_TYPE_UINT) {
        fputs(" for ", show->out);
        show_age(show, cluster, "switchover_ms", 0);
    }
    list_deployed(show, members, "green", ", green: ");
    list_deployed(show, members, "left_behind", ", left behind: ");
    fputc('\n', show->out);
}

bool show_cluster(const struct show *show, const struct msg_value *cluster)
{
    const struct msg_value *endpoints = msg_get(cluster, "endpoints");

    head(show, cluster);
    if (!show_is(cluster, "state", "steady")) {
        fputs("  ", show->out);
        show_str(show, cluster, "reason_text", "");
        fputc('\n', show->out);
    }
    print_deployment(show, cluster);
    print_alarms(show, msg_get(cluster, "alarms"));
    print_warnings(show, msg_get(cluster, "warnings"));
    show_members(show, cluster);
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
        if (show_is(endpoint, "mode", "sever") && show_is(endpoint, "role", "writer"))
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
            count += show_is(msg_array_at(endpoints, e), "mode", mode);
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
    show_age(show, status, "up_ms", 0);
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
        if (!show_is(cluster, "cluster", only))
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
