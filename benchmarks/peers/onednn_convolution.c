/* One convolution in oneDNN 2, all three passes, float32: a JSON line as `bench_convolution --json` prints.
 *
 *     onednn_convolution direct|winograd THREADS SECONDS DESCRIPTOR      (descriptors: layer.h)
 *
 * The direct algorithm is measured in the layout that oneDNN picks and in channels last; the faster one
 * counts, its reorders do not. Passes that oneDNN has no fast form of are left out. */
#include "layer.h"
#include "measure.h"

#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bench {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_alg_kind_t convolution, deconvolution;
    double seconds;
} bench;

typedef union description {
    dnnl_convolution_desc_t convolution;
    dnnl_deconvolution_desc_t deconvolution;
} description;

/* What one execution takes. */
typedef struct execution {
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t argument[3];
} execution;

static void run_execution(const void *data)
{
    const execution *e = data;
    dnnl_primitive_execute(e->primitive, e->stream, 3, e->argument);
    dnnl_stream_wait(e->stream);
}

static dnnl_status_t describe(const bench *b, const layer *l, int pass, dnnl_format_tag_t tag,
                              description *d)
{
    dnnl_dims_t x_dims = {l->batch, l->in_channels, l->in[0], l->in[1]};
    dnnl_dims_t y_dims = {l->batch, l->out_channels, l->out[0], l->out[1]};
    dnnl_dims_t w_dims = {l->groups, l->out_channels / l->groups, l->in_channels / l->groups,
                          l->kernel[0], l->kernel[1]};
    bool grouped = l->groups > 1;
    dnnl_memory_desc_t x, y, w;
    dnnl_memory_desc_init_by_tag(&x, 4, x_dims, dnnl_f32, tag);
    dnnl_memory_desc_init_by_tag(&y, 4, y_dims, dnnl_f32, tag);
    dnnl_memory_desc_init_by_tag(&w, grouped ? 5 : 4, grouped ? w_dims : w_dims + 1, dnnl_f32,
                                 dnnl_format_tag_any);
    dnnl_dims_t stride = {l->stride, l->stride}, pad = {l->pad[0], l->pad[1]};
    dnnl_dims_t skipped = {l->dilation - 1, l->dilation - 1};
    dnnl_convolution_desc_t *c = &d->convolution;
    dnnl_deconvolution_desc_t *t = &d->deconvolution;
    if (pass == 0)
        return l->transposed
                   ? dnnl_dilated_deconvolution_forward_desc_init(t, dnnl_forward_training,
                                                                  b->deconvolution, &x, &w, NULL,
                                                                  &y, stride, skipped, pad, pad)
                   : dnnl_dilated_convolution_forward_desc_init(c, dnnl_forward_training,
                                                                b->convolution, &x, &w, NULL, &y,
                                                                stride, skipped, pad, pad);
    if (pass == 1)
        return l->transposed ? dnnl_dilated_deconvolution_backward_data_desc_init(
                                   t, b->deconvolution, &x, &w, &y, stride, skipped, pad, pad)
                             : dnnl_dilated_convolution_backward_data_desc_init(
                                   c, b->convolution, &x, &w, &y, stride, skipped, pad, pad);
    return l->transposed ? dnnl_dilated_deconvolution_backward_weights_desc_init(
                               t, b->deconvolution, &x, &w, NULL, &y, stride, skipped, pad, pad)
                         : dnnl_dilated_convolution_backward_weights_desc_init(
                               c, b->convolution, &x, &w, NULL, &y, stride, skipped, pad, pad);
}

/* The primitive of a pass, or NULL where only the reference form exists. A gradient wants the forward
 * pass of the same problem as a hint. */
static dnnl_primitive_desc_t choose(const bench *b, const layer *l, int pass, dnnl_format_tag_t tag)
{
    description forward, wanted;
    dnnl_primitive_desc_t hint = NULL, chosen = NULL;
    if (describe(b, l, 0, tag, &forward) != dnnl_success ||
        dnnl_primitive_desc_create(&hint, &forward, NULL, b->engine, NULL) != dnnl_success)
        return NULL;
    if (pass == 0)
        chosen = hint;
    else {
        if (describe(b, l, pass, tag, &wanted) != dnnl_success ||
            dnnl_primitive_desc_create(&chosen, &wanted, NULL, b->engine, hint) != dnnl_success)
            chosen = NULL;
        dnnl_primitive_desc_destroy(hint);
    }
    const char *name = "";
    if (chosen)
        dnnl_primitive_desc_query(chosen, dnnl_query_impl_info_str, 0, (void *)&name);
    if (chosen && strstr(name, "ref")) {
        dnnl_primitive_desc_destroy(chosen);
        chosen = NULL;
    }
    return chosen;
}

/* Median seconds, or -1. */
static double measure_chosen(const bench *b, dnnl_primitive_desc_t chosen, int pass)
{
    static const struct {
        int argument;
        dnnl_query_t description;
    } operands[LAYER_PASSES][3] = {
        {{DNNL_ARG_SRC, dnnl_query_src_md},
         {DNNL_ARG_WEIGHTS, dnnl_query_weights_md},
         {DNNL_ARG_DST, dnnl_query_dst_md}},
        {{DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md},
         {DNNL_ARG_WEIGHTS, dnnl_query_weights_md},
         {DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md}},
        {{DNNL_ARG_SRC, dnnl_query_src_md},
         {DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md},
         {DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md}},
    };
    execution e = {.stream = b->stream};
    float *data[3] = {NULL};
    double seconds = -1;
    if (dnnl_primitive_create(&e.primitive, chosen) != dnnl_success)
        return seconds;
    for (int i = 0; i < 3; i++) {
        const dnnl_memory_desc_t *md =
            dnnl_primitive_desc_query_md(chosen, operands[pass][i].description, 0);
        data[i] = measure_floats((int64_t)(dnnl_memory_desc_get_size(md) / sizeof(float)) + 1);
        e.argument[i].arg = operands[pass][i].argument;
        dnnl_memory_create(&e.argument[i].memory, md, b->engine, data[i]);
    }
    seconds = measure_median(run_execution, &e, b->seconds);
    for (int i = 0; i < 3; i++) {
        dnnl_memory_destroy(e.argument[i].memory);
        free(data[i]);
    }
    dnnl_primitive_destroy(e.primitive);
    return seconds;
}

static void measure_pass(const bench *b, const layer *l, int pass)
{
    static const struct {
        dnnl_format_tag_t tag;
        const char *name;
    } layouts[] = {{dnnl_format_tag_any, "any"}, {dnnl_nhwc, "nhwc"}};
    double best = -1;
    const char *layout = NULL;
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        dnnl_primitive_desc_t chosen = choose(b, l, pass, layouts[i].tag);
        if (!chosen)
            continue;
        double seconds = measure_chosen(b, chosen, pass);
        dnnl_primitive_desc_destroy(chosen);
        if (seconds > 0 && (best < 0 || seconds < best)) {
            best = seconds;
            layout = layouts[i].name;
        }
    }
    if (best > 0)
        printf(", \"%s\": {\"median_ms\": %.6f, \"layout\": \"%s\"}", layer_pass_names[pass],
               best * 1e3, layout);
}

int main(int argc, char **argv)
{
    layer l;
    if (argc != 5 || !layer_parse(argv[4], &l)) {
        fprintf(stderr, "usage: onednn_convolution direct|winograd THREADS SECONDS DESCRIPTOR\n");
        return 2;
    }
    bool winograd = strcmp(argv[1], "winograd") == 0;
    bench b = {.convolution = winograd ? dnnl_convolution_winograd : dnnl_convolution_direct,
               .deconvolution = winograd ? dnnl_deconvolution_winograd : dnnl_deconvolution_direct,
               .seconds = atof(argv[3])};
    measure_threads(atoi(argv[2]));
    if (dnnl_engine_create(&b.engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&b.stream, b.engine, dnnl_stream_default_flags) != dnnl_success) {
        fprintf(stderr, "onednn_convolution: no engine\n");
        return 1;
    }
    printf("{\"layer\": \"%s\"", argv[4]);
    for (int pass = 0; pass < LAYER_PASSES; pass++)
        measure_pass(&b, &l, pass);
    printf("}\n");
    dnnl_stream_destroy(b.stream);
    dnnl_engine_destroy(b.engine);
    return 0;
}
