/* Writing a state. */
#include "weft/safetensors.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "graph/state.h"
#include "io/archive.h"
#include "io/replace.h"

#include <inttypes.h>
#include <string.h>

typedef struct saving {
    weft_context *context;
    weft_graph *graph;
    weft_state *state;
    weft_save_options options;
    const char *path;
    FILE *file;
    json_t *header;
    void *room; /* for a filter in PyTorch's order */
    size_t room_bytes;
} saving;

/* Calls visit for each variable that the state holds, those of wide elements first, so that all are
 * aligned in the file. */
typedef weft_status visit_fn(saving *save, const char *name, const weft_tensor *tensor, void *user,
                             weft_error *error);

static weft_status for_each(saving *save, visit_fn *visit, void *user, weft_error *error)
{
    static const size_t widths[] = {8, 4};
    for (int pass = 0; pass < 2; pass++) {
        weft_value variable;
        for (int i = 0; !weft_is_null(variable = weft_variable_at(save->graph, i)); i++) {
            weft_tensor tensor = weft_state_tensor_of(save->state, variable.node);
            if (tensor.data && weft_dtype_bytes(tensor.dtype) == widths[pass])
                WEFT_TRY(visit(save, weft_name_get(variable), &tensor, user, error));
        }
    }
    return WEFT_OK;
}

static bool is_reordered(const saving *save, const char *name, const weft_tensor *tensor)
{
    return save->options.oihw_filters && weft_is_filter(name, tensor->rank);
}

/* ---- Header ---- */

static weft_status describe(saving *save, const char *name, const weft_tensor *tensor, void *user,
                            weft_error *error)
{
    int64_t *at = user, end = *at + (int64_t)weft_tensor_bytes(tensor);
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; i++) {
        int from = !is_reordered(save, name, tensor) ? i : i < 2 ? tensor->rank - 1 - i : i - 2;
        json_array_append_new(shape, json_integer(tensor->extent[from]));
    }
    json_t *entry =
        json_pack("{s:s, s:o, s:[I, I]}", "dtype", weft_archive_dtype_name(tensor->dtype), "shape",
                  shape, "data_offsets", (json_int_t)*at, (json_int_t)end);
    bool whole = entry && json_array_size(shape) == (size_t)tensor->rank;
    if (!whole)
        json_decref(entry);
    if (!whole || json_object_set_new(save->header, name, entry) != 0)
        return weft_error_set(error, WEFT_ERROR_MEMORY,
                              "%.200s: no header for \"%.100s\": out of memory, or not UTF-8",
                              save->path, name);
    if (is_reordered(save, name, tensor) && save->room_bytes < weft_tensor_bytes(tensor))
        save->room_bytes = weft_tensor_bytes(tensor);
    *at = end;
    return WEFT_OK;
}

static weft_status write_bytes(saving *save, const void *bytes, size_t count, weft_error *error)
{
    return weft_write_bytes(save->file, save->path, bytes, count, error);
}

static int collect(const char *bytes, size_t count, void *text)
{
    weft_text_add_bytes(text, bytes, count);
    return ((weft_text *)text)->failed ? -1 : 0;
}

/* The length, the text, and spaces so that the elements start at a multiple of 8. */
static weft_status write_header_text(saving *save, const weft_text *text, weft_error *error)
{
    size_t padded = (text->length + 7) / 8 * 8;
    unsigned char prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)((uint64_t)padded >> 8 * i);
    WEFT_TRY(write_bytes(save, prefix, sizeof(prefix), error));
    WEFT_TRY(write_bytes(save, text->data, text->length, error));
    return write_bytes(save, "       ", padded - text->length, error);
}

static weft_status write_header(saving *save, weft_error *error)
{
    weft_text text = weft_text_begin(save->context);
    weft_status status = json_dump_callback(save->header, collect, &text, JSON_COMPACT) == 0
                             ? write_header_text(save, &text, error)
                             : weft_error_set(error, WEFT_ERROR_MEMORY,
                                              "%.200s: out of memory for the header", save->path);
    weft_text_release(&text);
    return status;
}

static weft_status prepare_header(saving *save, weft_error *error)
{
    char step[32];
    int64_t end = 0;
    snprintf(step, sizeof(step), "%" PRId64, weft_state_step(save->state));
    save->header = json_pack("{s:{s:s, s:s}}", "__metadata__", "format", "weft", "step", step);
    if (!save->header)
        return weft_error_set(error, WEFT_ERROR_MEMORY, "%.200s: out of memory", save->path);
    return for_each(save, describe, &end, error);
}

/* ---- Elements ---- */

static void reorder(const weft_tensor *tensor, void *to)
{
    weft_filter_order order = weft_filter_order_of(tensor->rank, tensor->extent);
    size_t element = weft_dtype_bytes(tensor->dtype);
    const char *from = tensor->data;
    for (int64_t k = 0; k < order.taps; k++)
        for (int64_t b = 0; b < order.b; b++)
            for (int64_t a = 0; a < order.a; a++, from += element)
                memcpy((char *)to + (size_t)((a * order.b + b) * order.taps + k) * element, from,
                       element);
}

static weft_status write_elements(saving *save, const char *name, const weft_tensor *tensor,
                                  void *user, weft_error *error)
{
    (void)user;
    bool reordered = is_reordered(save, name, tensor);
    if (reordered)
        reorder(tensor, save->room);
    return write_bytes(save, reordered ? save->room : tensor->data, weft_tensor_bytes(tensor),
                       error);
}

/* ---- The whole ---- */

static weft_status write_file(FILE *file, const char *path, void *user, weft_error *error)
{
    saving *save = user;
    save->file = file;
    save->path = path;
    WEFT_TRY(prepare_header(save, error));
    save->room = weft_allocate_raw(save->context, save->room_bytes, WEFT_ALIGNMENT);
    if (!save->room)
        return weft_out_of_memory(error, save->room_bytes);
    WEFT_TRY(write_header(save, error));
    return for_each(save, write_elements, NULL, error);
}

weft_status weft_state_save(weft_state *state, const char *path, const weft_save_options *options,
                            weft_error *error)
{
    saving save = {.graph = weft_state_graph(state), .state = state};
    save.context = weft_graph_context(save.graph);
    save.options = options ? *options : (weft_save_options){0};
    weft_status status = weft_replace_file(save.context, path, write_file, &save, error);
    weft_release(save.context, save.room, save.room_bytes);
    json_decref(save.header);
    return status;
}
