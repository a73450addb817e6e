/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_sever.c - as fake_sever.h says.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/fake_sever.h"
#include "tests/support/test.h"

struct sever_client {
    struct loop *loop;
    sever_client_changed_fn *changed;
    void *arg;
};

struct fake_order fake_orders[FAKE_ORDERS_MAX];
uint32_t fake_order_count;
uint64_t fake_sever_redirected, fake_sever_behind;
uint32_t fake_sever_cancelled, fake_sever_publications;
void (*fake_sever_on_cancel)(void);

static struct sever_client_status now = {.instance = 1, .able = true, .pid = 4711};
static struct sever_client *living;

struct sever_client *sever_client_new(struct loop *loop, const char *run_dir, const char *command,
                                      sever_client_changed_fn *changed, lost_alarm_fn *alarm,
                                      lost_changed_fn *lost_changed, void *arg)
{
    (void)run_dir, (void)command, (void)alarm, (void)lost_changed;
    living = calloc(1, sizeof(*living)); /* tests let allocations fail */
    if (living)
        *living = (struct sever_client){loop, changed, arg};
    return living;
}

static void answer(struct fake_order *at, int error, const struct sever_counts *counts,
                   const struct sever_row *rows, uint32_t count)
{
    assert_false(at->answered);
    at->answered = true;
    if (at->done)
        at->done(at->arg, error, counts);
    else
        at->rows(at->arg, error, rows, count);
}

static void end_all(int error)
{
    for (uint32_t i = 0; i < fake_order_count; i++)
        if (!fake_orders[i].answered)
            answer(&fake_orders[i], error, NULL, NULL, 0);
}

void sever_client_free(struct sever_client *sever_client)
{
    end_all(-ECANCELED);
    living = NULL;
    free(sever_client);
}

const struct sever_client_status *sever_client_status(const struct sever_client *sever_client)
{
    (void)sever_client;
    now.counts[TAG_COUNT_REDIRECTED] = fake_sever_redirected;
    now.counts[TAG_COUNT_BEHIND] = fake_sever_behind;
    return &now;
}

const char *sever_client_hindrance(const struct sever_client *sever_client)
{
    (void)sever_client;
    return now.instance && now.able ? NULL : now.why;
}

uint64_t sever_client_instance(const struct sever_client *sever_client)
{
    (void)sever_client;
    return now.instance;
}

const struct lost *sever_client_lost(const struct sever_client *sever_client)
{
    (void)sever_client;
    return NULL;
}

void sever_client_restore(struct sever_client *sever_client, const struct lost_list *list)
{
    (void)sever_client, (void)list;
}

static int note(struct sever_client *sever_client, const struct sever_order *order,
                sever_client_done_fn *done, sever_client_rows_fn *rows, void *arg)
{
    if (fake_order_count == FAKE_ORDERS_MAX) /* a test that does not look */
        return -EBUSY;
    fake_orders[fake_order_count++] =
        (struct fake_order){loop_now_ms(sever_client->loop), *order, done, rows, arg, false};
    return 0;
}

int sever_client_order(struct sever_client *sever_client, const struct sever_order *order,
                       sever_client_done_fn *done, void *arg)
{
    return note(sever_client, order, done, NULL, arg);
}

void sever_client_cancel(struct sever_client *sever_client, const uint64_t *endpoints,
                         uint32_t count)
{
    (void)sever_client, (void)endpoints;
    fake_sever_cancelled += count;
    if (fake_sever_on_cancel)
        fake_sever_on_cancel();
}

void sever_client_published(struct sever_client *sever_client)
{
    (void)sever_client;
    fake_sever_publications++;
}

int sever_client_connections(struct sever_client *sever_client, const struct sever_order *order,
                             sever_client_rows_fn *done, void *arg)
{
    return note(sever_client, order, NULL, done, arg);
}

void fake_sever_set(uint64_t instance, bool able)
{
    now.instance = instance;
    now.able = able;
    snprintf(now.why, sizeof(now.why), "%s", able ? "" : "no CAP_NET_ADMIN: give it");
    if (!living)
        return;
    end_all(-EPIPE);
    living->changed(living->arg);
}

void fake_sever_forget(void)
{
    end_all(-ETIME);
    fake_order_count = fake_sever_cancelled = 0;
    fake_sever_on_cancel = NULL;
}

uint32_t fake_sever_count(enum sever_kind kind)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < fake_order_count; i++)
        count += fake_orders[i].order.kind == kind;
    return count;
}

void fake_sever_refuse(uint32_t order)
{
    answer(&fake_orders[order], -EPROTO, NULL, NULL, 0);
}

void fake_sever_done(uint32_t order, uint64_t severed)
{
    struct sever_counts counts = {
        .seen = severed + 1, .severed = severed, .processes = 2, .first_us = 300};

    answer(&fake_orders[order], 0, &counts, NULL, 0);
}

void fake_sever_untagged(uint32_t order, uint64_t untagged)
{
    answer(&fake_orders[order], 0,
           &(struct sever_counts){.seen = untagged, .untagged = untagged, .processes = 2}, NULL, 0);
}

void fake_sever_spared(uint32_t order, uint64_t older)
{
    answer(&fake_orders[order], 0, &(struct sever_counts){.seen = older, .older = older}, NULL, 0);
}

void fake_sever_rows(uint32_t order, const struct sever_row *rows, uint32_t count)
{
    answer(&fake_orders[order], 0, NULL, rows, count);
}
