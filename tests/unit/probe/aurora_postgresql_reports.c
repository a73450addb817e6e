/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_postgresql_reports.c - tables of what the instances of an Aurora cluster may answer, as AWS
 * documents it: in the quiet, around a failover, after a restore, and what no Aurora answers.
 */
#include "config.h"

#include <string.h>

#include "agent/probe/engines/postgresql/aurora_postgresql_reports.h"
#include "tests/support/test.h"

#define TIME "1763636391.123457"
#define ID   "7710208483270621824"

enum {
    ROWS_MAX = 6
};

/* What one answer has; the columns of a row that are the same in all rows stand before it. */
struct answer {
    const char *in_recovery, *self;
    const char *rows[ROWS_MAX][5]; /* id, master, age, durable, read */
    const char *time, *identity;   /* of a first question */
};

static struct report report;
static const char *note, *wrong;
static struct topology topology;
static struct postgres_seen seen;

static bool take(const struct answer *a)
{
    const char *texts[ROWS_MAX * AURORA_COLUMN_COUNT];
    int columns = a->identity ? AURORA_COLUMN_COUNT
                  : a->time   ? AURORA_SYSTEM_IDENTIFIER
                              : AURORA_START_TIME;
    struct postgres_rows rows = {.columns = columns, .texts = texts};

    for (; rows.count < ROWS_MAX && a->rows[rows.count][0]; rows.count++) {
        const char **row = texts + (ptrdiff_t)rows.count * columns;
        const char *const all[AURORA_COLUMN_COUNT] = {
            a->in_recovery,
            a->self,
            a->rows[rows.count][0],
            a->rows[rows.count][1],
            a->rows[rows.count][2],
            a->rows[rows.count][3],
            a->rows[rows.count][4],
            NULL,
            a->time,
            a->identity,
        };
        memcpy(row, all, (size_t)columns * sizeof(*row));
    }
    topology_init(&topology);
    seen.topology = &topology;
    seen.wrong = NULL;
    bool taken = aurora_read(&rows, &seen);
    report = seen.report;
    note = seen.note;
    wrong = seen.wrong;
    return taken;
}

static int begin(void **state)
{
    (void)state;
    seen = (struct postgres_seen){0};
    return 0;
}

static bool is_named(const char *id)
{
    for (uint32_t i = 0; i < topology.count; i++)
        if (strcmp(topology.at[i].id, id) == 0)
            return true;
    return false;
}

static void the_instance_that_is_named_and_not_in_recovery_is_the_writer(void **state)
{
    const struct answer a = {.in_recovery = "f",
                             .self = "inst-1",
                             .rows = {{"inst-1", "t", NULL, "1000", NULL},
                                      {"inst-2", "f", "0", NULL, "990"},
                                      {"inst-3", "f", "2", NULL, NULL}},
                             .time = TIME,
                             .identity = ID};
    (void)state;
    assert_true(take(&a));
    assert_int_equal(report.kind, REPORT_ANSWER);
    assert_int_equal(report.role, ROLE_WRITER);
    assert_true(report.fenced);
    assert_int_equal(report.term.hi, 0);
    assert_int_equal(report.term.lo, 1);
    assert_int_equal(report.position, 1000);
    assert_int_equal(report.identity, 7710208483270621824);
    assert_int_equal(report.incarnation, 1763636391123457);
    assert_null(note);
    assert_false(seen.unready);
    assert_int_equal(topology.count, 3);
    assert_true(is_named("inst-1") && is_named("inst-2") && is_named("inst-3"));
}

static void another_instance_is_a_reader_with_the_position_that_it_reads(void **state)
{
    const struct answer a = {
        .in_recovery = "t",
        .self = "inst-2",
        .rows = {{"inst-1", "t", "1", "1000", NULL}, {"inst-2", "f", NULL, NULL, "990"}}};
    (void)state;
    assert_true(take(&a));
    assert_int_equal(report.role, ROLE_READER);
    assert_true(report.fenced);
    assert_int_equal(report.term.lo, 0);
    assert_int_equal(report.position, 990);
    assert_null(note);
    assert_false(seen.unready);
}

/* Until its own row is another one, it names itself, and its own row has no time. */
static void an_instance_in_recovery_is_a_reader_although_it_names_itself(void **state)
{
    const struct answer a = {
        .in_recovery = "t",
        .self = "inst-1",
        .rows = {{"inst-1", "t", NULL, "1000", NULL}, {"inst-2", "f", "1", NULL, NULL}}};
    (void)state;
    assert_true(take(&a));
    assert_int_equal(report.role, ROLE_READER);
    assert_true(seen.unready);
    assert_non_null(note);
}

static void an_instance_that_names_a_newer_writer_is_a_reader_although_not_in_recovery(void **state)
{
    const struct answer a = {
        .in_recovery = "f",
        .self = "inst-1",
        .rows = {{"inst-1", "f", NULL, NULL, NULL}, {"inst-2", "t", "1", "1000", NULL}}};
    (void)state;
    assert_true(take(&a));
    assert_int_equal(report.role, ROLE_READER);
    assert_true(seen.unready);
    assert_non_null(strstr(note, "another writer"));
}

/* What a restored cluster has of the one that was saved. */
static void a_writer_of_nine_hours_ago_is_none(void **state)
{
    const struct answer a = {.in_recovery = "f",
                             .self = "inst-1",
                             .rows = {{"inst-9", "t", "32400", "5000", NULL},
                                      {"inst-1", "t", "4", "1000", NULL},
                                      {"inst-2", "f", "32400", NULL, NULL}}};
    const struct answer alone = {
        .in_recovery = "f",
        .self = "inst-1",
        .rows = {{"inst-1", "t", "32400", "1000", NULL}, {"inst-2", "f", "1", NULL, NULL}}};
    (void)state;
    assert_true(take(&a));
    assert_int_equal(report.role, ROLE_WRITER);
    assert_int_equal(report.position, 1000);
    assert_int_equal(topology.count, 1);
    assert_true(take(&alone));
    assert_int_equal(report.role, ROLE_READER);
    assert_non_null(strstr(note, "names no writer"));
    assert_false(is_named("inst-1"));
}

static void rows_count_for_three_minutes_and_not_from_the_future(void **state)
{
    static const struct {
        const char *age;
        bool counts;
    } CASES[] = {{"180", true}, {"181", false}, {"-180", true}, {"-181", false}, {NULL, false}};
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const struct answer a = {.in_recovery = "t",
                                 .self = "inst-2",
                                 .rows = {{"inst-1", "t", CASES[i].age, "1000", NULL},
                                          {"inst-2", "f", NULL, NULL, NULL}}};
        assert_true(take(&a));
        assert_int_equal(is_named("inst-1"), CASES[i].counts);
    }
}

static void of_two_writers_the_newer_row_counts(void **state)
{
    const struct answer older = {
        .in_recovery = "f",
        .self = "inst-1",
        .rows = {{"inst-1", "t", "9", "1000", NULL}, {"inst-2", "t", "2", "1200", NULL}}};
    const struct answer newer = {
        .in_recovery = "f",
        .self = "inst-2",
        .rows = {{"inst-2", "t", "2", "1200", NULL}, {"inst-1", "t", "9", "1000", NULL}}};
    (void)state;
    assert_true(take(&older));
    assert_int_equal(report.role, ROLE_READER);
    assert_true(take(&newer));
    assert_int_equal(report.role, ROLE_WRITER);
    assert_int_equal(report.position, 1200);
}

/* The row of its old name is there until it is too old, and its own has no time. */
static void a_renamed_writer_is_the_writer_by_its_new_name(void **state)
{
    const struct answer a = {
        .in_recovery = "f",
        .self = "new-name",
        .rows = {{"old-name", "t", "0", "1000", NULL}, {"new-name", "t", NULL, "1001", NULL}}};
    (void)state;
    assert_true(take(&a));
    assert_int_equal(report.role, ROLE_WRITER);
    assert_true(is_named("old-name") && is_named("new-name"));
}

static void no_row_is_no_empty_cluster(void **state)
{
    const struct answer empty = {.in_recovery = "f", .self = "inst-1"};
    const struct answer old = {
        .in_recovery = "f", .self = "inst-1", .rows = {{"inst-1", "t", "181", NULL, NULL}}};
    (void)state;
    assert_false(take(&empty));
    assert_non_null(strstr(wrong, "returns no row"));
    assert_int_equal(report.role, ROLE_NONE);
    assert_false(take(&old));
    assert_non_null(strstr(wrong, "180 seconds"));
}

static void a_later_answer_leaves_identity_and_incarnation_as_they_were(void **state)
{
    const struct answer first = {.in_recovery = "t",
                                 .self = "inst-1",
                                 .rows = {{"inst-1", "f", NULL, NULL, NULL}},
                                 .time = TIME,
                                 .identity = ID};
    const struct answer later = {
        .in_recovery = "f", .self = "inst-1", .rows = {{"inst-1", "t", NULL, NULL, NULL}}};
    (void)state;
    assert_true(take(&first));
    assert_true(take(&later));
    assert_int_equal(report.role, ROLE_WRITER);
    assert_int_equal(report.position, 0);
    assert_int_equal(report.identity, 7710208483270621824);
    assert_int_equal(report.incarnation, 1763636391123457);
}

static void without_the_identity_the_rest_is_known(void **state)
{
    const struct answer a = {.in_recovery = "f",
                             .self = "inst-1",
                             .rows = {{"inst-1", "t", NULL, NULL, NULL}},
                             .time = TIME};
    (void)state;
    assert_true(take(&a));
    assert_int_equal(report.identity, 0);
    assert_int_equal(report.incarnation, 1763636391123457);
    assert_true(aurora_denies_identity("42501"));
    assert_true(aurora_denies_identity("42883"));
    assert_false(aurora_denies_identity("57P01"));
}

static void what_mends_it_is_said(void **state)
{
    (void)state;
    assert_non_null(strstr(aurora_mend("42883"), "write engine: postgresql"));
    assert_null(aurora_mend("42501")); /* the rights are asked for */
    assert_non_null(strstr(aurora_grants[0], "pg_catalog.aurora_replica_status()"));
    assert_null(aurora_mend("57P01"));
}

static void an_id_that_is_no_label_is_named_as_none(void **state)
{
    char id[300];
    const struct answer a = {
        .in_recovery = "t",
        .self = "inst-1",
        .rows = {{"inst-1", "f", NULL, NULL, NULL}, {id, "f", "1", NULL, NULL}}};
    (void)state;
    memset(id, 'x', sizeof(id));
    id[sizeof(id) - 1] = '\0';
    assert_true(take(&a));
    assert_int_equal(topology.count, 2);
    assert_string_equal(topology.at[1].id, "");
}

#define GOOD "inst-1", "t", "1", "1000", "990"

static void a_row_that_no_aurora_makes_is_refused_and_changes_nothing(void **state)
{
    static const struct answer CASES[] = {
        {.in_recovery = NULL, .self = "inst-1", .rows = {{GOOD}}},
        {.in_recovery = "true", .self = "inst-1", .rows = {{GOOD}}},
        {.in_recovery = "f", .self = NULL, .rows = {{GOOD}}},
        {.in_recovery = "f", .self = "inst-1", .rows = {{"inst-1", "yes", "1", "1000", "990"}}},
        {.in_recovery = "f", .self = "inst-1", .rows = {{"inst-1", "t", "", "1000", "990"}}},
        {.in_recovery = "f", .self = "inst-1", .rows = {{"inst-1", "t", "1.5", "1000", "990"}}},
        {.in_recovery = "f", .self = "inst-1", .rows = {{"inst-1", "t", "now", "1000", "990"}}},
        {.in_recovery = "f", .self = "inst-1", .rows = {{"inst-1", "t", "1", "0/1", "990"}}},
        {.in_recovery = "f", .self = "inst-1", .rows = {{"inst-1", "t", "1", "1000", "x"}}},
        {.in_recovery = "f",
         .self = "inst-1",
         .rows = {{"inst-1", "t", "99999999999999999999", "1", "1"}}},
        {.in_recovery = "f", .self = "inst-1", .rows = {{GOOD}}, .time = "0"},
        {.in_recovery = "f", .self = "inst-1", .rows = {{GOOD}}, .time = TIME, .identity = "0"},
    };
    static const struct report BEFORE = {.role = ROLE_READER, .identity = 9};
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        seen.report = BEFORE;
        if (take(&CASES[i]))
            fail_msg("answer %zu was taken", i);
        assert_memory_equal(&report, &BEFORE, sizeof(report));
        assert_null(wrong);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(begin, the_instance_that_is_named_and_not_in_recovery_is_the_writer),
        TEST_FROM(begin, another_instance_is_a_reader_with_the_position_that_it_reads),
        TEST_FROM(begin, an_instance_in_recovery_is_a_reader_although_it_names_itself),
        TEST_FROM(begin,
                  an_instance_that_names_a_newer_writer_is_a_reader_although_not_in_recovery),
        TEST_FROM(begin, a_writer_of_nine_hours_ago_is_none),
        TEST_FROM(begin, rows_count_for_three_minutes_and_not_from_the_future),
        TEST_FROM(begin, of_two_writers_the_newer_row_counts),
        TEST_FROM(begin, a_renamed_writer_is_the_writer_by_its_new_name),
        TEST_FROM(begin, no_row_is_no_empty_cluster),
        TEST_FROM(begin, a_later_answer_leaves_identity_and_incarnation_as_they_were),
        TEST_FROM(begin, without_the_identity_the_rest_is_known),
        TEST_FROM(begin, what_mends_it_is_said),
        TEST_FROM(begin, an_id_that_is_no_label_is_named_as_none),
        TEST_FROM(begin, a_row_that_no_aurora_makes_is_refused_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
