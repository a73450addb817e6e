/* SPDX-License-Identifier: Apache-2.0
 *
 * findings.c - see findings.h.
 */
#include "config.h"

#include <stdarg.h>
#include <string.h>

#include "agent/doctor/findings.h"
#include "proto/utf8.h"

static const char NOT_CHECKED[] =
    "\nNot checked: what other nodes see, whose DNS, routes and firewalls may differ; whether "
    "homingd's own user\nmay read the same files; whether programs run with the library and "
    "connections can be severed (homingctl\nstatus); how far readers lag; a failover itself. "
    "Servers are seen as they were for one moment.\n";

static void print_clean(const struct findings *f, const char *before, const char *text)
{
    char clean[FINDINGS_LINE];

    utf8_clean(text, strlen(text), clean, sizeof(clean));
    fprintf(f->out, "%s%s\n", before, clean);
}

void findings_begin(struct findings *f, const char *cluster, const char *engine)
{
    fprintf(f->out, "cluster %s (%s)\n", cluster, engine);
}

void findings_add(struct findings *f, enum finding finding, const char *mend, const char *format,
                  ...)
{
    static const char *const BEFORE[FINDING_COUNT] = {"  ok       ", "  hint     ", "  remark   ",
                                                      "  PROBLEM  "};
    char text[FINDINGS_LINE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    print_clean(f, BEFORE[finding], text);
    if (mend && mend[0] != '\0')
        print_clean(f, "           -> ", mend);
    f->count[finding]++;
}

void findings_end(const struct findings *f)
{
    uint32_t problems = f->count[FINDING_PROBLEM], remarks = f->count[FINDING_REMARK];

    fputs(NOT_CHECKED, f->out);
    fprintf(f->out, "%u problem%s, %u remark%s\n", problems, problems == 1 ? "" : "s", remarks,
            remarks == 1 ? "" : "s");
}
