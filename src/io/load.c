/* Reading a state: everything is checked and read before the first element is changed. */
#include "weft/safetensors.h"

#include "base/error.h"
#include "base/memory.h"
#include "graph/state.h"
#include "io/archive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A tensor of the file on its way to its variable. */
typedef struct transfer {
    const weft_archive_entry *from;
    weft_tensor to;
    bool filter;   /* in PyTorch's order */
    size_t staged; /* offset of its elements */
} transfer;

typedef struct loading {
    weft_context *context;
    weft_graph *graph;
    weft_state *state;
    weft_load_options options;
    weft_archive archive;
    transfer *transfer; /* as many as the archive has entries */
    size_t transfers;
    char *stage;
    size_t stage_bytes;
    int64_t step; /* -1: not taken over */
} loading;

/* ---- Checks ---- */

static weft_status check_shape(const loading *load, const transfer *t, weft_error *error)
{
    int rank = t->to.rank;
    bool same = t->from->rank == rank;
    for (int i = 0; same && i < rank; i++) {
        /* PyTorch's first two extents are our last, in reverse; the others follow. */
        int at = !t->filter ? i : i < 2 ? rank - 1 - i : i - 2;
        same = t->from->extent[i] == t->to.extent[at];
    }
    if (same)
        return WEFT_OK;
    char name[80], got[120], expected[120];
    int few = t->from->rank < WEFT_MAX_RANK ? t->from->rank : WEFT_MAX_RANK;
    weft_shape_text(weft_shape_make(few, t->from->extent), got, sizeof(got));
    weft_shape_text(weft_shape_make(rank, t->to.extent), expected, sizeof(expected));
    return weft_error_set(error, WEFT_ERROR_SHAPE, "%.200s: \"%s\" is %s, the variable %s%s",
                          load->archive.path, weft_printable(t->from->name, name, sizeof(name)),
                          got, expected, t->filter ? " (reversed in the file)" : "");
}

static weft_status check_dtype(const loading *load, const transfer *t, weft_error *error)
{
    const char *dtype = t->from->dtype;
    bool real = strcmp(dtype, "F32") == 0 || strcmp(dtype, "F64") == 0;
    if (t->to.dtype == WEFT_INT32 ? strcmp(dtype, "I32") == 0 : real)
        return WEFT_OK;
    char name[80], text[40];
    return weft_error_set(error, WEFT_ERROR_DTYPE, "%.200s: \"%s\" is %s, the variable %s",
                          load->archive.path, weft_printable(t->from->name, name, sizeof(name)),
                          weft_printable(dtype, text, sizeof(text)),
                          weft_archive_dtype_name(t->to.dtype));
}

static weft_status not_found(const loading *load, const char *name, size_t count, const char *what,
                             weft_error *error)
{
    char text[120], others[40] = "";
    if (count > 1)
        snprintf(others, sizeof(others), " and %zu more", count - 1);
    return weft_error_set(error, WEFT_ERROR_NOT_FOUND, "%.200s: %s: \"%s\"%s", load->archive.path,
                          what, weft_printable(name, text, sizeof(text)), others);
}

/* Finds the variable of each tensor. */
static weft_status match(loading *load, weft_error *error)
{
    size_t extra = 0;
    const char *first = NULL;
    for (size_t i = 0; i < load->archive.entries; i++) {
        const weft_archive_entry *entry = &load->archive.entry[i];
        weft_value variable = weft_find(load->graph, entry->name);
        transfer t = {.from = entry, .staged = load->stage_bytes};
        if (weft_is_variable(variable))
            t.to = weft_state_tensor_of(load->state, variable.node);
        if (!t.to.data) {
            first = first ? first : entry->name;
            extra++;
            continue;
        }
        t.filter = load->options.oihw_filters && weft_is_filter(entry->name, t.to.rank);
        WEFT_TRY(check_shape(load, &t, error));
        WEFT_TRY(check_dtype(load, &t, error));
        /* A known shape: this cannot overflow. 8 keeps doubles aligned. */
        load->stage_bytes += ((size_t)(entry->end - entry->begin) + 7) / 8 * 8;
        load->transfer[load->transfers++] = t;
    }
    if (extra && !load->options.allow_extra)
        return not_found(load, first, extra, "tensors that the state does not have", error);
    return WEFT_OK;
}

static weft_status check_missing(const loading *load, weft_error *error)
{
    size_t missing = 0;
    const char *first = NULL;
    weft_value variable;
    for (int i = 0; !weft_is_null(variable = weft_variable_at(load->graph, i)); i++) {
        const char *name = weft_name_get(variable);
        if (weft_archive_has(&load->archive, name) ||
            !weft_state_tensor_of(load->state, variable.node).data)
            continue;
        first = first ? first : name;
        missing++;
    }
    if (missing && !load->options.allow_missing)
        return not_found(load, first, missing, "variables that the file does not have", error);
    return WEFT_OK;
}

static weft_status read_step(loading *load, weft_error *error)
{
    load->step = -1;
    if (!load->options.resume)
        return WEFT_OK;
    const char *format = weft_archive_metadata(&load->archive, "format");
    const char *step = weft_archive_metadata(&load->archive, "step");
    char *end = NULL;
    errno = 0;
    if (format && step && strcmp(format, "weft") == 0)
        load->step = strtoll(step, &end, 10);
    if (!end || end == step || *end || errno || load->step < 0)
        return weft_error_set(error, WEFT_ERROR_FORMAT,
                              "%.200s: no step to resume from in its metadata", load->archive.path);
    return WEFT_OK;
}

/* ---- Elements ---- */

static weft_status stage(loading *load, weft_error *error)
{
    load->stage = weft_allocate_raw(load->context, load->stage_bytes, WEFT_ALIGNMENT);
    if (!load->stage)
        return weft_out_of_memory(error, load->stage_bytes);
    for (size_t i = 0; i < load->transfers; i++)
        WEFT_TRY(weft_archive_read(&load->archive, load->transfer[i].from,
                                   load->stage + load->transfer[i].staged, error));
    return WEFT_OK;
}

static void convert(const transfer *t, const char *elements, int64_t from, int64_t to)
{
    if (t->to.dtype == WEFT_INT32) {
        ((int32_t *)t->to.data)[to] = ((const int32_t *)(const void *)elements)[from];
        return;
    }
    double value = t->from->dtype[1] == '3' ? ((const float *)(const void *)elements)[from]
                                            : ((const double *)(const void *)elements)[from];
    if (t->to.dtype == WEFT_FLOAT32)
        ((float *)t->to.data)[to] = (float)value;
    else
        ((double *)t->to.data)[to] = value;
}

static void copy(const transfer *t, const char *elements)
{
    weft_filter_order order = {1, 1, weft_tensor_elements(&t->to)};
    if (t->filter)
        order = weft_filter_order_of(t->to.rank, t->to.extent);
    for (int64_t k = 0, to = 0; k < order.taps; k++)
        for (int64_t b = 0; b < order.b; b++)
            for (int64_t a = 0; a < order.a; a++)
                convert(t, elements, (a * order.b + b) * order.taps + k, to++);
}

/* ---- The whole ---- */

static weft_status load_archive(loading *load, weft_error *error)
{
    size_t room = load->archive.entries;
    load->transfer = weft_allocate_array(load->context, room, sizeof(*load->transfer));
    if (!load->transfer)
        return weft_out_of_memory(error, room * sizeof(*load->transfer));
    WEFT_TRY(match(load, error));
    WEFT_TRY(check_missing(load, error));
    WEFT_TRY(read_step(load, error));
    WEFT_TRY(stage(load, error));
    for (size_t i = 0; i < load->transfers; i++)
        copy(&load->transfer[i], load->stage + load->transfer[i].staged);
    weft_state_changed(load->state);
    if (load->step >= 0)
        weft_state_set_step(load->state, load->step);
    return WEFT_OK;
}

weft_status weft_state_load(weft_state *state, const char *path, const weft_load_options *options,
                            weft_error *error)
{
    loading load = {.graph = weft_state_graph(state), .state = state};
    load.context = weft_graph_context(load.graph);
    load.options = options ? *options : (weft_load_options){0};
    weft_status status = weft_archive_open(load.context, path, &load.archive, error);
    if (status == WEFT_OK)
        status = load_archive(&load, error);
    weft_release(load.context, load.stage, load.stage_bytes);
    weft_release_array(load.context, load.transfer, load.archive.entries, sizeof(*load.transfer));
    weft_archive_close(&load.archive);
    return status;
}
