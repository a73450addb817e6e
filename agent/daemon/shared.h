/* SPDX-License-Identifier: Apache-2.0
 *
 * shared.h - struct daemon and struct cluster: what the files of this folder, and admin, look at.
 * Each field is written by the one file that its comment names.
 */
#ifndef HOMING_AGENT_DAEMON_SHARED_H
#define HOMING_AGENT_DAEMON_SHARED_H

#include "agent/conf/conf.h"
#include "agent/daemon/history.h"
#include "agent/daemon/members.h"
#include "agent/decide/decision.h"
#include "agent/decide/warnings.h"
#include "agent/discover/roster.h"
#include "agent/probe/probe.h"
#include "agent/publish/view.h"
#include "agent/serve/serve.h"
#include "agent/sever/client/sever_client.h"
#include "agent/state/state.h"

/* A configuration lives as long as a cluster uses it: a cluster that a reload leaves alone keeps
 * the one that it was made from. */
struct shared_conf {
    struct conf *conf;
    uint32_t refs;
};

/* persist.c: what is on disk. Another save is due when one of these differs. */
struct persisted {
    struct verdict verdict;
    uint64_t generations; /* sum of the endpoints': each only grows */
    uint64_t places;      /* elsewhere_mark() */
    uint64_t discovered;  /* roster_mark() */
    uint64_t spared;
    enum view_mode mode;
};

/* sever_orders.c: layer 3 of one cluster. */
struct severing {
    bool due;                            /* something may have to be ordered */
    bool again_due;                      /* the last order has to be repeated */
    bool switched;                       /* this agent switched, and nothing was ordered yet */
    bool first[SEVER_OBSERVE + 1];       /* the next order of this kind is its first for that */
    uint64_t untold;                     /* sever_target_untold(), at any time since then */
    uint64_t unheard;                    /* the same at the last look */
    uint64_t switched_ms;                /* when the report that decided the switch came in */
    uint32_t pending;                    /* orders without reply */
    uint32_t repeats;                    /* how often the last order was repeated so far */
    struct loop_timer *again;            /* its next repetition */
    uint64_t ordered[SEVER_OBSERVE + 1]; /* mark of the target ordered last; 0: none */
    uint64_t severed;                    /* connections, since the start */
    uint64_t would_sever;                /* the same in observe */
    uint64_t not_severed;                /* connections that the kernel did not abort */
    uint64_t older;                      /* without a tag, but known before homing-sever: spared */
    uint64_t spared;                     /* of these, spared at the last switch and still there */
    uint64_t spared_found;               /* the same, as far as the look under way has counted */
    uint32_t looking;                    /* its orders without reply */
    struct loop_timer *look;             /* the next look */
    uint64_t redirected;                 /* the node's counts when the last switch was ordered */
    uint64_t would_redirect;
    uint64_t behind;   /* the node's count when the last order was due for it */
    uint64_t returned; /* lost_returned(), likewise */
};

/* elsewhere.c: one place (W11). */
struct cluster_place {
    struct probe_place is;
    uint64_t identity;    /* of a left address: the data set that was there; 0: not known */
    uint64_t incarnation; /* the same of the server */
    bool still;           /* of a left address: that data set answers there still */
    bool behind;          /* W4a: the same: a blue/green switchover had left it behind */
};

/* told.c: whom a member named last, as masks of members. */
struct told {
    uint32_t green, kin;
    bool stray; /* one that is green is no member */
    bool anew;  /* and its report has not come yet */
};

/* told.c: the green server that was named last and is no member. */
struct stray {
    char host[HOMING_NAME_MAX + 1]; /* "": none was named since the start */
    uint16_t port;
};

/* discovery.c: members that servers named. */
struct discovery {
    const struct conf_cluster *base; /* as the operator wrote it */
    struct conf_cluster own;         /* the same with the members that there are: cluster->conf */
    struct own_members *own_members;
    struct roster roster; /* of those that are not configured */
    uint64_t mark;        /* roster_mark() as `own` has it */
    uint64_t exchanged_ms;
    struct topology heard;             /* rows that no report followed yet */
    const struct conf_member *pending; /* of this member or seed; NULL: there are none */
    struct conf_cluster seed_conf;     /* the operator's, with the seeds as members */
    struct probe *seeds;               /* NULL: they are not asked */
    char seed_errors[CONF_SEEDS_MAX][ENGINE_TEXT_MAX];
    const char *seed_said
        [CONF_SEEDS_MAX]; /* why its last rows brought nobody; NULL: they did, or none came */
    bool seed_denied;     /* one refused the credentials: it is not asked again before a reload */
};

/* cluster.c, but where another file is named. */
struct cluster {
    struct daemon *daemon;
    struct shared_conf *held;
    const struct conf_cluster *conf;
    struct discovery *discovery; /* NULL: its members are those of the configuration */
    struct told told[HOMING_MEMBERS_MAX];
    struct stray stray;
    uint32_t index; /* in the view: publish.c and reload.c */
    struct decision decision;
    struct members members;
    struct probe *probe;
    struct loop_timer *wake;
    struct state_endpoint *endpoints; /* conf->endpoint_count; a generation only grows */
    enum pace pace;
    enum view_mode mode; /* homingctl mode; 0: as configured */
    struct persisted persisted;
    struct severing severing;
    struct warnings warnings;
    bool no_password;                        /* it could not be read when it was looked at last */
    struct cluster_place places[PLACES_MAX]; /* elsewhere.c, and the next three */
    uint64_t leaving_identity;               /* of the address that is being left */
    uint64_t leaving_incarnation;
    bool leaving_behind;
    bool turning;          /* a decision is being carried out: the next one waits */
    bool tick_due;         /* and this is that it has to come */
    uint64_t refreshed_ms; /* confirmed_ms as the view has it: publish.c */
    bool kept;             /* by the reload under way: reload.c */
};

/* daemon.c, but where another file is named. */
struct daemon {
    struct loop *loop;
    struct shared_conf *held; /* the configuration in force: also reload.c */
    struct resolver *resolver;
    const struct engine *const *engines; /* how each is asked */
    struct state *state;                 /* NULL: cannot be kept, see state_error */
    struct view *view;                   /* publish.c and reload.c */
    struct serve *serve;
    struct sever_client *sever_client; /* sever_orders.c */
    struct sent_order *orders;         /* under way: sever_orders.c */
    uint32_t listings;                 /* being collected: admin/connections.c */
    struct cluster **clusters;         /* in the configuration's order: also reload.c */
    uint32_t cluster_count;
    struct loop_timer *beat;
    struct loop_timer *deadline; /* of the start */
    struct loop_timer *exchange; /* of clusters whose members are others: discovery.c */
    struct loop_signal *signals[3];
    uint64_t beat_ms;
    uint64_t watchdog_ms;
    uint32_t password_next; /* the cluster whose password is looked at next */
    uint64_t started_ms;
    int result;                   /* daemon_result() */
    bool visible;                 /* the sockets are in place */
    uint64_t descriptors_missing; /* if all members are connected and all clients there: reload.c */
    char serve_error[256];        /* "": the sockets can be reached at their names */
    char state_error[256];        /* "": what is published is on disk; persist.c */
    bool missing_unsaved;         /* whose permits were lost is not on disk; persist.c */
    struct history history;       /* events.c */
    /* Called by cluster.c when a report or a tick has been dealt with. */
    void (*turned)(struct daemon *daemon);
};

/* The cluster as the operator wrote it. */
static inline const struct conf_cluster *cluster_configured(const struct cluster *cluster)
{
    return cluster->discovery ? cluster->discovery->base : cluster->conf;
}

#endif
