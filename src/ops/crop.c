/* crop_like and embed_like: a value cut to the shape of another, and put back among zeros. Each is the
 * gradient of the other. */
#include "kernels/integer.h"
#include "ops/copying.h"
#include "ops/ops.h"
#include "ops/region.h"
#include "ops/rules.h"
#include "ops/samples.h"
#include "weft/array.h"

#include <stdio.h>
#include <string.h>

typedef struct crop_attributes {
    int64_t begin[WEFT_MAX_RANK], step[WEFT_MAX_RANK];
    int64_t center;
} crop_attributes;

enum { X, LIKE };

/* ---- Builders ---- */

static weft_value apply(const weft_op *op, weft_value x, weft_value like,
                        const weft_region_options *options)
{
    crop_attributes attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.center = options->center;
    for (int i = 0; i < WEFT_MAX_RANK; i++) {
        attributes.begin[i] = options->begin[i];
        attributes.step[i] = options->step[i] ? options->step[i] : 1;
        if (options->center && (attributes.begin[i] || attributes.step[i] != 1))
            return weft_graph_fail(x.graph, WEFT_ERROR_ARGUMENT,
                                   "%s: center leaves no choice of begin and step", op->name);
    }
    return weft_apply(x.graph, op, &attributes, sizeof(attributes), options->name,
                      (weft_value[]){x, like}, 2, NULL, 1);
}

weft_value weft_crop_like(weft_value x, weft_value like, const weft_region_options *options)
{
    return apply(&weft_crop_like_op, x, like, options);
}

weft_value weft_embed_like(weft_value x, weft_value like, const weft_region_options *options)
{
    return apply(&weft_embed_like_op, x, like, options);
}

static weft_region_options options_of(const crop_attributes *attributes)
{
    weft_region_options options = {.center = attributes->center};
    memcpy(options.begin, attributes->begin, sizeof(options.begin));
    memcpy(options.step, attributes->step, sizeof(options.step));
    return options;
}

/* ---- Rules ---- */

/* True where the result takes its extent from `like`. */
static bool follows_like(const crop_attributes *attributes, int dimension, int rank)
{
    return !attributes->center || (dimension > 0 && dimension < rank - 1);
}

static int64_t begin_of(const crop_attributes *attributes, int dimension, int rank, int64_t large,
                        int64_t small)
{
    int64_t begin = attributes->begin[dimension];
    if (attributes->center)
        return follows_like(attributes, dimension, rank) ? (large - small) / 2 : 0;
    return begin < 0 ? begin + large : begin;
}

/* x is the large value of a crop, the small one of an embedding. */
static bool infer(weft_infer *infer, bool crop)
{
    const crop_attributes *attributes = infer->attributes;
    const weft_shape *x = &infer->shape[X], *like = &infer->shape[LIKE];
    char a[120], b[120];
    if (!weft_infer_none_past(infer, "begin", attributes->begin, 0) ||
        !weft_infer_none_past(infer, "step", attributes->step, 1))
        return false;
    infer->out_shape[0] = *x;
    infer->out_dtype[0] = infer->dtype[X];
    bool fits = x->rank == like->rank;
    for (int i = 0; fits && i < x->rank; i++) {
        if (!follows_like(attributes, i, x->rank))
            continue;
        infer->out_shape[0].extent[i] = like->extent[i];
        int64_t large = crop ? x->extent[i] : like->extent[i];
        int64_t small = crop ? like->extent[i] : x->extent[i];
        if (large < 0 || small < 0)
            continue; /* checked again when the batch is known */
        int64_t begin = begin_of(attributes, i, x->rank, large, small);
        fits = attributes->step[i] >= 1 && begin >= 0 && begin < large &&
               small - 1 <= (large - 1 - begin) / attributes->step[i];
    }
    return fits || weft_infer_fail(infer, "%s does not lie within %s",
                                   weft_shape_text(crop ? *like : *x, a, sizeof(a)),
                                   weft_shape_text(crop ? *x : *like, b, sizeof(b)));
}

static bool infer_crop(weft_infer *call)
{
    return infer(call, true);
}

static bool infer_embed(weft_infer *call)
{
    return infer(call, false) && weft_infer_real(call, X, "input");
}

static void gradient_crop(weft_gradient_call *call)
{
    weft_region_options options = options_of(call->attributes);
    call->input_gradient[X] = weft_embed_like(call->output_gradient[0], call->input[X], &options);
}

static void gradient_embed(weft_gradient_call *call)
{
    weft_region_options options = options_of(call->attributes);
    call->input_gradient[X] = weft_crop_like(call->output_gradient[0], call->input[X], &options);
}

static weft_region region_of(const crop_attributes *attributes, const weft_tensor *large,
                             const weft_tensor *small)
{
    weft_region region;
    for (int i = 0; i < large->rank; i++) {
        region.begin[i] = begin_of(attributes, i, large->rank, large->extent[i], small->extent[i]);
        /* A longer one takes one element, too. */
        region.step[i] = weft_least(attributes->step[i], large->extent[i]);
    }
    return region;
}

/* ---- Execution ---- */

static void crop_f64(const weft_operands *operands)
{
    weft_region region = region_of(operands->attributes, &operands->input[X], &operands->output[0]);
    weft_region_take_f64(operands, &region);
}

static bool crop_bind(weft_bind *bind)
{
    weft_region region = region_of(bind->attributes, &bind->input[X], &bind->output[0]);
    return weft_region_bind_take(bind, &region);
}

static bool crop_view(const weft_bind *bind, int output, weft_tensor *view, int64_t *offset)
{
    (void)output;
    weft_region region = region_of(bind->attributes, &bind->input[X], &bind->output[0]);
    return weft_region_view(bind, &region, view, offset);
}

static void embed_f64(const weft_operands *operands)
{
    weft_region region = region_of(operands->attributes, &operands->output[0], &operands->input[X]);
    weft_region_put_f64(operands, &region, 0);
}

static bool embed_bind(weft_bind *bind)
{
    weft_region region = region_of(bind->attributes, &bind->output[0], &bind->input[X]);
    return weft_region_bind_put(bind, &region, 0);
}

static void label(const void *given, char *text, size_t size)
{
    const crop_attributes *attributes = given;
    snprintf(text, size, "%s", attributes->center ? "center" : "");
}

/* ---- Samples ---- */

static bool sample(weft_sampler *sampler, int index, bool crop)
{
    static const weft_region_options cases[] = {
        {.center = true},
        {.begin = {0, 1, 2, 1}},
        {.begin = {1, -4, 0, -5}}, /* small extents are at most 4 */
        {.begin = {0, 1}, .step = {1, 2, 1, 2}},
    };
    if (index >= (int)(sizeof(cases) / sizeof(cases[0])))
        return false;
    const weft_region_options *options = &cases[index];
    weft_shape small = weft_sample_shape(sampler, 4, 2, 4), large = small;
    for (int i = 0; i < small.rank; i++)
        if (!options->center || (i > 0 && i < small.rank - 1))
            large.extent[i] = 2 * small.extent[i] + weft_sampler_integer(sampler, 1, 4);
    weft_shape x_shape = crop ? large : small, like_shape = crop ? small : large;
    if (options->center)
        like_shape.extent[3] = weft_sampler_integer(sampler, 1, 6);
    weft_value x = weft_sampler_input(sampler, x_shape, WEFT_SAMPLE_NORMAL);
    weft_value like = weft_sampler_input(sampler, like_shape, WEFT_SAMPLE_NORMAL);
    weft_sampler_output(sampler, crop ? weft_crop_like(x, like, options)
                                      : weft_embed_like(x, like, options));
    return true;
}

static bool sample_crop(weft_sampler *sampler, int index)
{
    return sample(sampler, index, true);
}

static bool sample_embed(weft_sampler *sampler, int index)
{
    return sample(sampler, index, false);
}

const weft_op weft_crop_like_op = {
    .name = "crop_like",
    .summary = "the part of x that has the shape of like",
    .shapes = "x [..], like [..] -> as like",
    .parameters = "begin, step, center",
    .source = "chain rule of embed_like",

    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .shape_only = WEFT_INPUT(LIKE),
    .infer = infer_crop,
    .gradient = gradient_crop,
    .run_f64 = crop_f64,
    .bind = crop_bind,
    .cost = weft_copying_cost,
    .view = crop_view,
    .identity = weft_identity_of_extents,
    .label = label,
    .sample = sample_crop,
};

const weft_op weft_embed_like_op = {
    .name = "embed_like",
    .summary = "zeros in the shape of like, with x as a part of them",
    .shapes = "x [..], like [..] -> as like",
    .parameters = "begin, step, center",
    .source = "chain rule of slice",

    .family = WEFT_FAMILY_SHAPE,
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 1,
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS,
    .shape_only = WEFT_INPUT(LIKE),
    .infer = infer_embed,
    .gradient = gradient_embed,
    .run_f64 = embed_f64,
    .bind = embed_bind,
    .cost = weft_copying_cost,
    .identity = weft_identity_of_extents,
    .label = label,
    .sample = sample_embed,
};
