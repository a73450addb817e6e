/* SPDX-License-Identifier: Apache-2.0
 *
 * parts.h - what the run*.c share. Private to them.
 */
#ifndef HOMING_AGENT_DAEMON_PARTS_H
#define HOMING_AGENT_DAEMON_PARTS_H

#include "agent/daemon/daemon.h"
#include "agent/daemon/history.h"
#include "agent/daemon/sever_orders.h"
#include "agent/decide/cluster.h"
#include "agent/probe/probe.h"
#include "agent/publish/view.h"
#include "agent/serve/serve.h"
#include "agent/state/state.h"

/* Clusters that a reload may add before the view must be exchanged. */
#define RUN_SPARE_CLUSTERS 8

/* A member spelled host:port, brackets around an IPv6 literal, and NUL. */
#define MEMBER_TEXT_SIZE (HOMING_NAME_MAX + 10)

/* A configuration lives as long as a cluster still uses it: those that a reload leaves alone keep
 * the one they were made from. */
struct run_conf {
    struct conf *conf;
    uint32_t refs;
};

struct run_endpoint {
    uint64_t id;         /* hash of its first name */
    uint64_t generation; /* only grows (DESIGN: across restarts too) */
    uint64_t answer;     /* answer_hash() of the last answer published; 0: none yet */
};

/* What was on disk last: another save is due when one of these differs. */
struct run_saved {
    struct verdict verdict;
    uint64_t generations; /* sum of the endpoints': each only grows */
    enum view_mode mode;
};

struct run_cluster {
    struct run *run;
    struct run_conf *held;
    const struct conf_cluster *conf;
    uint32_t index; /* in the view */
    struct cluster mind;
    struct probe *probe;
    struct loop_timer *wake;
    struct run_endpoint *endpoints; /* conf->endpoint_count */
    enum pace pace;
    enum view_mode mode; /* homingctl mode; or CONF_MODE_DEFAULT */
    struct run_saved saved;
    struct run_sever sever;
    uint64_t reader_incarnation[HOMING_MEMBERS_MAX]; /* of each member when it last was a reader */
    uint64_t refreshed_ms;                           /* confirmed_ms as the view has it */
    bool kept;                                       /* by the reload under way */
};

struct run {
    struct loop *loop;
    struct run_conf *held; /* the configuration in force */
    struct resolver *resolver;
    struct state *state; /* NULL: cannot be kept, see state_error */
    struct view *view;
    struct serve *serve;
    struct sever_client *sever_client;
    struct run_order *orders;      /* under way */
    uint32_t listings;             /* `connections` that are being collected */
    struct run_cluster **clusters; /* in the configuration's order */
    uint32_t cluster_count;
    struct loop_timer *beat;
    struct loop_timer *deadline; /* of the start */
    struct loop_signal *signals[3];
    uint64_t beat_ms;
    uint64_t watchdog_ms;
    uint64_t started_ms;
    int result;                   /* run_result() */
    bool visible;                 /* the sockets are in place */
    uint64_t descriptors_missing; /* with all members connected and the most clients */
    char state_error[256];        /* "": what is published is on disk */
    struct history history;
};

/* ---- daemon/daemon.c ---- */

/* Stamps the heartbeat if the last one is not quite fresh (V3): called on every wake-up, so that an
 * idle agent seldom wakes for it alone. */
void run_beat(struct run *run);

/* Renames the sockets into place once every cluster had its first answer. */
void run_check_ready(struct run *run);

/* The trouble with the state directory began, changed or (NULL) ended. */
void run_note_state(struct run *run, const char *error);

/* Finds out whether the limit of open files allows what is configured. */
void run_check_descriptors(struct run *run);
/* I6. */
void run_bound_memory(const struct run *run);

struct run_conf *run_conf_ref(struct run_conf *held);
void run_conf_unref(struct run_conf *held); /* NULL is allowed */

/* ---- daemon/cluster.c ---- */

/* Allocates, and starts its probe; nothing has an effect before _start or _inherit. NULL: ENOMEM.
 */
struct run_cluster *run_cluster_new(struct run *run, struct run_conf *held,
                                    const struct conf_cluster *conf);
void run_cluster_free(struct run_cluster *rc); /* NULL is allowed */

/* Reads the saved state and publishes it. */
void run_cluster_start(struct run_cluster *rc);

/* The same cluster under a new configuration: takes over what `old` knows. */
void run_cluster_inherit(struct run_cluster *rc, struct run_cluster *old);

/* The operator's word: EVENT_ACCEPT, EVENT_FREEZE, EVENT_UNFREEZE. */
enum refusal run_cluster_order(struct run_cluster *rc, const struct event *event);

/* Another agent saved something newer: takes it over, and asks everybody. Publishes nothing. */
void run_cluster_merge(struct run_cluster *rc);

/* Whether every member had its say, or the writer did. */
bool run_cluster_ready(const struct run_cluster *rc);

struct run_cluster *run_cluster_find(const struct run *run, const char *name);

/* ---- daemon/publish.c ---- */

/* Persists what changed, then publishes (W2). */
void run_publish(struct run_cluster *rc);

/* Only the time of confirmation grew: into the view at most once a second, and to disk if due. */
void run_publish_confirmed(struct run_cluster *rc, bool persist);

/* Writes the cluster into `view` as it stands; -ENOSPC: the view is full. */
int run_publish_into(struct run_cluster *rc, struct view *view);

/* Saves, if anything that must survive differs from what is on disk; `force`: in any case.
 * -errno: it could not be saved, which was said. */
int run_save(struct run_cluster *rc, bool force);

/* What is known now is what is on disk: it was just read from there, or written. */
void run_save_note(struct run_cluster *rc);

/* A view with room for all of `clusters`, which are numbered anew and written into it. */
int run_publish_grow(struct run *run, struct run_cluster **clusters, uint32_t count);

/* What the view says of a name at this moment, read as every shim reads it. False: nothing. */
bool run_view_read(const struct run *run, const char *text, struct view_entry *ret_entry);

/* ---- daemon/text.c: words for log, status and explain ---- */

void run_text_member(const struct conf_member *member, char ret[MEMBER_TEXT_SIZE]);
/* As above; "none" for MEMBER_NONE or one that is not configured. */
void run_text_member_at(const struct run_cluster *rc, uint32_t member, char ret[MEMBER_TEXT_SIZE]);
/* Index of a member given as host:port, or as host where only one has it; MEMBER_NONE: no such, or
 * several. */
uint32_t run_text_find_member(const struct conf_cluster *conf, const char *text);
void run_text_term(struct term term, char *ret, size_t size); /* "7"; "none" */
/* What is wrong, and the command that resolves it ("" if there is none). */
void run_text_alarm(const struct run_cluster *rc, enum alarm alarm, char *ret_text,
                    size_t text_size, char *ret_command, size_t command_size);

/* ---- daemon/events.c: log lines and history ---- */

/* Says what became of `before` since `began_ms`, when `cause` (NULL: none) came in. */
void run_events_verdict(struct run_cluster *rc, const struct verdict *before,
                        const struct report *cause, uint64_t began_ms);
/* Says that a writer endpoint has another answer: the writer's address may change without a switch.
 */
void run_events_answer(const struct run_cluster *rc, uint32_t endpoint,
                       const struct view_entry *entry);
/* Says with what the agent began. */
void run_events_restored(struct run_cluster *rc);
void run_events_alarms(struct run_cluster *rc, uint32_t raised, uint32_t cleared);
/* Audit: who ordered what. */
void run_events_order(struct run_cluster *rc, const struct serve_peer *peer, const char *order);

/* ---- admin/status.c, admin/explain_cluster.c: results of methods ---- */

void run_status_put(struct run *run, struct msg_writer *w);
void run_status_put_cluster(struct run_cluster *rc, struct msg_writer *w);
void run_explain_put(struct run_cluster *rc, const struct conf_endpoint *endpoint, const char *name,
                     struct msg_writer *w);
/* The keys "addresses" and "ports" and what programs get: the preferred family first; of a reader
 * endpoint, all readers. */
void run_explain_put_addresses(const struct run *run, const struct view_entry *entry,
                               struct msg_writer *w);

/* ---- admin/methods.c ---- */

serve_fn run_methods_serve;

#endif
