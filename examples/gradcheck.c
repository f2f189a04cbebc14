/* Checking the gradients of one's own graph: a small convolutional network with batch norm, in float64
 * against central differences. Exits with status 1 if a gradient is wrong.
 *
 * usage: gradcheck */
#include "weft/weft.h"

#include <math.h>
#include <stdio.h>

static weft_value build(weft_graph *graph, weft_value *image)
{
    *image = weft_input(graph, .name = "image", .shape = weft_shape_of(WEFT_BATCH, 9, 9, 2));
    weft_value label =
        weft_input(graph, .name = "label", .shape = weft_shape_of(WEFT_BATCH), .dtype = WEFT_INT32);
    weft_value y = weft_conv2d(*image, .filters = 5, .kernel = {3, 3}, .padding = WEFT_SAME);
    y = weft_swish(weft_batch_norm(y));
    y = weft_average_pool(y, .window = {3, 3}, .stride = {2, 2});
    y = weft_conv2d(y, .filters = 4, .kernel = {3, 3}, .stride = {2, 2});
    return weft_sparse_cross_entropy(weft_dense(weft_flatten(weft_tanh(y), 1), .units = 3), label);
}

int main(void)
{
    weft_error error = {0};
    weft_context *context = weft_context_create(NULL);
    weft_graph *graph = context ? weft_graph_create(context) : NULL;
    if (!graph) {
        fprintf(stderr, "gradcheck: out of memory\n");
        weft_context_destroy(context);
        return 1;
    }
    weft_value image, loss = build(graph, &image), label = weft_find(graph, "label");
    double pixels[2 * 9 * 9 * 2];
    for (int i = 0; i < (int)(sizeof(pixels) / sizeof(pixels[0])); i++)
        pixels[i] = sin(i * i);
    int32_t labels[] = {2, 0};
    weft_feed feeds[] = {{image, pixels, sizeof(pixels)}, {label, labels, sizeof(labels)}};
    weft_gradcheck_options options = {
        .feeds = feeds, .feed_count = 2, .mode = WEFT_TRAIN, .batch = 2};

    /* With respect to every trainable variable, then with respect to the image. */
    for (int pass = 0; pass < 2 && error.status == WEFT_OK; pass++) {
        weft_gradcheck_report report = {0};
        weft_gradcheck(&loss, 1, pass ? &image : NULL, pass, &options, &report, &error);
        printf("%-10s %4lld derivatives of %d values, worst relative error %.1e (%s)\n",
               pass ? "image:" : "variables:", (long long)report.probes, report.values,
               report.error, report.name ? report.name : "none");
    }
    if (error.status != WEFT_OK)
        fprintf(stderr, "gradcheck: %s\n", error.message);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
    return error.status == WEFT_OK ? 0 : 1;
}
