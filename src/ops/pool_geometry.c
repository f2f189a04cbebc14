#include "ops/pool_geometry.h"

#include "kernels/integer.h"
#include "ops/window.h"

#include <stdio.h>
#include <string.h>

weft_value weft_pool_apply(const weft_op *op, weft_value x, const weft_pool_options *options)
{
    weft_pool_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    const weft_pool_options none = {0};
    if (!options)
        options = &none;
    bool pads = false;
    for (int i = 0; i < 3; i++) {
        attributes.window[i] = options->window[i];
        attributes.stride[i] = options->stride[i] ? options->stride[i] : options->window[i];
        attributes.pad_low[i] = options->pad_low[i];
        attributes.pad_high[i] = options->pad_high[i];
        pads = pads || options->pad_low[i] != 0 || options->pad_high[i] != 0;
    }
    bool unsaid = pads && options->padding == WEFT_VALID;
    attributes.padding = (int32_t)(unsaid ? WEFT_EXPLICIT : options->padding);
    attributes.ceil_mode = options->ceil_mode;
    attributes.count_include_pad = options->count_include_pad;
    return weft_apply(x.graph, op, &attributes, sizeof(attributes), options->name, &x, 1, NULL, 1);
}

/* ---- Shapes ---- */

static weft_window window_of(const weft_pool_attributes *attributes, int dimension)
{
    return (weft_window){
        .extent = attributes->window[dimension],
        .stride = attributes->stride[dimension],
        .dilation = 1,
        .padding = (weft_padding)attributes->padding,
        .pad_low = attributes->pad_low[dimension],
        .pad_high = attributes->pad_high[dimension],
    };
}

/* Number of windows along a dimension, 0 or less where they do not fit. In ceil mode as PyTorch has it:
 * one more where the last hangs over, but none that starts in the high padding or beyond. */
static int64_t positions(const weft_pool_attributes *attributes, int dimension, int64_t input)
{
    weft_window window = window_of(attributes, dimension);
    if (!attributes->ceil_mode)
        return weft_window_positions(&window, input);
    int64_t low, high;
    weft_window_pads(&window, input, &low, &high);
    int64_t room = input + low + high - window.extent + window.stride - 1;
    if (room < 0)
        return 0;
    int64_t count = room / window.stride + 1;
    return (count - 1) * window.stride >= input + low ? count - 1 : count;
}

static bool check_attributes(const weft_infer *infer, weft_shape fine)
{
    const weft_pool_attributes *a = infer->attributes;
    char text[120];
    weft_shape_text(fine, text, sizeof(text));
    if (fine.rank < 3 || fine.rank > 5)
        return weft_infer_fail(infer, "input %s has rank %d, expected 3 to 5: N, spatial, C", text,
                               fine.rank);
    for (int i = 1; i < fine.rank; i++)
        if (fine.extent[i] <= 0)
            return weft_infer_fail(infer, "input %s: only the batch may be open", text);
    if (a->padding < WEFT_VALID || a->padding > WEFT_EXPLICIT)
        return weft_infer_fail(infer, "padding %d is none of weft_padding", a->padding);
    for (int i = 0; i < 3; i++) {
        if ((a->window[i] != 0) != (i < fine.rank - 2))
            return weft_infer_fail(
                infer,
                "window {%d, %d, %d} does not give one extent for each of the %d spatial "
                "dimensions of input %s",
                a->window[0], a->window[1], a->window[2], fine.rank - 2, text);
        if (i >= fine.rank - 2 && a->stride[i] != 0)
            return weft_infer_fail(infer,
                                   "stride[%d] is set, but input %s has %d spatial dimension%s", i,
                                   text, fine.rank - 2, fine.rank == 3 ? "" : "s");
        if (a->window[i] < 0 || a->stride[i] < 0)
            return weft_infer_fail(infer, "window %d and stride %d must be positive", a->window[i],
                                   a->stride[i]);
        bool pads = a->pad_low[i] != 0 || a->pad_high[i] != 0;
        if (pads && a->padding != WEFT_EXPLICIT)
            return weft_infer_fail(infer, "pad_low and pad_high go with WEFT_EXPLICIT only");
        if (pads && (a->pad_low[i] < 0 || a->pad_low[i] >= a->window[i] || a->pad_high[i] < 0 ||
                     a->pad_high[i] >= a->window[i]))
            return weft_infer_fail(infer, "padding %d, %d must be less than the window, %d",
                                   a->pad_low[i], a->pad_high[i], a->window[i]);
    }
    return true;
}

bool weft_pool_infer_coarse(const weft_infer *infer, weft_shape fine, weft_shape *coarse)
{
    if (!check_attributes(infer, fine))
        return false;
    *coarse = fine;
    for (int i = 0; i < fine.rank - 2; i++) {
        coarse->extent[i + 1] = positions(infer->attributes, i, fine.extent[i + 1]);
        if (coarse->extent[i + 1] <= 0) {
            char text[120];
            return weft_infer_fail(infer, "window %d does not fit dimension %d of input %s",
                                   ((const weft_pool_attributes *)infer->attributes)->window[i],
                                   i + 1, weft_shape_text(fine, text, sizeof(text)));
        }
    }
    return true;
}

bool weft_pool_infer(weft_infer *infer)
{
    return weft_infer_real(infer, 0, "input") &&
           weft_pool_infer_coarse(infer, infer->shape[0], &infer->out_shape[0]);
}

bool weft_pool_infer_gradient(weft_infer *infer)
{
    weft_shape coarse;
    char got[120], expected[120];
    if (!weft_infer_real(infer, 0, "gradient") || !weft_infer_real(infer, 1, "input") ||
        !weft_pool_infer_coarse(infer, infer->shape[1], &coarse))
        return false;
    if (!weft_shape_equal(coarse, infer->shape[0]))
        return weft_infer_fail(infer, "gradient %s expected with shape %s",
                               weft_shape_text(infer->shape[0], got, sizeof(got)),
                               weft_shape_text(coarse, expected, sizeof(expected)));
    infer->out_shape[0] = infer->shape[1];
    return true;
}

/* ---- Arguments of kernels ---- */

int weft_pool_dimension(int rank, int axis)
{
    int dimension = axis - (3 - (rank - 2)) + 1;
    return dimension > 0 ? dimension : 0;
}

weft_pool_steps weft_pool_steps_of(const weft_tensor *tensor)
{
    weft_pool_steps steps = {.image = tensor->stride[0]};
    for (int i = 0; i < 3; i++) {
        int dimension = weft_pool_dimension(tensor->rank, i);
        steps.axis[i] = dimension ? tensor->stride[dimension] : 0;
    }
    return steps;
}

weft_pool_args weft_pool_args_of(const void *attributes, const weft_tensor *const *fine,
                                 int fine_count, const weft_tensor *coarse)
{
    const weft_pool_attributes *a = attributes;
    int rank = coarse->rank;
    weft_pool_args args = {
        .images = coarse->extent[0],
        .channels = coarse->extent[rank - 1],
        .coarse = weft_pool_steps_of(coarse),
        .count_include_pad = a->count_include_pad,
    };
    for (int i = 0; i < fine_count; i++)
        args.fine[i] = weft_pool_steps_of(fine[i]);
    for (int i = 0; i < 3; i++) {
        weft_pool_axis *axis = &args.axis[i];
        *axis = (weft_pool_axis){.input = 1, .output = 1, .window = 1, .stride = 1};
        int dimension = weft_pool_dimension(rank, i);
        if (!dimension)
            continue;
        weft_window window = window_of(a, dimension - 1);
        axis->input = fine[0]->extent[dimension];
        axis->output = coarse->extent[dimension];
        axis->window = window.extent;
        axis->stride = window.stride;
        weft_window_pads(&window, axis->input, &axis->low, &axis->high);
    }
    args.split = 3 - (rank - 2);
    return args;
}

/* Elements read in a piece: about 30 microseconds' worth. */
enum { PIECE_ELEMENTS = 65536 };

static int64_t pixels_of(const weft_pool_args *args, bool fine)
{
    int64_t pixels = args->images;
    for (int i = 0; i < 3; i++)
        pixels *= fine ? args->axis[i].input : args->axis[i].output;
    return pixels;
}

static bool bind_args(weft_bind *bind, const weft_pool_args *args)
{
    weft_pool_args *kept = weft_bind_args(bind, sizeof(*kept));
    if (kept)
        *kept = *args;
    return kept != NULL;
}

bool weft_pool_bind_pixels(weft_bind *bind, const weft_pool_args *args, bool fine, int64_t work,
                           weft_piece_fn *run)
{
    weft_pool_args bound = *args;
    /* Neighbouring pieces read the same rows: where there are enough pieces, larger ones. */
    int64_t pixels = pixels_of(args, fine), least = PIECE_ELEMENTS / (args->channels * work);
    bound.piece_pixels = weft_most(weft_most(least, 1), weft_least(8 * least, pixels / 16));
    if (!bind_args(bind, &bound))
        return false;
    weft_bind_phase(bind, run, (pixels + bound.piece_pixels - 1) / bound.piece_pixels);
    return true;
}

bool weft_pool_bind_boxes(weft_bind *bind, const weft_pool_args *args, weft_piece_fn *run)
{
    weft_pool_args bound = *args;
    const weft_pool_axis *axis = &args->axis[args->split];
    int64_t elements = pixels_of(args, true) / args->images * args->channels;
    bound.piece_images = elements < PIECE_ELEMENTS ? PIECE_ELEMENTS / elements : 1;
    /* Windows that reach into two pieces are looked at twice: pieces of many windows, and where windows
     * do not overlap, of whole ones. */
    int64_t rows = PIECE_ELEMENTS / (elements / axis->input);
    if (rows < 4 * axis->window)
        rows = 4 * axis->window;
    rows = (rows + axis->stride - 1) / axis->stride * axis->stride;
    bound.piece_rows = rows < axis->input ? rows : axis->input;
    if (!bind_args(bind, &bound))
        return false;
    int64_t splits = (axis->input + bound.piece_rows - 1) / bound.piece_rows;
    int64_t groups = (args->images + bound.piece_images - 1) / bound.piece_images;
    weft_bind_phase(bind, run, groups * splits);
    return true;
}

int64_t weft_pool_taps(const weft_pool_args *args)
{
    int64_t taps = 1;
    for (int i = 0; i < 3; i++)
        taps *=
            args->axis[i].window < args->axis[i].input ? args->axis[i].window : args->axis[i].input;
    return taps;
}

static void cost_of(const weft_bind *bind, const weft_tensor *coarse, weft_cost *cost)
{
    const weft_pool_attributes *a = bind->attributes;
    cost->flops = (double)weft_tensor_elements(coarse);
    for (int i = 0; i < coarse->rank - 2; i++)
        cost->flops *= a->window[i];
    cost->bytes = weft_bind_bytes(bind);
}

void weft_pool_cost_of_output(const weft_bind *bind, weft_cost *cost)
{
    cost_of(bind, &bind->output[0], cost);
}

void weft_pool_cost_of_input(const weft_bind *bind, weft_cost *cost)
{
    cost_of(bind, &bind->input[0], cost);
}

void weft_pool_label(const void *attributes, char *text, size_t size)
{
    static const char *const paddings[] = {"", " same", " full", " padded"};
    const weft_pool_attributes *a = attributes;
    size_t used = 0;
    for (int i = 0; i < 3 && a->window[i] && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%d", i ? "x" : "", a->window[i]);
    for (int i = 0; i < 3 && a->window[i] && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%d", i ? "x" : " /", a->stride[i]);
    if (used < size)
        snprintf(text + used, size - used, "%s%s", paddings[a->padding],
                 a->ceil_mode ? " ceil" : "");
}

/* ---- The float64 forms ---- */

void weft_pool_each_window(const weft_pool_args *args, const weft_operands *operands,
                           weft_pool_visit *visit)
{
    int64_t windows = pixels_of(args, false);
    for (int64_t index = 0; index < windows; index++) {
        int64_t position[3], rest = index;
        weft_pool_range range[3];
        for (int i = 2; i >= 0; i--) {
            position[i] = rest % args->axis[i].output;
            rest /= args->axis[i].output;
            range[i] = weft_pool_window(&args->axis[i], position[i]);
        }
        visit(args, operands, rest, position, range);
    }
}
