/* SPDX-License-Identifier: Apache-2.0
 *
 * bluegreen_stage.c - see bluegreen_stage.h.
 */
#include "config.h"

#include <string.h>

#include "tests/model/bluegreen_stage.h"

enum {
    ROUND_MS = 60,
    ROUNDS = 8
};

struct stage stage;

static const struct decision_conf conf = {.members = MEMBERS,
                                          .interval_ms = 250,
                                          .fast_interval_ms = 50,
                                          .timeout_ms = 1000,
                                          .max_stale_ms = UINT32_MAX};

static void must(bool good, const char *rule)
{
    if (!good && !stage.broken)
        stage.broken = rule;
}

/* ---- the bystander ---- */

/* Before the decision hears it. */
static void overhear(uint32_t m)
{
    const struct situation *s = &stage.scene.is[m];
    struct bystander *by = &stage.by;
    bool names = stage.c.verdict.writer != C && (by->left >> C & 1) == 0;

    if (m != stage.c.verdict.writer)
        return;
    by->renamed = s->names_b && (by->left >> B & 1);
    if (s->phase < PHASE_AVAILABLE) {
        if (by->phase >= PHASE_IN_PROGRESS)
            return;
        by->green = by->green && stage.c.topo.at[C].last.role == ROLE_WRITER;
        by->phase = PHASE_NONE;
        return;
    }
    if (!names || (by->phase == PHASE_NONE && s->phase >= PHASE_IN_PROGRESS))
        return;
    if (s->phase == PHASE_AVAILABLE)
        by->green = names;
    else if (s->phase == PHASE_IN_PROGRESS)
        by->green |= names;
    by->phase = by->green ? s->phase : PHASE_NONE;
}

/* The two halves of the evidence, each by its own last word. */
static bool is_handed_over(uint32_t writer)
{
    const struct situation *w = &stage.scene.is[writer], *c = &stage.scene.is[C];

    if (!stage.by.green || writer == C || !c->up || !c->writer)
        return false;
    return stage.by.phase >= PHASE_POST ||
           (stage.by.phase == PHASE_IN_PROGRESS && c->phase >= PHASE_POST &&
            (!w->up || !w->writer || w->phase == PHASE_NONE));
}

static void judge_move(const struct verdict *was, bool accepted, bool handed_over)
{
    uint32_t to = stage.c.verdict.writer;

    stage.moves++;
    must(stage.scene.is[to].up && stage.scene.is[to].writer, "W1: only who claims is published");
    if (accepted || was->writer == MEMBER_NONE)
        return;
    must((stage.by.left >> to & 1) == 0, "W4a: who was left behind is never followed");
    must(to != C || !stage.by.green || handed_over, "W4a: only the writer hands over");
    must((to == C && handed_over) || !stage.scene.is[was->writer].up ||
             !stage.scene.is[was->writer].writer || stage.by.phase >= PHASE_POST,
         "W3: a living writer stays");
}

/* Another one is the writer, or is accepted. */
static void crown(bool accepted)
{
    uint32_t to = stage.c.verdict.writer;
    bool handed = to == C && stage.by.green;

    if (handed)
        stage.by.left = 1u << A | 1u << B;
    stage.by.left &= ~(1u << to);
    if (handed || accepted) {
        stage.by.renamed = stage.by.green = false;
        stage.by.phase = PHASE_NONE;
    }
}

/* Before the bystander learns of it. `was`: what was known of B until then. */
static void judge_renamed(const struct topo_member *was)
{
    const struct scene *s = &stage.scene;
    bool gone = was->unanswered >= TOPO_GONE || !s->is[B].up;

    stage.renamed++;
    must((stage.by.left >> B & 1) && stage.by.renamed, "W4a: the writer's own word renames");
    must(s->leads != LEADS_HOME && s->elsewhere.up, "W4a: DNS names where it is");
    must(s->elsewhere.incarnation == NEW, "W4a: another server is there");
    must(gone || s->leads == LEADS_AWAY, "W4a: the old address is gone, or left by DNS");
}

static void move_b(void)
{
    struct scene *s = &stage.scene;

    s->left = s->is[B];
    s->is[B] = s->elsewhere;
    s->elsewhere = (struct situation){0};
    s->leads = LEADS_HOME;
    s->moved = true;
    stage.by.left &= ~(1u << B);
    stage.by.renamed = false;
    decision_set_place(&stage.c, LEFT - HOMING_MEMBERS_MAX,
                       &(struct topo_place){.kind = PLACE_LEFT, .member = B, .behind = true});
}

static void compare(void)
{
    const struct verdict *v = &stage.c.verdict;

    must(v->green == (stage.by.green ? 1u << C : 0), "W4a: whom the writer named is green");
    must(v->retired == stage.by.left, "W4a: who was left behind is known");
    must(((v->renamed >> B & 1) != 0) == stage.by.renamed, "W4a: who was renamed is known");
    must(v->phase == stage.by.phase, "W4a: the writer's last word");
    must((v->readers & (v->green | v->retired)) == 0, "W4a: neither serves readers");
    must(!stage.by.green || v->rival != C || v->writer == MEMBER_NONE,
         "W4a: a green member is no rival");
}

static void tell(const struct event *event)
{
    struct verdict was = stage.c.verdict;
    struct topo_member b = stage.c.topo.at[B];
    struct actions acts;

    if (event->kind == EVENT_REPORT && event->report.kind == REPORT_ANSWER &&
        event->report.member < MEMBERS)
        overhear(event->report.member);
    bool handed_over = was.writer != MEMBER_NONE && is_handed_over(was.writer);
    enum refusal refusal = decision_handle(&stage.c, event, stage.now_ms, &acts);
    bool accepted = event->kind == EVENT_ACCEPT && refusal == REFUSAL_NONE;
    if (refusal == REFUSAL_NONE && acts.moved != MEMBER_NONE) {
        must(acts.moved == B && acts.left_behind, "W4a: who was left behind moves");
        judge_renamed(&b);
        move_b();
    }
    if (stage.c.verdict.writer != was.writer || accepted) {
        judge_move(&was, accepted, handed_over);
        crown(accepted);
    }
    compare();
}

/* ---- what happens ---- */

static struct situation *at_voice(uint32_t voice)
{
    return voice < MEMBERS ? &stage.scene.is[voice]
           : voice == LEFT ? &stage.scene.left
                           : &stage.scene.elsewhere;
}

static void hear(uint32_t m)
{
    const struct situation *s = at_voice(m);
    struct event event = {.kind = EVENT_REPORT};

    if (!s->up)
        return;
    event.report = (struct report){
        .member = m,
        .kind = REPORT_ANSWER,
        .asked_ms = stage.now_ms,
        .role = s->writer ? ROLE_WRITER : ROLE_READER,
        .identity = 1,
        .incarnation = s->incarnation                ? s->incarnation
                       : m == ELSEWHERE || m == LEFT ? OLD
                                                     : 100 + m,
        .term = {0, 1},
        .fenced = true,
        .phase = s->phase,
        .names_green = true,
        .kin = s->names_b ? 1u << B : 0,
        .green = s->phase >= PHASE_AVAILABLE ? 1u << C : 0,
    };
    tell(&event);
}

void silence(uint32_t m)
{
    tell(&(struct event){.kind = EVENT_REPORT, .report = {.member = m, .kind = REPORT_REFUSED}});
}

/* The other way round: the new server is found, and followed when it takes over. */
static void settle_renamed(uint32_t writer)
{
    const struct scene *s = &stage.scene;
    bool gone = !s->is[B].up || s->leads == LEADS_AWAY;

    must(!(stage.by.renamed && s->leads != LEADS_HOME && gone && s->elsewhere.up &&
           s->elsewhere.incarnation == NEW &&
           (!s->elsewhere.writer || !s->is[C].up || !s->is[C].writer)),
         "W4a: who is to be found under the old name is found there");
    /* But not who has not noticed that C took over from it. */
    must(!(s->moved && writer == C && (!s->is[C].up || !s->is[C].writer) && s->is[B].up &&
           s->is[B].writer && !verdict_is_unyielding(&stage.c.verdict, s->is[B].incarnation)),
         "W3a: a failover to the new server is followed");
}

static void settle(void)
{
    for (int i = 0; i < ROUNDS && !stage.broken; i++) {
        stage.now_ms += ROUND_MS;
        tell(&(struct event){.kind = EVENT_TICK});
        for (uint32_t m = 0; m < MEMBERS; m++)
            hear(m);
        hear(LEFT);
        hear(ELSEWHERE);
    }
    uint32_t writer = stage.c.verdict.writer;
    settle_renamed(writer);
    must(writer == MEMBER_NONE || !is_handed_over(writer),
         "W4a: who was handed over to is followed");
}

static void set_places(void)
{
    const struct scene *s = &stage.scene;

    decision_set_place(
        &stage.c, ELSEWHERE - HOMING_MEMBERS_MAX,
        &(struct topo_place){.kind = s->leads == LEADS_HOME ? PLACE_FREE : PLACE_CANDIDATE,
                             .member = B,
                             .named = true,
                             .abandoned = s->leads == LEADS_AWAY});
    decision_set_place(&stage.c, LEFT - HOMING_MEMBERS_MAX,
                       &(struct topo_place){.kind = s->moved ? PLACE_LEFT : PLACE_FREE,
                                            .member = B,
                                            .behind = true});
}

static void restart(void)
{
    struct verdict saved = stage.c.verdict;
    struct actions acts;

    uint64_t known = topo_incarnation(&stage.c.topo, B), shown[TOPO_SHOWN_MAX];

    memcpy(shown, stage.c.topo.shown, sizeof(shown));
    decision_init(&stage.c, &conf, &saved, stage.now_ms, &acts);
    set_places();
    decision_note_known(&stage.c, B, known);
    for (size_t i = 0; stage.scene.moved && i < TOPO_SHOWN_MAX; i++)
        decision_note_shown(&stage.c, shown[i]);
    for (uint32_t m = 0; m < MEMBERS; m++)
        if (!stage.scene.is[m].up)
            silence(m);
}

/* What DNS says matters once there is somebody to be found. */
static void lead(enum leads leads)
{
    if (stage.scene.moved || (stage.by.left >> B & 1) == 0)
        return;
    stage.scene.leads = leads;
    if (leads == LEADS_HOME) /* who is there is told when DNS names it again */
        stage.scene.elsewhere = (struct situation){0};
    set_places();
    tell(&(struct event){.kind = EVENT_TICK});
}

static void hear_or_not(uint32_t voice)
{
    if (at_voice(voice)->up)
        hear(voice);
    else
        silence(voice);
}

/* B's old server by another address is one server with it. */
static void old_elsewhere(void)
{
    stage.scene.elsewhere = stage.scene.is[B];
    hear_or_not(ELSEWHERE);
}

static bool is_old_elsewhere(void)
{
    const struct scene *s = &stage.scene;

    return !s->moved && s->leads != LEADS_HOME && s->elsewhere.up &&
           s->elsewhere.incarnation != NEW;
}

static void says(uint32_t voice, const struct situation *is)
{
    struct scene *s = &stage.scene;

    if ((voice == ELSEWHERE && s->leads == LEADS_HOME) || (voice == LEFT && !s->moved))
        return;
    if (voice == ELSEWHERE && is->incarnation != NEW) {
        old_elsewhere();
        return;
    }
    *at_voice(voice) = *is;
    if (voice == B && s->moved) /* it is the new one that says so */
        s->is[B].incarnation = NEW;
    hear(voice);
    if (voice == B && is_old_elsewhere())
        old_elsewhere();
}

void take_step(const struct step *step)
{
    switch (step->kind) {
    case KIND_SAYS:
        says(step->member, &step->says);
        break;
    case KIND_DIES:
        at_voice(step->member)->up = at_voice(step->member)->writer = false;
        silence(step->member);
        if (step->member == B && is_old_elsewhere())
            old_elsewhere();
        break;
    case KIND_LEADS:
        lead((enum leads)step->member);
        break;
    case KIND_RESTART:
        restart();
        break;
    default:
        tell(&(struct event){.kind = EVENT_ACCEPT, .member = step->member});
    }
    settle();
}

/* ---- from state to state ---- */

void leave(struct state *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->scene = stage.scene;
    ret->by = stage.by;
    ret->verdict = stage.c.verdict;
    memcpy(ret->at, stage.c.topo.at, sizeof(ret->at));
    ret->elsewhere = stage.c.topo.at[ELSEWHERE];
    ret->left = stage.c.topo.at[LEFT];
    memcpy(ret->shown, stage.c.topo.shown, sizeof(ret->shown));
    ret->shown_next = stage.c.topo.shown_next;
}

static void entered(struct topo_member *to, const struct topo_member *from)
{
    *to = *from;
    to->answered_ms = to->last.asked_ms = stage.now_ms;
}

/* Back to where a step had ended: all who are up have just answered. */
void enter(const struct state *s)
{
    struct actions acts;

    stage.now_ms = 100000000;
    decision_init(&stage.c, &conf, NULL, stage.now_ms, &acts);
    stage.scene = s->scene;
    stage.by = s->by;
    stage.c.verdict = s->verdict;
    set_places();
    memcpy(stage.c.topo.shown, s->shown, sizeof(s->shown));
    stage.c.topo.shown_next = s->shown_next;
    entered(&stage.c.topo.at[ELSEWHERE], &s->elsewhere);
    entered(&stage.c.topo.at[LEFT], &s->left);
    stage.c.verdict.confirmed_ms = stage.now_ms;
    if (stage.c.verdict.phase_ms != 0)
        stage.c.verdict.phase_ms = stage.now_ms;
    for (uint32_t m = 0; m < MEMBERS; m++)
        entered(&stage.c.topo.at[m], &s->at[m]);
}
