/* Feeding, running and reading a program; its reports. */
#include "graph/program.h"

#include "base/clock.h"
#include "base/error.h"
#include "graph/node.h"

#include <math.h>

/* ---- Feeds ---- */

static weft_feed_slot *find_feed(const weft_program *program, int32_t graph_node)
{
    for (int i = 0; i < program->feeds; i++)
        if (program->feed[i].graph_node == graph_node)
            return &program->feed[i];
    return NULL;
}

bool weft_program_reads(const weft_program *program, weft_value input)
{
    return input.graph == program->graph && find_feed(program, input.node);
}

static weft_status check_feed(weft_program *program, const weft_feed *feed, weft_feed_slot **slot,
                              weft_error *error)
{
    if (feed->input.graph != program->graph || weft_is_null(feed->input))
        return weft_error_set(error, WEFT_ERROR_GRAPH,
                              "run: a feed is for the null value or another graph's");
    const char *name = weft_name_get(feed->input);
    *slot = find_feed(program, feed->input.node);
    if (!*slot)
        return weft_error_set(error, WEFT_ERROR_NOT_FOUND,
                              "run: the program does not read \"%s\", which is fed", name);
    if (!feed->data)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT, "run: the feed of \"%s\" is NULL", name);
    if ((int64_t)feed->bytes != (*slot)->bytes)
        return weft_error_set(
            error, WEFT_ERROR_SHAPE, "run: the feed of \"%s\" has %zu bytes, %lld are needed (%s)",
            name, feed->bytes, (long long)(*slot)->bytes, weft_dtype_name((*slot)->dtype));
    return WEFT_OK;
}

/* Has the steps read what is fed for the part. All feeds have been checked. */
static void set_feeds(weft_program *program, const weft_feed *feeds, int count, int64_t part)
{
    for (int i = 0; i < count; i++) {
        const weft_feed_slot *slot = find_feed(program, feeds[i].input.node);
        for (int k = 0; k < slot->patches; k++)
            *slot->patch[k].operand =
                (char *)feeds[i].data + part * slot->step + slot->patch[k].offset;
    }
}

static weft_status check_feeds(weft_program *program, const weft_feed *feeds, int count,
                               weft_error *error)
{
    for (int i = 0; i < program->feeds; i++)
        program->feed[i].fed = false;
    for (int i = 0; i < count; i++) {
        weft_feed_slot *slot = NULL;
        WEFT_TRY(check_feed(program, &feeds[i], &slot, error));
        slot->fed = true;
    }
    for (int i = 0; i < program->feeds; i++)
        if (!program->feed[i].fed)
            return weft_error_set(error, WEFT_ERROR_ARGUMENT, "run: input \"%s\" was not fed",
                                  program->feed[i].name);
    return WEFT_OK;
}

/* ---- Running ---- */

/* All parts of the batch, then what comes after them. */
static weft_status run_parts(weft_program *program, const weft_feed *feeds, int count,
                             weft_run_info *info, int *bad_step)
{
    int64_t images = program->batch / program->micro_batches;
    for (int part = 0; part < program->micro_batches; part++) {
        set_feeds(program, feeds, count, part);
        info->part = part;
        info->first_sample += part > 0 ? images : 0;
        WEFT_TRY(weft_execute(program, info, 0, program->after_task, bad_step));
    }
    if (program->after_task == program->tasks)
        return WEFT_OK;
    return weft_execute(program, info, program->after_task, program->tasks, bad_step);
}

weft_status weft_run(weft_program *program, const weft_feed *feeds, int count,
                     const weft_run_options *options, weft_error *error)
{
    weft_run_options chosen = options ? *options : (weft_run_options){0};
    if (program->report.arena_bytes && !program->arena)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                              "run: the program has no arena: weft_program_set_arena comes first");
    WEFT_TRY(check_feeds(program, feeds, count, error));
    weft_run_info info = {
        .seed = program->state->seed,
        .step = program->state->step,
        .first_sample = chosen.first_sample,
        .micro_batch = chosen.micro_batch,
    };
    if (program->writes)
        weft_state_changed(program->state);
    double start = weft_seconds();
    int bad_step = 0;
    weft_status status = run_parts(program, feeds, count, &info, &bad_step);
    program->report.seconds = weft_seconds() - start;
    program->report.runs++;
    if (status == WEFT_ERROR_NUMERIC)
        return weft_error_set(error, status, "run: NaN or infinity made by %s \"%s\"",
                              program->step[bad_step].op->name, program->step[bad_step].name);
    if (program->updates && chosen.micro_batch + 1 >= chosen.micro_batches)
        program->state->step++;
    return WEFT_OK;
}

/* ---- Reading ---- */

weft_tensor weft_fetch(const weft_program *program, weft_value value)
{
    for (int i = 0; i < program->fetches; i++) {
        const weft_fetch_slot *slot = &program->fetch[i];
        if (value.graph != program->graph || slot->graph_node != value.node ||
            slot->graph_output != value.output)
            continue;
        const weft_plan_value *planned = &program->value[slot->value];
        weft_tensor tensor = planned->tensor;
        tensor.data = weft_plan_address(program, planned);
        return tensor;
    }
    return (weft_tensor){0};
}

double weft_fetch_scalar(const weft_program *program, weft_value value)
{
    weft_tensor tensor = weft_fetch(program, value);
    if (!tensor.data)
        return NAN;
    switch (tensor.dtype) {
    case WEFT_FLOAT32:
        return (double)*(const float *)tensor.data;
    case WEFT_FLOAT64:
        return *(const double *)tensor.data;
    case WEFT_INT32:
        return (double)*(const int32_t *)tensor.data;
    case WEFT_UINT8:
        return (double)*(const uint8_t *)tensor.data;
    default:
        return NAN;
    }
}

/* ---- Reports ---- */

weft_report weft_program_report(const weft_program *program)
{
    return program->report;
}

bool weft_program_step(const weft_program *program, int index, weft_step_report *report)
{
    if (index < 0 || index >= program->steps)
        return false;
    const weft_step *step = &program->step[index];
    *report = (weft_step_report){
        .name = step->name,
        .op = step->label,
        .kernel = step->kernel,
        .algorithm = step->algorithm,
        .flops = step->cost.flops,
        .bytes = step->cost.bytes,
        .seconds = step->seconds,
        .live_bytes = step->live_bytes,
        .pieces = step->pieces,
        .hoisted = index < program->hoisted_steps,
        .again = step->again,
    };
    return true;
}

double weft_roof_seconds(const weft_roof *roof, double flops, double bytes)
{
    double compute = roof->flops > 0 ? flops / roof->flops : 0;
    double memory = roof->bytes > 0 ? bytes / roof->bytes : 0;
    return compute > memory ? compute : memory;
}

void weft_program_print(const weft_program *program, FILE *file)
{
    const weft_report *report = &program->report;
    fprintf(file, "%d steps, arena %lld bytes (bound %lld, prepared %lld), %.4g GFLOP\n",
            report->steps, (long long)report->arena_bytes, (long long)report->bound_bytes,
            (long long)report->prepared_bytes, report->flops * 1e-9);
    weft_step_report step;
    for (int i = 0; weft_program_step(program, i, &step); i++) {
        fprintf(file, "%4d %-28s %-18s %-44s %10.3f MFLOP %10.3f MB %6lld pieces", i, step.op,
                step.algorithm, step.name, step.flops * 1e-6, step.bytes * 1e-6,
                (long long)step.pieces);
        if (program->profile && step.seconds > 0)
            fprintf(file, " %9.1f us %8.2f GFLOP/s %7.2f GB/s", step.seconds * 1e6,
                    step.flops / step.seconds * 1e-9, step.bytes / step.seconds * 1e-9);
        fprintf(file, "%s\n", step.hoisted ? " hoisted" : step.again ? " again" : "");
    }
}
