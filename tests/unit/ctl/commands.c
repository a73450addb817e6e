/* SPDX-License-Identifier: Apache-2.0
 *
 * commands.c - a command is one row: it agrees with the agent's methods and with homingctl(1), and
 * --help comes from it.
 */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/admin/methods.h"
#include "agent/ctl/commands.h"
#include "agent/ctl/help.h"
#include "agent/ctl/options.h"
#include "tests/support/test.h"

/* Of this tree; the caller frees it. */
static char *page(const char *path)
{
    const char *top = getenv("HOMING_SRCDIR");
    char whole[PATH_MAX], *text = calloc(1, 1 << 18);
    FILE *file;

    snprintf(whole, sizeof(whole), "%s/%s", top ? top : ".", path);
    file = fopen(whole, "r");
    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 18) - 1, file) > 0);
    fclose(file);
    return text;
}

static char *help_of(const struct command *command)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    if (command)
        help_command(out, command);
    else
        help_all(out);
    fclose(out);
    return text;
}

static void each_command_has_a_name_of_its_own_and_something_to_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < commands_count; i++) {
        const struct command *c = &commands[i];
        assert_ptr_equal(command_find(c->name), c);
        assert_true(c->method || c->own != OWN_NOTHING);
        assert_int_equal(!c->method, !c->result);
        assert_true(c->least <= command_most(c));
        assert_true(c->first != ARG_NONE || c->second == ARG_NONE);
        assert_true(c->text && c->text[0]);
    }
    assert_null(command_find("stat"));
    assert_null(command_find(""));
}

static void each_method_is_the_agents_and_for_the_users_that_help_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < commands_count; i++) {
        const struct command *c = &commands[i];
        const struct method *method = c->method ? methods_find(c->method) : NULL;
        if (!c->method)
            continue;
        if (!method)
            fail_msg("%s: the agent has no method %s", c->name, c->method);
        if ((method->socket == SERVE_AGENT) != (c->rights == RIGHTS_ANY))
            fail_msg("%s: asked on the wrong socket", c->name);
        if (method->changes != (c->rights == RIGHTS_CHANGE))
            fail_msg("%s: for other users than its method", c->name);
    }
}

/* Those that change something share a section; each of the others has one, "### `status` []". */
static void each_method_has_its_place_in_the_protocol(void **state)
{
    char *text = page("proto/PROTOCOL.md"), place[64];
    const char *changing = strstr(text, "\n### Methods that change something\n");

    (void)state;
    assert_non_null(changing);
    for (size_t i = 0; i < commands_count; i++) {
        const struct command *c = &commands[i];
        if (!c->method)
            continue;
        snprintf(place, sizeof(place), "\n%s `%s", c->rights == RIGHTS_CHANGE ? "|" : "###",
                 c->method);
        if (!strstr(c->rights == RIGHTS_CHANGE ? changing : text, place))
            fail_msg("PROTOCOL.md does not have:%s", place);
    }
    free(text);
}

/* Up to section 8; behind it are the methods of homing-sever. */
static void each_method_of_the_protocol_is_the_agents(void **state)
{
    char *text = page("proto/PROTOCOL.md"), name[32], *end = strstr(text, "\n## 8. ");
    int found = 0;

    (void)state;
    assert_non_null(end);
    *end = '\0';
    for (char *at = strstr(text, "\n### `"); at; at = strstr(at + 1, "\n### `")) {
        assert_int_equal(sscanf(at, "\n### `%31[a-z]`", name), 1);
        if (!methods_find(name))
            fail_msg("the agent has no method %s", name);
        found++;
    }
    assert_true(found >= 8);
    free(text);
}

/* The items of COMMANDS, in order; the lists in them are not looked at. */
static int manual_commands(char *text, char names[][32], int most)
{
    char *line = strstr(text, "\n.Sh COMMANDS\n");
    int depth = 0, count = 0;

    assert_non_null(line);
    for (line = strtok(line + strlen("\n.Sh COMMANDS\n"), "\n"); line && strncmp(line, ".Sh ", 4);
         line = strtok(NULL, "\n")) {
        depth += strncmp(line, ".Bl ", 4) == 0;
        depth -= strcmp(line, ".El") == 0;
        if (depth == 1 && count < most && sscanf(line, ".It Cm %31s", names[count]) == 1)
            count++;
    }
    return count;
}

static void the_manual_lists_exactly_the_commands_in_their_order(void **state)
{
    char *text = page("packaging/man/homingctl.1"), names[64][32];
    int count = manual_commands(text, names, 64);

    (void)state;
    for (int i = 0; i < count && i < (int)commands_count; i++)
        assert_string_equal(names[i], commands[i].name);
    assert_int_equal(count, commands_count);
    free(text);
}

static void help_lists_each_command_with_its_arguments_and_its_users(void **state)
{
    char *all = help_of(NULL), line[256];

    (void)state;
    for (size_t i = 0; i < commands_count; i++) {
        char *help = help_of(&commands[i]);
        char *usage = strstr(help, commands[i].name);
        assert_non_null(usage);
        snprintf(line, sizeof(line), "\n  %.*s\n           %s\n", (int)strcspn(usage, "\n"), usage,
                 commands[i].text);
        if (!strstr(all, line))
            fail_msg("%s is not in --help", line);
        assert_non_null(strstr(help, commands[i].text));
        free(help);
    }
    assert_non_null(strstr(all, "\nFor every user: resolve, run, help.\n"));
    assert_non_null(strstr(all, "\nFor root and homingd's user: accept, mode, freeze, unfreeze, "
                                "reload.\n"));
    free(all);
}

/* The column in which the option's text begins, behind its usage; -1: it is not there. */
static int column_of(const char *help, const struct option *option)
{
    char usage[64];
    const char *at, *line;

    snprintf(usage, sizeof(usage), "\n  %s %s", option->name, option->value);
    at = strstr(help, usage);
    at = at ? strstr(at, option->text) : NULL;
    if (!at)
        return -1;
    for (line = at; line[-1] != '\n';)
        line--;
    return (int)(at - line);
}

static void each_option_stands_in_the_help_with_its_text_in_one_column(void **state)
{
    char *all = help_of(NULL), *run = help_of(command_find("run"));

    (void)state;
    for (int i = 0; i < OPTION_COUNT; i++)
        if (options_table[i].text) {
            assert_int_equal(column_of(all, &options_table[i]), 17);
            assert_int_equal(column_of(run, &options_table[i]), options_table[i].runs ? 17 : -1);
        }
    assert_int_not_equal(column_of(run, &options_table[OPTION_WITH]), -1);
    assert_int_not_equal(column_of(run, &options_table[OPTION_ASSUME]), -1);
    free(all);
    free(run);
}

static void usages_are_made_of_the_arguments(void **state)
{
    static const struct {
        const char *name, *usage;
    } cases[] = {
        {"status", " status [CLUSTER]\n"},
        {"explain", " explain NAME|CLUSTER\n"},
        {"accept", " accept CLUSTER MEMBER|ADDRESS:PORT\n"},
        {"mode", " mode CLUSTER off|observe|names|connect|sever|default\n"},
        {"reload", " reload\n"},
        {"run", " run [OPTION...] -- CMD [ARG...]\n"},
        {"help", " help [COMMAND]\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *help = help_of(command_find(cases[i].name));
        if (!strstr(help, cases[i].usage))
            fail_msg("%s has not: %s", help, cases[i].usage);
        free(help);
    }
    assert_int_equal(command_most(command_find("reload")), 0);
    assert_int_equal(command_most(command_find("mode")), 2);
    assert_int_equal(command_most(command_find("run")), INT_MAX);
}

static void a_slip_is_told_what_was_meant(void **state)
{
    (void)state;
    assert_string_equal(command_near("stauts")->name, "status");
    assert_string_equal(command_near("unfreze")->name, "unfreeze");
    assert_null(command_near("banana"));
    assert_null(command_near("status"));
}

static void options_stand_anywhere_before_a_programs_own(void **state)
{
    char *words[] = {"homingctl", "-o", "json", "run",    "--socket=/s", "psql",
                     "--help",    "-o", "xml",  "--none", NULL};
    struct options options;

    (void)state;
    assert_int_equal(options_parse(words, command_starts_program, &options), EXIT_OK);
    assert_true(options.json);
    assert_false(options.help);
    assert_string_equal(options.socket, "/s");
    assert_string_equal(words[0], "run");
    assert_string_equal(words[1], "psql");
    assert_string_equal(words[2], "--help");
    assert_string_equal(words[5], "--none");
    assert_null(words[6]);
}

static void libraries_are_taken_in_their_order_up_to_the_most(void **state)
{
    char *words[] = {"homingctl", "run", "--with=liba.so", "--with", "libb.so",
                     "--",        "php", "--with",         "x",      NULL};
    char *most[2 + OPTIONS_WITH_MAX + 2] = {"homingctl", "run"};
    struct options options;

    (void)state;
    assert_int_equal(options_parse(words, command_starts_program, &options), EXIT_OK);
    assert_string_equal(options.with[0], "liba.so");
    assert_string_equal(options.with[1], "libb.so");
    assert_null(options.with[2]);
    assert_string_equal(words[2], "--with");
    for (int i = 0; i < OPTIONS_WITH_MAX; i++)
        most[2 + i] = "--with=lib.so";
    assert_int_equal(options_parse(most, command_starts_program, &options), EXIT_OK);
    assert_null(options.with[OPTIONS_WITH_MAX]);
    most[0] = "homingctl", most[1] = "run";
    for (int i = 0; i <= OPTIONS_WITH_MAX; i++)
        most[2 + i] = "--with=lib.so";
    assert_int_equal(options_parse(most, command_starts_program, &options), EXIT_USAGE);
}

static void assumed_names_are_taken_as_they_are(void **state)
{
    char *words[] = {"homingctl", "run", "--assume", "orders-db,Bills.internal.", "erl", NULL};
    struct options options;

    (void)state;
    assert_int_equal(options_parse(words, command_starts_program, &options), EXIT_OK);
    assert_string_equal(options.assume, "orders-db,Bills.internal.");
    assert_string_equal(words[1], "erl");
}

static void assumed_names_add_up_to_the_most(void **state)
{
    char *words[] = {"homingctl", "run", "--assume=a,b", "--assume", "c", NULL};
    char *most[] = {"homingctl", "run", "--assume=a,b,c,d", "--assume=e,f,g,h", NULL, NULL};
    struct options options;

    (void)state;
    assert_int_equal(options_parse(words, command_starts_program, &options), EXIT_OK);
    assert_string_equal(options.assume, "a,b,c");
    assert_int_equal(options_parse(most, command_starts_program, &options), EXIT_OK);
    assert_string_equal(options.assume, "a,b,c,d,e,f,g,h");
    most[0] = "homingctl", most[1] = "run", most[2] = "--assume=a,b,c,d";
    most[3] = "--assume=e,f,g,h", most[4] = "--assume=i";
    assert_int_equal(options_parse(most, command_starts_program, &options), EXIT_USAGE);
}

static void wrong_options_are_refused_and_touch_nothing(void **state)
{
    char *cases[][4] = {
        {"homingctl", "--none", NULL},          {"homingctl", "status", "-o", NULL},
        {"homingctl", "-o", "xml", NULL},       {"homingctl", "--socket", NULL},
        {"homingctl", "--socket=", NULL},       {"homingctl", "--help=x", NULL},
        {"homingctl", "--version=1", NULL},     {"homingctl", "-ojson", NULL},
        {"homingctl", "--with", NULL},          {"homingctl", "--with=", NULL},
        {"homingctl", "--with=a:b", NULL},      {"homingctl", "--with", "a b", NULL},
        {"homingctl", "--with", "--", NULL},    {"homingctl", "--socket", "--", NULL},
        {"homingctl", "--socket", "-o", NULL},  {"homingctl", "-o", "--help", NULL},
        {"homingctl", "--assume", NULL},        {"homingctl", "--assume=a,,b", NULL},
        {"homingctl", "--assume=a,", NULL},     {"homingctl", "--assume", "10.0.0.1", NULL},
        {"homingctl", "--assume", "a b", NULL}, {"homingctl", "--assume=a,b,c,d,e,f,g,h,i", NULL},
    };
    struct options options = {.socket = "untouched"};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(options_parse(cases[i], command_starts_program, &options), EXIT_USAGE);
        assert_string_equal(options.socket, "untouched");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_command_has_a_name_of_its_own_and_something_to_do),
        TEST(each_method_is_the_agents_and_for_the_users_that_help_names),
        TEST(each_method_has_its_place_in_the_protocol),
        TEST(each_method_of_the_protocol_is_the_agents),
        TEST(the_manual_lists_exactly_the_commands_in_their_order),
        TEST(help_lists_each_command_with_its_arguments_and_its_users),
        TEST(each_option_stands_in_the_help_with_its_text_in_one_column),
        TEST(usages_are_made_of_the_arguments),
        TEST(a_slip_is_told_what_was_meant),
        TEST(options_stand_anywhere_before_a_programs_own),
        TEST(libraries_are_taken_in_their_order_up_to_the_most),
        TEST(assumed_names_are_taken_as_they_are),
        TEST(assumed_names_add_up_to_the_most),
        TEST(wrong_options_are_refused_and_touch_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
