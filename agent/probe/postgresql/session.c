/* SPDX-License-Identifier: Apache-2.0
 *
 * session.c - see session.h. Called by the engines of the family.
 *
 * 1. The sink is called last, and from the loop only: it may close the session.
 * 2. A cheap question is answered from the last full one only if no parameter that the server
 *    reports by itself has changed since that one was sent, and if the server is as much in recovery
 *    as it was then.
 * 3. What is told of others is told with the green servers (W4a), or not at all: without them it would say
 *    that there are none.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/conf/password.h"
#include "agent/probe/postgresql/session.h"

enum asked {
    ASKED_FULL,
    ASKED_CHEAP,
    ASKED_RIGHTS,     /* once, because of `denied` */
    ASKED_DEPLOYMENT, /* after a full one, once or twice */
    ASKED_COUNT
};

struct engine_session {
    const struct postgres_dialect *dialect;
    struct engine_sink sink;
    struct postgres_client *client; /* NULL: it could not begin, and `early` says why */
    struct loop_timer *later;       /* then the sink is told of it */
    char early[ENGINE_TEXT_MAX];
    bool strange;
    bool introduced;   /* what `first` asks for is known, as far as it can be */
    bool lesser;       /* the role may not have all of it */
    enum asked asked;  /* the question that is being answered */
    bool hasty;        /* a cheap one was wanted */
    bool inquired;     /* what the role lacks was asked */
    bool may_identify; /* the role may ask for the identity */
    struct postgres_failure denied;
    struct postgres_watched at_ask; /* when the last full question was sent */
    struct postgres_seen seen;
    struct topology topology; /* of the last full answer */
    struct postgres_deployments deployments;
    char note[POSTGRES_NOTE_SIZE];
};

/* How a session ends. */

static void failed(void *arg, const struct postgres_failure *failure)
{
    struct engine_session *s = arg;
    s->sink.failed(s->sink.arg, failure->kind, failure->hint, failure->text);
}

static void fail_odd(struct engine_session *s, const char *text)
{
    s->sink.failed(s->sink.arg, REPORT_ODD, HINT_NONE, text);
}

/* Our own fault says nothing about who is at a strange address. */
static void fail_early(void *arg)
{
    struct engine_session *s = arg;
    s->sink.failed(s->sink.arg, s->strange ? REPORT_DENIED : REPORT_ODD, HINT_NONE, s->early);
}

/* Asking and answering. */

static bool are_same(struct postgres_watched a, struct postgres_watched b)
{
    return a.in_hot_standby == b.in_hot_standby && a.read_only == b.read_only;
}

static bool is_unchanged(const struct engine_session *s)
{
    return are_same(postgres_client_watched(s->client), s->at_ask);
}

static bool is_watched(const struct engine_session *s)
{
    return s->at_ask.in_hot_standby != '\0' && s->at_ask.read_only != '\0';
}

static void send_full(struct engine_session *s)
{
    const struct postgres_dialect *d = s->dialect;
    s->asked = ASKED_FULL;
    s->at_ask = postgres_client_watched(s->client);
    if (s->introduced)
        postgres_client_ask(s->client, d->full);
    else
        postgres_client_ask(s->client, s->lesser ? d->lesser : d->first);
}

static const char *lesser_note(struct engine_session *s)
{
    const char *database = postgres_client_database(s->client);
    const char *role = postgres_client_role(s->client);
    if (s->inquired && !s->may_identify)
        return postgres_note_no_identity(database, role, s->note);
    return s->dialect->lesser_note(database, role, s->note);
}

/* NULL: there is nothing to remark. */
static const char *deployments_note(struct engine_session *s)
{
    const struct postgres_deployments *d = &s->deployments;
    if (d->lacked)
        return postgres_note_no_deployments(d->lacked, postgres_client_database(s->client),
                                            postgres_client_role(s->client), s->note);
    return d->words[0] != '\0' ? postgres_note_failed_deployments(d->words, s->note) : NULL;
}

static void tell_answer(struct engine_session *s)
{
    const char *note = s->seen.note;
    if (!note && s->lesser)
        note = lesser_note(s);
    if (!note)
        note = deployments_note(s);
    s->introduced = true;
    s->sink.answer(s->sink.arg, &s->seen.report, note);
}

/* What has changed while an answer was made may have changed after it: then it is asked once more. */
static bool ask_again_if_changed(struct engine_session *s)
{
    if (is_unchanged(s))
        return false;
    s->introduced = true;
    send_full(s);
    return true;
}

static void tell_all(struct engine_session *s)
{
    bool any = s->topology.count > 0 || s->seen.report.phase != PHASE_NONE;

    if (ask_again_if_changed(s))
        return;
    if (s->sink.topology && any && !(s->hasty && s->deployments.tells))
        s->sink.topology(s->sink.arg, &s->topology);
    tell_answer(s);
}

/* `question` NULL: all is known. */
static void go_on(struct engine_session *s, const char *question)
{
    if (!question) {
        tell_all(s);
        return;
    }
    s->asked = ASKED_DEPLOYMENT;
    postgres_client_ask(s->client, question);
}

/* The answer to a full question. */
static void take_rows(struct engine_session *s, const struct postgres_rows *rows)
{
    topology_init(&s->topology);
    s->seen.wrong = NULL;
    s->seen.topology = &s->topology;
    if (!s->dialect->read(rows, &s->seen))
        fail_odd(s, s->seen.wrong ? s->seen.wrong : s->dialect->stranger);
    else if (!ask_again_if_changed(s))
        go_on(s, s->hasty ? NULL
                          : postgres_deployments_begin(&s->deployments, s->dialect->deployments));
}

/* An error that is about the session, and not about the function, ends it as any other. */
static void take_deployment(struct engine_session *s, const struct postgres_answer *answer)
{
    if (answer->kind == POSTGRES_ANSWER_ERROR && !postgres_deployments_spare(&answer->failure)) {
        failed(s, &answer->failure);
        return;
    }
    const char *next =
        postgres_deployments_take(&s->deployments, s->dialect->deployments, answer, &s->topology);
    s->seen.report.phase = s->deployments.phase;
    go_on(s, next);
}

/* Whether the answer to the cheap question says what the last full one did. */
static bool is_still(const struct engine_session *s, const struct postgres_answer *answer)
{
    const struct postgres_rows *rows = &answer->rows;
    bool in_recovery;

    if (!is_unchanged(s))
        return false;
    if (!s->dialect->cheap)
        return answer->kind == POSTGRES_ANSWER_EMPTY;
    return answer->kind == POSTGRES_ANSWER_ROWS && rows->count == 1 && rows->columns == 1 &&
           postgres_value_truth(rows->texts[0], &in_recovery) && in_recovery == s->seen.in_recovery;
}

/* False: it needs all that it asked for. */
static bool ask_for_less(struct engine_session *s, const char *sqlstate)
{
    const struct postgres_dialect *d = s->dialect;

    if (s->introduced || s->lesser || !d->lesser || !d->spares(sqlstate))
        return false;
    s->lesser = true;
    send_full(s);
    return true;
}

/* What the role lacks, and where: insufficient_privilege. */
static bool inquire(struct engine_session *s, const struct postgres_failure *failure)
{
    if (!s->dialect->rights || s->inquired || strcmp(failure->sqlstate, "42501") != 0)
        return false;
    s->denied = *failure;
    s->inquired = true;
    s->asked = ASKED_RIGHTS;
    postgres_client_ask(s->client, s->dialect->rights);
    return true;
}

static void take_error(struct engine_session *s, const struct postgres_failure *failure)
{
    const struct postgres_dialect *d = s->dialect;
    struct postgres_failure told = *failure;
    const char *mend = d->mend ? d->mend(failure->sqlstate) : NULL;

    if (inquire(s, failure) || ask_for_less(s, failure->sqlstate))
        return;
    if (mend)
        snprintf(told.text, sizeof(told.text), "%s", mend);
    else if (s->inquired && strcmp(failure->sqlstate, "42501") == 0)
        snprintf(told.text, sizeof(told.text),
                 "%.100s, inside a function that homing's role may execute: grant it that, too",
                 failure->text);
    failed(s, &told);
}

/* NULL: none, or nobody knows. */
static const char *find_lacked(const struct engine_session *s, const struct postgres_answer *answer)
{
    const struct postgres_rows *rows = &answer->rows;
    bool has;

    if (answer->kind != POSTGRES_ANSWER_ROWS || rows->count != 1)
        return NULL;
    for (int i = 0; i < rows->columns && s->dialect->grants[i]; i++)
        if (postgres_value_truth(rows->texts[i], &has) && !has)
            return s->dialect->grants[i];
    return NULL;
}

static void take_rights(struct engine_session *s, const struct postgres_answer *answer)
{
    const char *lacked = find_lacked(s, answer);
    const struct postgres_rows *rows = &answer->rows;
    char text[POSTGRES_NOTE_SIZE];

    if (lacked) {
        postgres_note_lacks(lacked, postgres_client_database(s->client),
                            postgres_client_role(s->client), text);
        s->sink.failed(s->sink.arg, s->denied.kind, s->denied.hint, text);
        return;
    }
    s->may_identify = true;
    if (answer->kind == POSTGRES_ANSWER_ROWS && rows->count == 1 && rows->columns > 0)
        (void)postgres_value_truth(rows->texts[rows->columns - 1], &s->may_identify);
    take_error(s, &s->denied);
}

static void answered(void *arg, const struct postgres_answer *answer)
{
    struct engine_session *s = arg;

    if (s->asked == ASKED_RIGHTS)
        take_rights(s, answer);
    else if (answer->kind == POSTGRES_ANSWER_NONE)
        fail_odd(s, "the server answered a question with nothing");
    else if (s->asked == ASKED_DEPLOYMENT)
        take_deployment(s, answer);
    else if (answer->kind == POSTGRES_ANSWER_LARGE)
        failed(s, &answer->failure);
    else if (answer->kind == POSTGRES_ANSWER_ERROR)
        take_error(s, &answer->failure);
    else if (s->asked == ASKED_FULL && answer->kind == POSTGRES_ANSWER_ROWS)
        take_rows(s, &answer->rows);
    else if (s->asked == ASKED_CHEAP && is_still(s, answer))
        tell_answer(s);
    else
        send_full(s);
}

static void ready(void *arg)
{
    struct engine_session *s = arg;
    s->seen.report.authenticated = postgres_client_authenticated(s->client);
    s->sink.ready(s->sink.arg);
}

/* Connecting. */

/* As an operator of the file needs it: which one, what is wrong, what to do. */
static void note_password(struct engine_session *s, const char *file, int error)
{
    const char *wrong = conf_password_check(file);

    if (error == -ENOMEM)
        snprintf(s->early, sizeof(s->early), "out of memory");
    else
        snprintf(s->early, sizeof(s->early), "password_file %s %s", file,
                 wrong ? wrong : "could not be read when it was needed");
}

/* False: out of memory. */
static bool begin(struct engine_session *s, struct loop *loop,
                  const struct postgres_settings *settings)
{
    const struct postgres_events events = {
        .ready = ready,
        .answered = answered,
        .failed = failed,
        .arg = s,
    };

    if (s->early[0] == '\0') {
        s->client = postgres_client_new(loop, settings, &events);
        return s->client;
    }
    s->later = loop_timer_new(loop, fail_early, s);
    if (s->later)
        loop_timer_set(s->later, 0);
    return s->later;
}

static bool begin_with_password(struct engine_session *s, struct loop *loop,
                                const struct conf_cluster *cluster,
                                const struct conf_member *member, const struct address *address)
{
    char *password = NULL;
    int rv = conf_password(cluster, &password);

    if (rv < 0)
        note_password(s, cluster->password_file, rv);
    const struct postgres_settings settings = {
        .connection = cluster->connection,
        .host = member->host,
        .address = address->text,
        .port = address->inet.port,
        .password = password,
        .strange = s->strange,
    };
    bool begun = begin(s, loop, &settings);
    if (password)
        explicit_bzero(password, strlen(password));
    free(password);
    return begun;
}

void postgres_session_close(struct engine_session *s)
{
    if (!s)
        return;
    loop_timer_free(s->later);
    postgres_client_free(s->client);
    free(s);
}

struct engine_session *postgres_session_open(const struct postgres_dialect *dialect,
                                             struct loop *loop, const struct conf_cluster *cluster,
                                             const struct conf_member *member,
                                             const struct address *address, bool strange,
                                             const struct engine_sink *sink)
{
    struct engine_session *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->dialect = dialect;
    s->sink = *sink;
    s->strange = strange;
    if (!begin_with_password(s, loop, cluster, member, address)) {
        postgres_session_close(s);
        return NULL;
    }
    return s;
}

void postgres_session_adopt(struct engine_session *s, const struct engine_sink *sink)
{
    s->sink = *sink;
}

void postgres_session_ask(struct engine_session *s, enum question question)
{
    bool can = s->dialect->cheap ? !s->seen.unready : is_watched(s);

    s->hasty =
        question == QUESTION_CHEAP && s->introduced && !deployment_is_moving(s->seen.report.phase);
    if (!s->hasty || !can || !is_unchanged(s)) {
        send_full(s);
        return;
    }
    s->asked = ASKED_CHEAP;
    postgres_client_ask(s->client, s->dialect->cheap ? s->dialect->cheap : "");
}

int postgres_session_descriptor(const struct engine_session *s)
{
    return s->client ? postgres_client_descriptor(s->client) : -1;
}

void postgres_session_look(const struct engine_session *s, struct engine_look *ret_look)
{
    if (s->client)
        postgres_client_look(s->client, ret_look);
    else
        *ret_look = (struct engine_look){.stage = ENGINE_STAGE_BEFORE, .version = ""};
}
