/* Rematerialization: values that are needed again after a long gap, such as those that the forward pass makes and
 * the backward pass reads, are dropped in between, and the steps that made them run once more (Chen et al. 2016,
 * "Training deep nets with sublinear memory cost"). It works on an order of steps whose kernels are chosen: a step
 * that runs again has the same kernel, arguments and layout, and so makes the same bits.
 *
 *     remat_model.c      steps and storages of an order: who reads and writes what, what it costs
 *     remat_schedule.c   from decisions (what to drop) to a schedule: steps again, lives of storages, peak, cost
 *     remat_search.c     a ladder of decisions, each of less memory and more arithmetic
 *     remat_apply.c      writes a schedule into the intermediate form
 */
#ifndef WEFT_GRAPH_REMAT_H
#define WEFT_GRAPH_REMAT_H

#include "graph/ir.h"

/* A step's use of a storage of the arena. */
typedef struct weft_remat_access {
    int storage;
    int use;        /* number of the step among the storage's users */
    uint64_t parts; /* of the storage, as bits of its writers: those that the step reads */
    uint64_t own;   /* and that which it writes */
} weft_remat_access;

typedef struct weft_remat_step {
    int node;
    weft_remat_access *access; /* each storage once */
    int accesses;
    uint64_t writes; /* bits of accesses; with more than WEFT_REMAT_MASK it does not run again */
    int *variable;   /* storages of variables that it reads */
    int variables;
    int *over; /* accesses that output 0 may take the place of */
    int overs;
    int written;       /* access that is output 0, -1: none */
    int64_t workspace; /* bytes */
    double cost;       /* about cycles of all cores */
    bool repeatable;
} weft_remat_step;

enum { WEFT_REMAT_GAPS = 3, WEFT_REMAT_MASK = 64 };

typedef struct weft_remat_storage {
    int64_t bytes; /* 0: not of the transient arena */
    int *use;      /* steps that read or write it */
    int uses;
    int *
        writer; /* steps, WEFT_REMAT_MASK at most unless pinned: each makes a part of the storage */
    int writers;
    bool pinned;     /* never dropped: small, fetched, or made by steps that do not run again */
    bool lasts;      /* to the end: fetched */
    int late_writer; /* of a variable: the step that changes it, if it may run later; -1 */
    int gap
        [WEFT_REMAT_GAPS]; /* uses after which nobody reads it for a long time, the longest first */
    int gaps;
} weft_remat_storage;

typedef struct weft_remat_model {
    weft_ir *ir;
    weft_remat_step *step;
    int steps;
    weft_remat_storage *storage;
    int storages;
    size_t parts; /* of all storages */
    double cost;  /* of all steps of a micro-batch, with its share of what runs once */
} weft_remat_model;

/* How a storage is treated: kept, or dropped in its longest gaps. What was made again for others only may be kept
 * from then on until its own readers come, or not. */
typedef enum weft_remat_level {
    WEFT_REMAT_KEEP = 0,
    WEFT_REMAT_DROP,      /* in its longest gap */
    WEFT_REMAT_DROP_LAZY, /* and made again for its own readers once more */
    WEFT_REMAT_DROP_TWICE,
    WEFT_REMAT_DROP_THRICE,
    WEFT_REMAT_LEVELS
} weft_remat_level;

/* The number of gaps in which a storage of this level is dropped. */
static inline int weft_remat_dropped_gaps(int level)
{
    static const uint8_t gaps[WEFT_REMAT_LEVELS] = {0, 1, 1, 2, WEFT_REMAT_GAPS};
    return gaps[level];
}

/* A position of a schedule. */
typedef struct weft_remat_position {
    int step;
    bool again;
    uint64_t creates; /* accesses whose storage begins a life here */
    uint64_t dummies; /* accesses whose storage lives here only: nobody needs it */
    bool moves;       /* scratch */
} weft_remat_position;

/* Bytes from one position to another, both inclusive. */
typedef struct weft_remat_life {
    int storage;
    int first, last;
    bool dummy;
} weft_remat_life;

typedef struct weft_remat_schedule {
    const weft_remat_model *model;
    weft_remat_position *position;
    int positions, capacity;
    int *place;               /* of each step, where it runs first */
    weft_remat_life *life_of; /* in order of their first positions */
    int lives, life_capacity;
    int64_t *live; /* bytes at each position */
    int64_t peak;  /* INT64_MAX where the schedule would be too long */
    double cost;   /* of what runs again */
    /* scratch */
    weft_remat_position *sunk;
    uint64_t *present; /* of each storage: the parts that are there */
    uint64_t *missing; /* and those that the batch makes */
    int *life;         /* of each storage: the current one */
    int *after;        /* of each step that changes variables: the last that reads them */
    int *marked_step, *marked_storage, mark;
    int *batch, batches; /* steps that run again next */
    int *made, mades;    /* storages that they make */
    int *stack;
} weft_remat_schedule;

weft_status weft_remat_model_build(weft_ir *ir, weft_remat_model *model);

weft_status weft_remat_schedule_begin(const weft_remat_model *model, weft_remat_schedule *schedule);
/* One level for each storage. */
void weft_remat_schedule_make(weft_remat_schedule *schedule, const uint8_t *level);

/* A plan: what is dropped, and what comes of it. */
typedef struct weft_remat_plan {
    uint8_t *level;
    int64_t peak; /* the least that an arena needs for it, about */
    double cost;
} weft_remat_plan;

typedef struct weft_remat_ladder {
    weft_remat_plan *plan; /* each costs more and has a smaller peak than those before */
    int plans, capacity;
} weft_remat_ladder;

/* The first plan is the one of the smallest peak that costs at most free_cost; `all`: the others too. */
weft_status weft_remat_search(const weft_remat_model *model, double free_cost, bool all,
                              weft_remat_ladder *ladder);

/* The intermediate form with the steps of the schedule, in its order; *result's arrays are new ones. */
weft_status weft_remat_apply(const weft_remat_schedule *schedule, weft_ir *result);

#endif
