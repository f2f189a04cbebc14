/* Checks a plan without trusting what made it: replays the program on a shadow of the arena that holds,
 * for each cell, which value was written there last. It is replayed twice: as it runs after the state has
 * changed, and then without what is hoisted, when nothing is left in the arena but what is kept. Of micro-batches
 * two are replayed, between which nothing is left but what lasts for a run. */
#include "base/error.h"
#include "base/memory.h"
#include "graph/micro_batch.h"
#include "graph/program.h"

#include <string.h>

typedef struct shadow {
    const weft_program *program;
    /* of each cell: value + 1, or values + step + 1 for what a step prepared; 0: never written, or
     * scribbled over */
    uint32_t *tag;
    size_t cells;
    int64_t cell;   /* bytes: no element is smaller */
    int *new_value; /* for each storage of a variable: the value its update made, + 1 */
    size_t storages;
    weft_error *error;
} shadow;

/* A variable that was updated without naming its new value: nothing may read it any more. */
enum { NO_VALUE = -1 };

static weft_status fail(const shadow *s, const weft_step *step, const char *what, int value)
{
    return weft_error_set(s->error, WEFT_ERROR_INTERNAL, "plan: %s \"%s\" %s (value %d)",
                          step->op->name, step->name, what, value);
}

/* True where cells tagged `tag` are part of the value: written as it, or as what it is an alias of. */
static bool belongs(const weft_program *program, uint32_t tag, int value)
{
    if (tag == (uint32_t)value + 1)
        return true;
    const weft_plan_value *v = &program->value[value];
    for (int i = 0; i < v->parts; i++)
        if (belongs(program, tag, v->part[i]))
            return true;
    return false;
}

/* Visits the contiguous runs of a value; `write` tags them, otherwise they are checked. */
static bool visit(shadow *s, int index, bool write)
{
    const weft_plan_value *value = &s->program->value[index];
    const weft_tensor *t = &value->tensor;
    int64_t run = t->rank ? t->extent[t->rank - 1] : 1;
    int64_t size = (int64_t)weft_dtype_bytes(t->dtype);
    uint32_t last = (uint32_t)index + 1;
    for (int64_t i = 0, n = weft_tensor_elements(t); i < n; i += run) {
        int64_t from = value->offset + weft_tensor_offset(t, i) * size, to = from + run * size;
        if (from < 0 || to > s->program->report.arena_bytes)
            return false;
        for (int64_t c = from / s->cell; c < (to + s->cell - 1) / s->cell; c++) {
            if (write)
                s->tag[c] = (uint32_t)index + 1;
            else if (s->tag[c] != last && !belongs(s->program, s->tag[c], index))
                return false;
            else
                last = s->tag[c];
        }
    }
    return true;
}

static bool in_arena(const shadow *s, int value)
{
    return s->program->value[value].place == WEFT_PLACE_ARENA;
}

static bool is_new_value(const shadow *s, int value, int expected)
{
    if (value == expected)
        return true;
    const weft_plan_value *v = &s->program->value[value];
    return v->parts == 1 && is_new_value(s, v->part[0], expected);
}

/* All inputs are there; those in the mask `overwritten` need not be. */
static weft_status check_reads(shadow *s, const weft_step *step, uint32_t overwritten,
                               const char *complaint)
{
    for (int k = 0; k < step->inputs; k++) {
        int index = step->value[k];
        if (weft_step_has(step, step->op->shape_only, k) || (k < 32 && overwritten & WEFT_INPUT(k)))
            continue;
        if (in_arena(s, index) && !visit(s, index, false))
            return fail(s, step, complaint, index);
    }
    return WEFT_OK;
}

static weft_status check_variables(shadow *s, const weft_step *step)
{
    for (int k = 0; k < step->inputs; k++) {
        int index = step->value[k];
        const weft_plan_value *value = &s->program->value[index];
        if (value->place != WEFT_PLACE_VARIABLE || weft_step_has(step, step->op->shape_only, k))
            continue;
        int updated = s->new_value[value->storage];
        if (updated && !weft_step_has(step, step->op->writes, k) &&
            !is_new_value(s, index, updated - 1))
            return fail(s, step, "reads a variable after its update", index);
    }
    int first = step->op->writes ? __builtin_ctz(step->op->writes) : 0;
    for (int k = 0; k < step->inputs; k++)
        if (weft_step_has(step, step->op->writes, k))
            s->new_value[s->program->value[step->value[k]].storage] =
                step->outputs && k == first ? step->value[step->inputs] + 1 : NO_VALUE;
    return WEFT_OK;
}

static weft_status mark(shadow *s, const weft_step *step, int64_t from, int64_t bytes, uint32_t tag)
{
    if (from < 0 || from + bytes > s->program->report.arena_bytes)
        return fail(s, step, "has workspace outside the arena", -1);
    for (int64_t c = from / s->cell; c < (from + bytes + s->cell - 1) / s->cell; c++)
        s->tag[c] = tag;
    return WEFT_OK;
}

/* What is prepared in each run is workspace, too. */
static weft_status scribble_workspace(shadow *s, const weft_step *step)
{
    WEFT_TRY(mark(s, step, step->workspace_offset, step->workspace_bytes, 0));
    return step->hoisted_phases ? WEFT_OK
                                : mark(s, step, step->prepared_offset, step->prepared_bytes, 0);
}

/* ---- What is hoisted ---- */

static uint32_t prepared_tag(const shadow *s, const weft_step *step)
{
    return (uint32_t)(s->program->values + (step - s->program->step)) + 1;
}

/* Nothing hoisted may depend on a run. */
static weft_status check_hoisted(const shadow *s, const weft_step *step, uint32_t inputs)
{
    if (step->op->writes || step->op->flags & WEFT_OP_RANDOM)
        return fail(s, step, "is not the same in each run, but hoisted", -1);
    for (int k = 0; k < step->inputs; k++)
        if ((k >= 32 || inputs & WEFT_INPUT(k)) && !weft_step_has(step, step->op->shape_only, k) &&
            s->program->value[step->value[k]].place == WEFT_PLACE_FEED)
            return fail(s, step, "is hoisted, but reads a feed", step->value[k]);
    return WEFT_OK;
}

static weft_status replay_hoisted_phases(shadow *s, const weft_step *step)
{
    WEFT_TRY(check_hoisted(s, step, step->prepare_inputs));
    WEFT_TRY(check_reads(s, step, ~step->prepare_inputs, "prepares from what is not there"));
    return mark(s, step, step->prepared_offset, step->prepared_bytes, prepared_tag(s, step));
}

static weft_status check_prepared(const shadow *s, const weft_step *step)
{
    int64_t from = step->prepared_offset, to = from + step->prepared_bytes;
    for (int64_t c = from / s->cell; step->hoisted_phases && c < (to + s->cell - 1) / s->cell; c++)
        if (s->tag[c] != prepared_tag(s, step))
            return fail(s, step, "lost what it had prepared", -1);
    return WEFT_OK;
}

static weft_status replay_step(shadow *s, const weft_step *step)
{
    WEFT_TRY(check_reads(s, step, 0, "reads what is not there any more, or not yet"));
    WEFT_TRY(check_variables(s, step));
    WEFT_TRY(check_prepared(s, step));
    WEFT_TRY(scribble_workspace(s, step));
    WEFT_TRY(check_reads(s, step, 0, "has workspace over an input"));
    for (int k = step->inputs; k < step->inputs + step->outputs; k++)
        if (in_arena(s, step->value[k]) && !visit(s, step->value[k], true))
            return fail(s, step, "writes outside the arena", step->value[k]);
    WEFT_TRY(check_reads(s, step, step->in_place, "writes over an input that it still reads"));
    WEFT_TRY(scribble_workspace(s, step));
    for (int k = step->inputs; k < step->inputs + step->outputs; k++)
        if (in_arena(s, step->value[k]) && !visit(s, step->value[k], false))
            return fail(s, step, "has outputs or workspace that overlap", step->value[k]);
    return check_prepared(s, step);
}

/* Forgets what does not stay: the cells from that byte on. */
static void forget(shadow *s, int64_t from)
{
    size_t cell = (size_t)(from / s->cell);
    memset(s->tag + cell, 0, (s->cells - cell) * sizeof(uint32_t));
}

/* What the step made for the micro-batch before is still there. */
static weft_status check_lasting(shadow *s, const weft_step *step)
{
    for (int k = step->inputs; k < step->inputs + step->outputs; k++)
        if (weft_lasts(step->op) && !visit(s, step->value[k], false))
            return fail(s, step, "lost what it made for other micro-batches", step->value[k]);
    return WEFT_OK;
}

/* Each part changes what the one before left of running statistics. */
static weft_status replay_next_part(shadow *s)
{
    const weft_program *program = s->program;
    int64_t stays = 0;
    for (int i = 0; i < program->slots; i++) {
        const weft_slot *slot = &program->slot[i];
        int64_t end = slot->offset + weft_aligned(slot->bytes);
        if (slot->kept || slot->lasting)
            stays = end > stays ? end : stays;
    }
    forget(s, stays);
    memset(s->new_value, 0, s->storages * sizeof(int));
    for (int i = program->hoisted_steps; i < program->after_step; i++) {
        WEFT_TRY(check_lasting(s, &program->step[i]));
        WEFT_TRY(replay_step(s, &program->step[i]));
    }
    return WEFT_OK;
}

/* The steps of every run, and what is left at its end. */
static weft_status replay_run(shadow *s)
{
    const weft_program *program = s->program;
    for (int i = program->hoisted_steps; i < program->after_step; i++)
        WEFT_TRY(replay_step(s, &program->step[i]));
    if (program->micro_batches > 1)
        WEFT_TRY(replay_next_part(s));
    for (int i = program->after_step; i < program->steps; i++)
        WEFT_TRY(replay_step(s, &program->step[i]));
    for (int i = 0; i < program->fetches; i++) {
        int value = program->fetch[i].value;
        if (in_arena(s, value) && !visit(s, value, false))
            return weft_error_set(s->error, WEFT_ERROR_INTERNAL,
                                  "plan: fetched value %d does not last to the end", value);
    }
    return WEFT_OK;
}

static weft_status replay(shadow *s)
{
    const weft_program *program = s->program;
    bool hoists = program->hoisted_steps > 0;
    for (int i = 0; i < program->hoisted_steps; i++) {
        WEFT_TRY(check_hoisted(s, &program->step[i], UINT32_MAX));
        WEFT_TRY(replay_step(s, &program->step[i]));
    }
    for (int i = program->hoisted_steps; i < program->steps; i++)
        if (program->step[i].hoisted_phases) {
            WEFT_TRY(replay_hoisted_phases(s, &program->step[i]));
            hoists = true;
        }
    for (int i = 0; i < program->steps && hoists; i++)
        if (program->step[i].op->writes)
            return fail(s, &program->step[i], "changes variables that others were prepared from",
                        -1);
    WEFT_TRY(replay_run(s));
    if (!hoists)
        return WEFT_OK;
    forget(s, program->report.prepared_bytes);
    return replay_run(s);
}

weft_status weft_program_verify(const weft_program *program, weft_error *error)
{
    int storages = 0;
    shadow s = {.program = program, .error = error, .cell = 4};
    for (int i = 0; i < program->values; i++) {
        const weft_plan_value *value = &program->value[i];
        storages = value->storage >= storages ? value->storage + 1 : storages;
        if (value->storage >= 0 && value->place == WEFT_PLACE_ARENA &&
            (int64_t)weft_dtype_bytes(value->tensor.dtype) < s.cell)
            s.cell = (int64_t)weft_dtype_bytes(value->tensor.dtype);
    }
    s.cells = (size_t)(program->report.arena_bytes / s.cell) + 1;
    s.tag = weft_allocate_array(program->context, s.cells, sizeof(uint32_t));
    s.storages = (size_t)storages;
    s.new_value = weft_allocate_array(program->context, (size_t)storages, sizeof(int));
    weft_status status =
        s.tag && s.new_value ? replay(&s) : weft_out_of_memory(error, s.cells * sizeof(uint32_t));
    weft_release_array(program->context, s.tag, s.cells, sizeof(uint32_t));
    weft_release_array(program->context, s.new_value, (size_t)storages, sizeof(int));
    return status == WEFT_OK ? weft_verify_barriers(program, error) : status;
}
