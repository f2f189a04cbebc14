/* What a program's memory is for, where it is and when: collected from its steps, values and slots. */
#include "graph/plan.h"

#include "base/error.h"
#include "base/memory.h"
#include "graph/core_ops.h"
#include "graph/node.h"
#include "graph/program.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* What weft_plan_create hands out. */
typedef struct owned_plan {
    weft_plan plan; /* first */
    weft_pool pool;
} owned_plan;

/* A slot, and what is known of the values in it. */
typedef struct place {
    const weft_slot *slot;
    int64_t largest; /* bytes */
    int value;       /* the largest, of these the first written; -1: none */
    int written;     /* by which step; INT_MAX: an alias of what others wrote */
    int writer;      /* the step that writes into it first */
    int values;
    bool gradient; /* an update reads it as its variable's */
    const weft_step *workspace_of;
} place;

typedef struct planner {
    const weft_program *program;
    owned_plan *owned;
    weft_plan *plan;
    weft_planned_step *step;
    weft_placement *placement;
    weft_pool scratch;
    place *place;  /* of each slot */
    int *place_of; /* of each storage, -1: not in the arena */
    int *writer;   /* step of each value; -1: none */
    int turn;      /* the first step of the backward pass; steps: there is none */
    bool failed;   /* out of memory */
} planner;

const char *weft_memory_text(weft_memory memory)
{
    static const char *const texts[] = {
#define WEFT_MEMORY_TEXT(name, text) text,
        WEFT_MEMORY_TABLE(WEFT_MEMORY_TEXT)
#undef WEFT_MEMORY_TEXT
    };
    return memory >= 0 && memory < WEFT_MEMORIES ? texts[memory] : "";
}

static const char *copy(planner *p, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *memory = weft_pool_allocate(&p->owned->pool, bytes);
    p->failed |= !memory;
    return memory ? memcpy(memory, text, bytes) : "";
}

/* ---- Steps ---- */

static weft_stage stage_of(const weft_program *program, const weft_step *step)
{
    if (step->op->family == WEFT_FAMILY_UPDATE)
        return WEFT_STAGE_UPDATE;
    return weft_node_get(program->graph, step->graph_node)->backward ? WEFT_STAGE_BACKWARD
                                                                     : WEFT_STAGE_FORWARD;
}

static void add_steps(planner *p)
{
    const weft_program *program = p->program;
    p->turn = program->steps;
    for (int i = program->steps - 1; i >= 0; i--) {
        const weft_step *step = &program->step[i];
        p->step[i] = (weft_planned_step){.name = copy(p, step->name),
                                         .op = copy(p, step->label),
                                         .family = step->op->family,
                                         .stage = stage_of(program, step)};
        if (p->step[i].stage == WEFT_STAGE_BACKWARD && i >= program->hoisted_steps)
            p->turn = i;
        for (int k = step->inputs; k < step->inputs + step->outputs; k++)
            p->writer[step->value[k]] = i;
    }
}

/* ---- What lies where ---- */

static place *place_of_value(planner *p, int value)
{
    int storage = p->program->value[value].storage;
    int index = storage < 0 ? -1 : p->place_of[storage];
    return index < 0 ? NULL : &p->place[index];
}

/* Values are looked at in the order of the graph; of equal ones the first written gives its name. */
static void add_value(planner *p, int value)
{
    place *at = place_of_value(p, value);
    if (!at)
        return;
    int64_t bytes = (int64_t)weft_tensor_bytes(&p->program->value[value].tensor);
    int written = p->writer[value] < 0 ? INT_MAX : p->writer[value];
    if (at->value < 0 || bytes > at->largest || (bytes == at->largest && written < at->written)) {
        at->value = value;
        at->largest = bytes;
        at->written = written;
    }
    at->writer = written < at->writer ? written : at->writer;
    at->values += written != INT_MAX;
}

/* Whether an update reads what lies there as the gradient of a variable. */
static void mark_gradients(planner *p, const weft_step *step)
{
    if (step->op->family != WEFT_FAMILY_UPDATE || !step->op->writes)
        return;
    const weft_tensor *variable =
        &p->program->value[step->value[__builtin_ctz(step->op->writes)]].tensor;
    for (int k = 0; k < step->own_inputs; k++) {
        place *at = place_of_value(p, step->value[k]);
        if (at && at->writer >= p->turn && at->writer < p->program->steps &&
            weft_tensor_elements(&p->program->value[step->value[k]].tensor) ==
                weft_tensor_elements(variable))
            at->gradient = true;
    }
}

/* The step whose workspace, or what it prepares, is there: the only one that has a slot without values. */
static void find_workspace(planner *p, place *at)
{
    const weft_program *program = p->program;
    int first = at->slot->kept ? 0 : at->slot->first, last = at->slot->last;
    for (int i = first; i <= last && i < program->steps && !at->workspace_of; i++) {
        const weft_step *step = &program->step[i];
        if ((step->workspace_bytes && step->workspace_offset == at->slot->offset) ||
            (step->prepared_bytes && step->prepared_offset == at->slot->offset))
            at->workspace_of = step;
    }
}

static bool find_places(planner *p)
{
    const weft_program *program = p->program;
    int storages = 1;
    for (int i = 0; i < program->slots; i++)
        storages = program->slot[i].storage >= storages ? program->slot[i].storage + 1 : storages;
    for (int v = 0; v < program->values; v++)
        storages = program->value[v].storage >= storages ? program->value[v].storage + 1 : storages;
    p->place = weft_pool_array(&p->scratch, (size_t)program->slots, sizeof(place));
    p->place_of = weft_pool_array(&p->scratch, (size_t)storages, sizeof(int));
    if (!p->place || !p->place_of)
        return false;
    for (int s = 0; s < storages; s++)
        p->place_of[s] = -1;
    for (int i = 0; i < program->slots; i++) {
        p->place[i] = (place){.slot = &program->slot[i], .value = -1, .writer = INT_MAX};
        p->place_of[program->slot[i].storage] = i;
    }
    for (int v = 0; v < program->values; v++)
        add_value(p, v);
    for (int i = 0; i < program->steps; i++)
        mark_gradients(p, &program->step[i]);
    for (int i = 0; i < program->slots; i++)
        if (p->place[i].value < 0)
            find_workspace(p, &p->place[i]);
    return true;
}

static weft_memory memory_of(const planner *p, const place *at)
{
    if (at->slot->kept)
        return WEFT_MEMORY_PREPARED;
    if (at->value < 0)
        return WEFT_MEMORY_WORKSPACE;
    if (at->gradient)
        return WEFT_MEMORY_GRADIENTS;
    if (at->writer < p->program->steps && p->step[at->writer].stage == WEFT_STAGE_BACKWARD)
        return WEFT_MEMORY_FLOWING;
    return at->slot->first < p->turn && at->slot->last >= p->turn && p->turn < p->program->steps
               ? WEFT_MEMORY_KEPT
               : WEFT_MEMORY_ACTIVATIONS;
}

/* Name, op and family. */
static void describe(planner *p, const place *at, weft_placement *placement)
{
    const weft_program *program = p->program;
    const weft_step *first =
        at->writer < program->steps ? &program->step[at->writer] : at->workspace_of;
    const weft_plan_value *value = at->value < 0 ? NULL : &program->value[at->value];
    const weft_node *node =
        value && value->graph_node > 0 ? weft_node_get(program->graph, value->graph_node) : NULL;
    placement->family = first ? first->op->family : WEFT_FAMILY_OTHER;
    placement->name = copy(p, node ? node->name : first ? first->name : "");
    placement->op =
        copy(p, at->value >= 0 && at->written == INT_MAX && node ? node->op->name
                : at->value >= 0 && at->written < program->steps ? program->step[at->written].label
                : first                                          ? first->label
                                                                 : "");
}

static int by_first(const void *a, const void *b)
{
    const weft_placement *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

static void add_placements(planner *p)
{
    const weft_program *program = p->program;
    for (int i = 0; i < program->slots; i++) {
        const place *at = &p->place[i];
        const weft_slot *slot = at->slot;
        weft_placement *placement = &p->placement[i];
        *placement =
            (weft_placement){.memory = memory_of(p, at),
                             .offset = slot->offset,
                             .bytes = weft_aligned(slot->bytes),
                             .first = slot->first,
                             .last = slot->last < program->steps ? slot->last : program->steps - 1,
                             .values = at->values};
        describe(p, at, placement);
    }
    qsort(p->placement, (size_t)program->slots, sizeof(*p->placement), by_first);
}

/* ---- Sums ---- */

/* What each kind of the arena has alive at a step. */
static int64_t add_alive(const planner *p, int step, int64_t *bytes)
{
    int64_t sum = 0;
    for (int m = WEFT_MEMORY_KEPT; m < WEFT_MEMORY_GAPS; m++)
        bytes[m] = 0;
    for (int i = 0; i < p->plan->placements; i++) {
        const weft_placement *placement = &p->placement[i];
        if (placement->first > step)
            break;
        if (placement->last >= step) {
            bytes[placement->memory] += placement->bytes;
            sum += placement->bytes;
        }
    }
    return sum;
}

static bool add_variables(planner *p)
{
    const weft_graph *graph = p->program->graph;
    bool *updated = weft_pool_array(&p->scratch, (size_t)graph->nodes + 1, sizeof(bool));
    if (!updated)
        return false;
    for (int32_t i = 1; i <= graph->nodes; i++) {
        const weft_node *node = weft_node_get(graph, i);
        for (int k = 0; k < node->inputs && node->op->family == WEFT_FAMILY_UPDATE; k++)
            updated[node->input[k].node] = true;
    }
    for (int i = 0; i < p->program->state->variables; i++) {
        int32_t variable = graph->variable[i];
        weft_tensor tensor = weft_state_tensor_of(p->program->state, variable);
        weft_memory memory = !weft_node_get(graph, variable)->frozen ? WEFT_MEMORY_PARAMETERS
                             : updated[variable]                     ? WEFT_MEMORY_SLOTS
                                                                     : WEFT_MEMORY_OTHER_VARIABLES;
        p->plan->bytes[memory] += weft_aligned((int64_t)weft_tensor_bytes(&tensor));
    }
    return true;
}

static void add_up(planner *p)
{
    weft_plan *plan = p->plan;
    int64_t peak = -1, bytes[WEFT_MEMORIES];
    for (int i = 0; i < plan->steps; i++) {
        p->step[i].live_bytes = add_alive(p, i, bytes);
        for (int m = WEFT_MEMORY_KEPT; m < WEFT_MEMORY_GAPS; m++)
            plan->most[m] = bytes[m] > plan->most[m] ? bytes[m] : plan->most[m];
        if (p->step[i].live_bytes > peak) {
            peak = p->step[i].live_bytes;
            plan->peak = i;
        }
    }
    add_alive(p, plan->peak, plan->bytes);
    for (int i = 0; i < p->program->feeds; i++)
        plan->feed_bytes += p->program->feed[i].bytes;
    plan->bytes[WEFT_MEMORY_FEEDS] = plan->feed_bytes;
    plan->bytes[WEFT_MEMORY_PROGRAM] = plan->program_bytes;
    plan->bytes[WEFT_MEMORY_GAPS] = plan->arena_bytes - plan->bound_bytes;
    for (int m = 0; m < WEFT_MEMORIES; m++) {
        if (m < WEFT_MEMORY_KEPT || m >= WEFT_MEMORY_GAPS)
            plan->most[m] = plan->bytes[m];
        if (m < WEFT_MEMORY_KEPT)
            plan->state_bytes += plan->bytes[m];
    }
    plan->total_bytes =
        plan->arena_bytes + plan->state_bytes + plan->feed_bytes + plan->program_bytes;
}

/* ---- The plan ---- */

static bool collect(planner *p)
{
    const weft_program *program = p->program;
    weft_plan *plan = p->plan;
    const weft_report *report = &program->report;
    *plan = (weft_plan){.mode = program->mode,
                        .batch = program->batch,
                        .micro_batches = program->micro_batches,
                        .arena_bytes = report->arena_bytes,
                        .bound_bytes = report->bound_bytes,
                        .creation_bound_bytes = report->creation_bound_bytes,
                        .program_bytes = report->constant_bytes,
                        .flops = report->flops,
                        .recomputed_flops = report->recomputed_flops,
                        .steps_again = report->steps_again,
                        .again_share = report->again_share,
                        .steps = program->steps,
                        .placements = program->slots};
    p->step = weft_pool_array(&p->owned->pool, (size_t)program->steps, sizeof(*p->step));
    p->placement = weft_pool_array(&p->owned->pool, (size_t)program->slots, sizeof(*p->placement));
    p->writer = weft_pool_array(&p->scratch, (size_t)program->values, sizeof(int));
    if (!p->step || !p->placement || !p->writer)
        return false;
    plan->step = p->step;
    plan->placement = p->placement;
    for (int v = 0; v < program->values; v++)
        p->writer[v] = -1;
    add_steps(p);
    if (!find_places(p))
        return false;
    add_placements(p);
    if (!add_variables(p))
        return false;
    add_up(p);
    return !p->failed;
}

weft_status weft_program_plan(const weft_program *program, weft_plan **plan, weft_error *error)
{
    weft_context *context = program->context;
    owned_plan *owned = weft_allocate(context, sizeof(*owned));
    *plan = NULL;
    if (!owned)
        return weft_out_of_memory(error, sizeof(*owned));
    owned->pool = weft_pool_begin(context);
    planner p = {.program = program,
                 .owned = owned,
                 .plan = &owned->plan,
                 .scratch = weft_pool_begin(context)};
    bool good = collect(&p);
    weft_pool_release(&p.scratch);
    if (!good) {
        weft_plan_destroy(&owned->plan);
        return weft_error_set(error, WEFT_ERROR_MEMORY, "plan: out of memory");
    }
    *plan = &owned->plan;
    return WEFT_OK;
}

weft_status weft_plan_create(weft_graph *graph, weft_dtype dtype,
                             const weft_compile_options *options, weft_plan **plan,
                             weft_error *error)
{
    weft_state *state = NULL;
    weft_program *program = NULL;
    weft_compile_options chosen = *options;
    *plan = NULL;
    chosen.measure = false;
    chosen.no_arena = true;
    weft_status status = weft_state_create_hollow(graph, dtype, &state, error);
    if (status == WEFT_OK)
        status = weft_compile(graph, state, &chosen, &program, error);
    if (status == WEFT_OK)
        status = weft_program_plan(program, plan, error);
    weft_program_destroy(program);
    weft_state_destroy(state);
    return status;
}

weft_context *weft_plan_context(const weft_plan *plan)
{
    return ((const owned_plan *)plan)->pool.context;
}

void weft_plan_destroy(weft_plan *plan)
{
    if (!plan)
        return;
    owned_plan *owned = (owned_plan *)plan;
    weft_context *context = owned->pool.context;
    weft_pool_release(&owned->pool);
    weft_release(context, owned, sizeof(*owned));
}
