/* SPDX-License-Identifier: Apache-2.0
 *
 * state_rig.c - see state_rig.h.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/state_rig.h"
#include "tests/support/test.h"

static struct conf_member members[] = {
    {.host = "10.77.0.2", .port = 5432},
    {.host = "db-b.internal", .port = 5432},
    {.host = "fd00::3", .port = 5433},
};

const struct conf_cluster state_rig_cluster = {
    .name = "orders", .members = members, .member_count = 3};

struct state_cluster state_rig_saved(void)
{
    static struct state_endpoint endpoints[] = {{11, 7, UINT64_MAX}, {12, 9, 14}};

    return (struct state_cluster){
        .have_verdict = true,
        .verdict = {.state = CLUSTER_STEADY,
                    .reason = REASON_NEWER_TERM,
                    .writer = 1,
                    .rival = 2,
                    .demoted = 0x5,
                    .readers = 0x4,
                    .authenticated = true,
                    .braked = true,
                    .frozen = true,
                    .identity = UINT64_C(7301234567890123456),
                    .discarded = 5,
                    .term = {.hi = 2, .lo = 3},
                    .position = 4,
                    .self = UINT64_MAX,
                    .branch = 3,
                    .heirs = {UINT64_C(11400714819323198485), 12},
                    .unyielding = {UINT64_C(1763636391123457), 13},
                    .switches = 6},
        .frozen = true,
        .have_mode = true,
        .mode = VIEW_MODE_OBSERVE,
        .left = {{.member = 0,
                  .address = {.bytes = {10, 77, 0, 9}, .family = 4, .port = 5432},
                  .identity = 8,
                  .incarnation = UINT64_C(1763636391123457)},
                 {.member = 2, .address = {.bytes = {0xfd, 1}, .family = 6, .port = 5433}}},
        .left_count = 2,
        .at = {{.member = 1,
                .address = {.bytes = {10, 77, 0, 3}, .family = 4, .port = 5432},
                .identity = 8,
                .incarnation = 9}},
        .at_count = 1,
        .discovered = {{.host = "orders-4.abc123.eu-west-1.rds.example.com",
                        .port = 5433,
                        .from = "orders.cluster-abc123.eu-west-1.rds.example.com:5432"},
                       {.host = "fd00::4", .port = 5432, .from = "[fd00::3]:5433"}},
        .discovered_count = 2,
        .endpoints = endpoints,
        .endpoint_count = 2,
    };
}

void state_rig_assert_same(const struct state_cluster *got, const struct state_cluster *want)
{
    const struct verdict *g = &got->verdict, *w = &want->verdict;

    assert_int_equal(got->have_verdict, want->have_verdict);
    assert_int_equal(g->state, w->state);
    assert_int_equal(g->reason, w->reason);
    assert_int_equal(g->writer, w->writer);
    assert_int_equal(g->rival, w->rival);
    assert_int_equal(g->demoted, w->demoted);
    assert_int_equal(g->readers, w->readers);
    assert_int_equal(g->authenticated, w->authenticated);
    assert_int_equal(g->braked, w->braked);
    assert_int_equal(g->frozen, w->frozen);
    assert_int_equal(g->identity, w->identity);
    assert_int_equal(g->discarded, w->discarded);
    assert_int_equal(g->term.hi, w->term.hi);
    assert_int_equal(g->term.lo, w->term.lo);
    assert_int_equal(g->position, w->position);
    assert_true(g->self == w->self);
    assert_true(g->branch == w->branch);
    assert_memory_equal(g->heirs, w->heirs, sizeof(g->heirs));
    assert_memory_equal(g->unyielding, w->unyielding, sizeof(g->unyielding));
    assert_int_equal(g->confirmed_ms, w->confirmed_ms);
    assert_int_equal(g->since_ms, w->since_ms);
    assert_int_equal(g->switches, w->switches);
    assert_int_equal(got->frozen, want->frozen);
    assert_int_equal(got->have_mode, want->have_mode);
    assert_int_equal(got->mode, want->mode);
    assert_int_equal(got->left_count, want->left_count);
    for (uint32_t i = 0; i < want->left_count; i++) {
        assert_int_equal(got->left[i].member, want->left[i].member);
        assert_true(inet_address_same(&got->left[i].address, &want->left[i].address));
        assert_true(got->left[i].identity == want->left[i].identity);
        assert_true(got->left[i].incarnation == want->left[i].incarnation);
        assert_int_equal(got->left[i].left_ms, want->left[i].left_ms);
    }
    assert_int_equal(got->at_count, want->at_count);
    for (uint32_t i = 0; i < want->at_count; i++) {
        assert_int_equal(got->at[i].member, want->at[i].member);
        assert_true(inet_address_same(&got->at[i].address, &want->at[i].address));
        assert_true(got->at[i].incarnation == want->at[i].incarnation);
    }
    assert_int_equal(got->discovered_count, want->discovered_count);
    for (uint32_t i = 0; i < want->discovered_count; i++) {
        assert_string_equal(got->discovered[i].host, want->discovered[i].host);
        assert_string_equal(got->discovered[i].from, want->discovered[i].from);
        assert_int_equal(got->discovered[i].port, want->discovered[i].port);
    }
    assert_int_equal(got->endpoint_count, want->endpoint_count);
    assert_memory_equal(got->endpoints, want->endpoints,
                        want->endpoint_count * sizeof(*want->endpoints));
}

struct state *state_rig_open(const struct state_rig *f)
{
    char error[256] = "";
    struct state *state = NULL;

    if (state_open(f->dir, error, sizeof(error), &state))
        fail_msg("%s", error);
    return state;
}

int state_rig_setup(void **state)
{
    static struct state_rig f;

    folder_make(f.base);
    snprintf(f.dir, sizeof(f.dir), "%s/state", f.base);
    f.state = state_rig_open(&f);
    *state = &f;
    return 0;
}

int state_rig_teardown(void **state)
{
    struct state_rig *f = *state;

    state_close(f->state);
    folder_remove(f->dir);
    return rmdir(f->base);
}

const char *state_rig_path(const struct state_rig *f, const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    return path;
}

bool state_rig_has(const struct state_rig *f, const char *name)
{
    struct stat st;

    return lstat(state_rig_path(f, name), &st) == 0;
}

uint64_t state_rig_load_term(struct state *state)
{
    struct state_cluster got;

    assert_int_equal(state_load(state, &state_rig_cluster, &got), 0);
    free(got.endpoints);
    return got.have_verdict ? got.verdict.term.lo : 0;
}

void state_rig_save_term(struct state *state, uint64_t term)
{
    struct state_cluster saved = state_rig_saved();

    saved.verdict.term.lo = term;
    assert_int_equal(state_save(state, &state_rig_cluster, &saved), 0);
}
