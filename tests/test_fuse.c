/* Fusing: what becomes one step, what must not, and that the numbers stay. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "weft/weft.h"

static weft_context *context;
static weft_graph *graph;
static weft_error error;

static void begin(void)
{
    context = weft_context_create(NULL);
    graph = weft_graph_create(context);
}

static void end(void)
{
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}

TestSuite(fuse, .init = begin, .fini = end);

static const unsigned fuse_off = 1u << WEFT_PASS_FUSE;

enum { BATCH = 3, MOST = 1 << 18, FETCHES = 8 };

/* What a program gave. */
typedef struct outcome {
    int steps;
    char labels[4096], algorithms[4096];
    float data[FETCHES][MOST];
    int64_t count[FETCHES];
} outcome;

static weft_value x;

static void run(const weft_value *fetch, int fetches, weft_mode mode, unsigned without,
                outcome *result)
{
    static float image[MOST];
    for (int i = 0; i < MOST; i++)
        image[i] = (float)((uint32_t)i * 2654435761u >> 20) / 2048.0f - 1;
    weft_state *state = NULL;
    weft_program *program = NULL;
    weft_compile_options options = {
        .mode = mode, .fetch = fetch, .fetches = fetches, .batch = BATCH, .without = without};
    cr_assert_eq(weft_state_create(graph, &(weft_state_options){.seed = 5}, &state, &error),
                 WEFT_OK, "%s", error.message);
    cr_assert_eq(weft_compile(graph, state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    cr_assert_eq(weft_program_verify(program, &error), WEFT_OK, "%s", error.message);
    size_t bytes = (size_t)(BATCH * -weft_shape_elements(weft_shape_get(x))) * sizeof(float);
    cr_assert_eq(weft_run(program, &(weft_feed){x, image, bytes}, 1, NULL, &error), WEFT_OK, "%s",
                 error.message);
    result->steps = weft_program_report(program).steps;
    result->labels[0] = result->algorithms[0] = 0;
    weft_step_report step;
    for (int i = 0; weft_program_step(program, i, &step); i++) {
        strcat(result->labels, step.op);
        strcat(result->labels, "\n");
        strcat(result->algorithms, step.algorithm);
        strcat(result->algorithms, "\n");
    }
    for (int i = 0; i < fetches; i++) {
        weft_tensor tensor = weft_fetch(program, fetch[i]);
        result->count[i] = weft_tensor_elements(&tensor);
        cr_assert_leq(result->count[i], MOST);
        memcpy(result->data[i], tensor.data, (size_t)result->count[i] * sizeof(float));
    }
    weft_program_destroy(program);
    weft_state_destroy(state);
}

static outcome fused, plain;

static void run_both(const weft_value *fetch, int fetches, weft_mode mode)
{
    run(fetch, fetches, mode, 0, &fused);
    run(fetch, fetches, mode, fuse_off, &plain);
}

/* The same within `tolerance` of each tensor's norm; 0: the same bits. */
static void expect_same(int fetches, double tolerance)
{
    for (int i = 0; i < fetches; i++) {
        double difference = 0, norm = 0;
        cr_assert_eq(fused.count[i], plain.count[i]);
        for (int64_t k = 0; k < plain.count[i]; k++) {
            difference += pow((double)fused.data[i][k] - (double)plain.data[i][k], 2);
            norm += pow((double)plain.data[i][k], 2);
        }
        cr_expect_gt(norm, 0, "fetch %d shows nothing", i);
        cr_expect_leq(sqrt(difference), tolerance * sqrt(norm), "fetch %d is off by %g", i,
                      sqrt(difference / norm));
    }
}

static void expect_label(const char *label)
{
    cr_expect(strstr(fused.labels, label), "no step \"%s\" in:\n%s", label, fused.labels);
}

static weft_value image(int64_t size, int64_t channels)
{
    x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, size, size, channels));
    return x;
}

static weft_value conv(weft_value v, int filters, int kernel)
{
    return weft_conv2d(v, .filters = filters, .kernel = {kernel, kernel}, .padding = WEFT_SAME);
}

/* By filters of 7 taps in one direction, as Inception-v3 has them. */
static weft_value line(weft_value v, int height, int width)
{
    return weft_conv2d(v, .filters = 40, .kernel = {height, width}, .padding = WEFT_SAME,
                       .no_bias = true);
}

Test(fuse, maps_become_one_step_of_the_same_bits)
{
    weft_value v = image(7, 19);
    weft_value y = weft_relu(weft_add(weft_tanh(v), weft_scale(weft_sigmoid(v), 0.5)));
    run_both(&y, 1, WEFT_INFER);
    cr_expect_eq(fused.steps, 1);
    cr_expect_eq(plain.steps, 5);
    expect_same(1, 0);
}

static weft_value mean_along(weft_value v, int first, int count)
{
    weft_reduce_options options = {.axis_count = count, .keep_dims = true};
    for (int i = 0; i < count; i++)
        options.axes[i] = first + i;
    return (weft_mean)(v, &options);
}

/* One row of channels for each image, as of squeeze and excitation; for each column; without the batch. */
Test(fuse, rows_that_are_repeated_along_some_dimensions)
{
    weft_value v = image(7, 19);
    weft_value of_images = mean_along(v, 1, 2), of_columns = mean_along(v, 1, 1);
    weft_value of_rows = weft_reshape(mean_along(mean_along(v, 2, 1), 0, 1), 7, 1, 19);
    weft_value y = weft_add(weft_multiply(v, of_images), weft_multiply(v, of_columns));
    y = weft_relu(weft_add(weft_subtract(y, of_rows), v));
    run_both(&y, 1, WEFT_INFER);
    expect_same(1, 0);
    expect_label("2 multiply + add + subtract + add + relu");
}

/* More dimensions than any kernel's. */
Test(fuse, maps_of_many_dimensions)
{
    x = weft_input(graph, .shape = weft_shape_of(WEFT_BATCH, 2, 3, 2, 2, 3, 2, 5));
    weft_value thin = weft_reshape(x, WEFT_BATCH, 2, 3, 4, 3, 2, 5);
    weft_value wide = weft_slice(x, .begin = {0, 1, 1, 0, 1, 1});
    weft_value y[] = {
        weft_relu(weft_add(weft_tanh(thin), weft_multiply(thin, mean_along(thin, 1, 5)))),
        weft_relu(weft_add(weft_tanh(wide), weft_multiply(wide, mean_along(wide, 1, 6))))};
    run_both(y, 2, WEFT_INFER);
    expect_label("multiply + tanh + add + relu");
    expect_same(2, 0);
}

/* In the kernels that make what they are applied to: of one tap, by Winograd, depthwise, strided. */
Test(fuse, rows_that_are_repeated_follow_kernels)
{
    weft_value v = image(8, 24), of_images = mean_along(v, 1, 2), of_columns = mean_along(v, 1, 1);
    weft_conv_options options[] = {{.kernel = {1, 1}},
                                   {.kernel = {3, 3}, .padding = WEFT_SAME},
                                   {.kernel = {3, 3}, .padding = WEFT_SAME, .groups = 24},
                                   {.kernel = {5, 1}, .padding = WEFT_SAME, .groups = 2}};
    weft_value fetch[FETCHES];
    int count = sizeof(options) / sizeof(options[0]);
    for (int i = 0; i < 2 * count; i++) {
        options[i / 2].filters = 24;
        options[i / 2].no_bias = true;
        weft_value gate = i % 2 ? of_columns : of_images;
        fetch[i] = weft_relu(weft_add(weft_multiply((weft_conv2d)(v, &options[i / 2]), gate), v));
    }
    run_both(fetch, 2 * count, WEFT_INFER);
    cr_expect_eq(fused.steps, 2 * count + 2, "%d steps:\n%s", fused.steps, fused.labels);
    expect_label("convolution + multiply + add + relu");
    expect_same(2 * count, 1e-6);
}

/* The norm of groups becomes coefficients of each image's channels and a map, which takes in what follows. */
Test(fuse, norms_of_groups_and_what_follows)
{
    weft_value v = image(8, 24), y = conv(v, 24, 3);
    weft_value z = weft_max_pool(weft_relu(weft_group_norm(y, .groups = 6)), .window = {2, 2});
    z = weft_relu(weft_add(weft_instance_norm(conv(z, 24, 3)), z));
    run_both(&z, 1, WEFT_TRAIN);
    cr_expect_eq(fused.steps, 7);
    expect_label("group_norm_coefficients\nnormalize + relu\n");
    expect_label("group_norm_coefficients\nnormalize + add + relu\n");
    expect_same(1, 1e-6);
}

Test(fuse, gradients_of_norms_of_groups)
{
    weft_value v = image(7, 12), y = conv(v, 20, 3);
    y = weft_conv2d(weft_relu(weft_group_norm(y, .groups = 4)), .filters = 8, .kernel = {3, 3});
    y = weft_sigmoid(weft_layer_norm(weft_instance_norm(y)));
    weft_value fetch[FETCHES] = {weft_mean(weft_square(y))}, of[FETCHES - 1];
    int count = 0;
    for (; count < FETCHES - 1; count++)
        of[count] = weft_variable_at(graph, count);
    weft_gradients(fetch[0], of, count, fetch + 1, NULL);
    run_both(fetch, FETCHES, WEFT_TRAIN);
    expect_label("normalize + relu\n");
    expect_label("\ngroup_norm\n"); /* rows */
    expect_same(FETCHES, 2e-5);
}

Test(fuse, values_that_others_read_are_stored)
{
    weft_value v = image(7, 19), a = weft_tanh(v), b = weft_relu(a);
    weft_value fetch[] = {weft_square(b), a, weft_sum(b)};
    run_both(fetch, 3, WEFT_INFER);
    expect_same(3, 1e-6);
    expect_label("tanh + relu + square\n");
}

Test(fuse, a_residual_block_in_inference_has_one_step_a_convolution)
{
    weft_value v = image(9, 20);
    weft_value y = weft_relu(weft_batch_norm(conv(v, 36, 3)));
    y = weft_batch_norm(conv(y, 20, 3));
    y = weft_relu(weft_add(y, v));
    run_both(&y, 1, WEFT_INFER);
    expect_label("convolution + normalize + relu\n");
    expect_label("convolution + normalize + add + relu\n");
    cr_expect_eq(fused.steps, 4, "two convolutions and the coefficients of two norms:\n%s",
                 fused.labels);
    expect_same(1, 1e-6);
}

static weft_value residual_loss(void)
{
    weft_value v = image(9, 20);
    v = weft_relu(weft_batch_norm(conv(v, 20, 3)));
    weft_value y = weft_relu(weft_batch_norm(conv(v, 36, 1)));
    y = weft_batch_norm(conv(y, 24, 3));
    y = weft_relu(weft_add(y, weft_batch_norm(conv(v, 24, 1))));
    return weft_mean(weft_square(weft_global_average_pool(y)));
}

Test(fuse, gradients_of_residual_blocks)
{
    weft_value loss = residual_loss(), of[FETCHES], fetch[FETCHES] = {loss};
    int count = 0;
    for (int i = 0; !weft_is_null(weft_variable_at(graph, i)) && count < FETCHES - 1; i++)
        if (weft_is_trainable(weft_variable_at(graph, i)) && i % 2 == 0)
            of[count++] = weft_variable_at(graph, i);
    weft_gradients(loss, of, count, fetch + 1, NULL);
    run_both(fetch, count + 1, WEFT_TRAIN);
    expect_same(count + 1, 2e-5);
    expect_label("convolution + batch_norm_coefficients\n");
    expect_label("relu_gradient + batch_norm_gradient_coefficients\n");
    cr_expect_lt(fused.steps, plain.steps);
}

/* Winograd's tiles are lines, across and down: all that it does to their pixels, before and after. */
Test(fuse, lines_of_pixels_are_finished_summed_and_read_through)
{
    weft_value y = weft_relu(weft_batch_norm(line(image(17, 40), 1, 7)));
    y = weft_relu(weft_batch_norm(line(y, 7, 1)));
    run_both(&y, 1, WEFT_INFER);
    expect_same(1, 2e-6);
    weft_value loss = weft_mean(weft_square(line(y, 1, 7))), of[] = {x, weft_null(graph)};
    of[1] = weft_variable_at(graph, 0);
    weft_value fetch[] = {loss, weft_null(graph), weft_null(graph)};
    weft_gradients(loss, of, 2, fetch + 1, NULL);
    run_both(fetch, 3, WEFT_TRAIN);
    expect_same(3, 2e-5);
    expect_label("normalize + relu + convolution");
    expect_label("convolution + batch_norm_coefficients\n");
    expect_label("relu_gradient + batch_norm_gradient_coefficients\n");
    cr_expect(strstr(fused.algorithms, "winograd 3 of 7"), "%s", fused.algorithms);
    cr_expect(strstr(fused.algorithms, "outer 3 of 7"), "%s", fused.algorithms);
}

/* The same where blocks of pixels are read, of so few channels that there are no sums in memory. */
Test(fuse, blocks_of_pixels_are_finished_and_summed)
{
    weft_value v = image(75, 3);
    weft_value y =
        weft_conv2d(v, .filters = 50, .kernel = {7, 7}, .stride = {2, 2}, .padding = WEFT_SAME);
    weft_value other = weft_batch_norm(y);
    y = weft_conv2d(v, .filters = 50, .kernel = {7, 7}, .stride = {2, 2}, .padding = WEFT_SAME);
    y = weft_relu(weft_add(weft_batch_norm(y), other));
    run_both(&y, 1, WEFT_INFER);
    expect_same(1, 2e-6);
    expect_label("convolution + normalize + add + relu\n");
    weft_value loss = weft_mean(weft_square(y)), of = weft_variable_at(graph, 0);
    weft_value fetch[] = {loss, weft_null(graph)};
    weft_gradients(loss, &of, 1, fetch + 1, NULL);
    run_both(fetch, 2, WEFT_TRAIN);
    expect_same(2, 2e-5);
    expect_label("convolution + batch_norm_coefficients\n");
    cr_expect(strstr(fused.algorithms, "winograd strided 3x3"), "%s", fused.algorithms);
    cr_expect(strstr(fused.algorithms, "outer strided 3x3"), "%s", fused.algorithms);
}

Test(fuse, sums_of_strided_and_odd_extents)
{
    weft_value v = image(11, 33);
    weft_value y = weft_conv2d(v, .filters = 70, .kernel = {3, 3}, .stride = {2, 2});
    y = weft_batch_norm(weft_slice(y, .begin = {0, 1, 0, 0}));
    y = weft_batch_norm(
        weft_conv_transpose2d(y, .filters = 17, .kernel = {3, 3}, .stride = {2, 2}));
    run_both(&y, 1, WEFT_TRAIN);
    expect_label("transposed_convolution + batch_norm_coefficients\n");
    expect_same(1, 2e-6);
}

Test(fuse, depthwise_convolution_and_dense_layers)
{
    weft_value v = image(9, 21);
    weft_value y = weft_conv2d(v, .filters = 21, .kernel = {3, 3}, .stride = {2, 2}, .groups = 21,
                               .padding = WEFT_SAME, .no_bias = true);
    y = weft_relu(weft_batch_norm(y));
    y = weft_relu(weft_dense(weft_global_average_pool(y), .units = 37));
    weft_value of = weft_variable_at(graph, 0), fetch[] = {y, weft_null(graph)};
    weft_gradients(weft_mean(weft_square(y)), &of, 1, &fetch[1], NULL);
    run_both(fetch, 2, WEFT_TRAIN);
    expect_same(2, 2e-5);
    expect_label("convolution + batch_norm_coefficients\n");
    expect_label("matmul + relu");
}

/* Products whose sums come in splits: what follows comes after all of them. */
Test(fuse, thin_products)
{
    weft_value y = weft_relu(weft_dense(weft_global_average_pool(image(9, 130)), .units = 300));
    y = weft_relu(weft_add(weft_dense(y, .units = 300), y));
    y = weft_relu(weft_batch_norm(weft_dense(y, .units = 301)));
    for (int mode = WEFT_INFER; mode <= WEFT_TRAIN; mode++) {
        run_both(&y, 1, (weft_mode)mode);
        expect_same(1, 2e-6);
        expect_label("matmul + relu\n");
        expect_label("matmul + add + relu\n");
        cr_expect(strstr(fused.algorithms, "thin"), "%s", fused.algorithms);
    }
}

/* The product needs the convolution finished: it must not be part of it. */
Test(fuse, what_depends_on_a_kernel_by_another_way_stays_outside)
{
    weft_value y = conv(image(8, 12), 12, 3);
    weft_value scale = weft_sigmoid(weft_global_average_pool(y));
    weft_value z = weft_multiply(weft_relu(y), weft_reshape(scale, WEFT_BATCH, 1, 1, 12));
    weft_value w =
        weft_add(z, weft_max_pool(z, .window = {3, 3}, .stride = {1, 1}, .padding = WEFT_SAME));
    run_both(&w, 1, WEFT_INFER);
    expect_same(1, 1e-6);
}

/* Of running statistics that are all different. */
static weft_value normalized(weft_value v)
{
    weft_shape channels = weft_shape_of(weft_shape_get(v).extent[3]);
    weft_initializer any = {.kind = WEFT_INIT_UNIFORM, .a = 0.5, .b = 1.5};
    weft_value mean = weft_variable(graph, .shape = channels, .initializer = any, .frozen = true);
    weft_value variance =
        weft_variable(graph, .shape = channels, .initializer = any, .frozen = true);
    return weft_batch_normalization(
        v, mean, variance, .gamma = weft_variable(graph, .shape = channels, .initializer = any),
        .beta = weft_variable(graph, .shape = channels, .initializer = any));
}

/* The same bits of y whether `between`, which the kernel would read through, is stored or not. */
static void expect_read_through(weft_value between, weft_value y, const char *label)
{
    weft_value fetch[] = {y, between};
    run_both(&y, 1, WEFT_INFER);
    expect_label(label);
    expect_same(1, 1e-6);
    run(fetch, 2, WEFT_INFER, 0, &plain);
    cr_expect_not(strstr(plain.labels, label), "\"%s\", which is fetched, is not stored", label);
    expect_same(1, 0);
}

Test(fuse, what_only_a_convolution_of_one_tap_reads_is_not_stored)
{
    weft_value v = weft_relu(normalized(image(9, 21)));
    expect_read_through(v, conv(v, 36, 1), "normalize + relu + convolution\n");
}

Test(fuse, reading_through_and_finishing_in_one_kernel)
{
    weft_value v = weft_relu6(normalized(image(7, 48)));
    weft_value y = weft_relu(normalized(conv(v, 300, 1)));
    expect_read_through(v, y, "normalize + clipped_relu + convolution + normalize + relu\n");
}

Test(fuse, reading_through_strides_padding_and_groups)
{
    weft_value v = normalized(image(9, 24));
    weft_value y = weft_conv2d(v, .filters = 36, .kernel = {1, 1}, .stride = {2, 2}, .groups = 3,
                               .padding = WEFT_EXPLICIT, .pad_low = {2, 0}, .pad_high = {1, 3});
    expect_read_through(v, y, "normalize + convolution\n");
}

/* The reduction takes several chunks; the channels before and after lie between those that are read. */
Test(fuse, reading_through_a_slice_of_many_channels)
{
    weft_value parts[3];
    weft_split(image(4, 1000), -1, (int64_t[]){16, 968, 16}, 3, parts);
    weft_value v = weft_relu(normalized(parts[1]));
    expect_read_through(v, conv(v, 260, 1), "normalize + relu + convolution\n");
}

/* What is read through is also what is added to the result, which must not take its place while it is read. */
Test(fuse, a_residual_block_with_the_norm_first)
{
    weft_value v = weft_tanh(image(8, 300));
    weft_value y = weft_add(conv(weft_relu(normalized(v)), 300, 1), v);
    run_both(&y, 1, WEFT_INFER);
    expect_label("normalize + relu + convolution + add\n");
    expect_same(1, 1e-6);
}

Test(fuse, reading_through_several_taps)
{
    weft_value v = weft_relu(normalized(image(9, 20)));
    expect_read_through(v, conv(v, 16, 3), "normalize + relu + convolution\n");
}

/* Running statistics are there before x is: nothing speaks for storing x instead. */
Test(fuse, nothing_is_read_through_by_several_readers_in_inference)
{
    weft_value v = weft_relu(normalized(image(9, 20)));
    weft_value fetch[] = {conv(v, 16, 1), conv(v, 16, 1)};
    run_both(fetch, 2, WEFT_INFER);
    expect_same(2, 1e-6);
    cr_expect_not(strstr(fused.labels, "relu + convolution"), "%s", fused.labels);
}

/* A node reads a variable before its update, another one after it: one step cannot do both. */
Test(fuse, an_update_between_two_maps)
{
    weft_value v = image(5, 8);
    weft_value mean = weft_variable(graph, .name = "mean", .shape = weft_shape_of(8));
    weft_value before = weft_add(weft_tanh(v), mean);
    weft_value after = weft_moving_average(mean, weft_fill_like(mean, 3), .decay = 0.5);
    weft_value y = weft_multiply(before, after);
    run_both(&y, 1, WEFT_TRAIN);
    expect_same(1, 0);
}

Test(fuse, long_chains_are_cut)
{
    weft_value y = image(6, 10);
    for (int i = 0; i < 40; i++)
        y = weft_add(weft_tanh(y), weft_scale(x, 0.1 + i * 0.01));
    run_both(&y, 1, WEFT_INFER);
    expect_same(1, 0);
    cr_expect_lt(fused.steps, 20);
}

/* The sums are made by a convolution whose filters, or whose tiles, are worked on in rounds. */
static void expect_rounds(int64_t size, int channels, int filters)
{
    weft_value v = conv(image(size, 3), channels, 1);
    v = weft_batch_norm(conv(weft_relu(weft_batch_norm(v)), filters, 3));
    weft_value y = weft_tanh(v), of = weft_variable_at(graph, 0);
    weft_value fetch[] = {weft_global_average_pool(y), weft_mean(weft_square(y)), weft_null(graph)};
    weft_gradients(fetch[1], &of, 1, &fetch[2], NULL);
    run_both(fetch, 3, WEFT_TRAIN);
    expect_label("normalize + relu + convolution + batch_norm_coefficients\n");
    cr_expect(strstr(fused.algorithms, "winograd positions"), "%s", fused.algorithms);
    expect_same(3, 2e-4);
}

Test(fuse, sums_of_a_convolution_in_sections)
{
    expect_rounds(15, 440, 320);
}

Test(fuse, sums_of_a_convolution_in_chunks)
{
    expect_rounds(44, 256, 200);
}

/* ---- What is computed again where it is read ---- */

/* The same bits with the recompute pass and without it; the fetches and the gradients of all variables. */
static void expect_recomputed(weft_value y, bool arena_shrinks)
{
    weft_value of[FETCHES], fetch[FETCHES] = {weft_mean(weft_square(y))};
    int count = 0;
    for (int i = 0; !weft_is_null(weft_variable_at(graph, i)) && count < FETCHES - 1; i++)
        if (weft_is_trainable(weft_variable_at(graph, i)))
            of[count++] = weft_variable_at(graph, i);
    weft_gradients(fetch[0], of, count, fetch + 1, NULL);
    run(fetch, count + 1, WEFT_TRAIN, 0, &fused);
    run(fetch, count + 1, WEFT_TRAIN, 1u << WEFT_PASS_RECOMPUTE, &plain);
    expect_same(count + 1, 0);
    cr_expect_eq(fused.steps < plain.steps, arena_shrinks, "%d and %d steps:\n%s", fused.steps,
                 plain.steps, fused.labels);
}

Test(recompute, a_norm_and_relu_between_convolutions, .init = begin, .fini = end)
{
    weft_value v = conv(weft_relu(weft_batch_norm(conv(image(13, 20), 36, 3))), 24, 3);
    v = conv(weft_relu(weft_batch_norm(v)), 17, 1);
    expect_recomputed(v, true);
    expect_label("normalize + relu + convolution + batch_norm_coefficients\n");
    expect_label("normalize + relu + convolution_filter_gradient\n");
    expect_label("convolution_input_gradient + normalize + relu_gradient + "
                 "batch_norm_gradient_coefficients\n");
}

Test(recompute, strides_and_a_depthwise_convolution, .init = begin, .fini = end)
{
    weft_value v = weft_relu6(weft_batch_norm(conv(image(15, 12), 21, 1)));
    v = weft_conv2d(v, .filters = 21, .kernel = {3, 3}, .stride = {2, 2}, .groups = 21,
                    .padding = WEFT_SAME, .no_bias = true);
    v = weft_conv2d(weft_relu6(weft_batch_norm(v)), .filters = 9, .kernel = {3, 3},
                    .stride = {2, 2});
    expect_recomputed(v, true);
    expect_label("normalize + clipped_relu + convolution + batch_norm_coefficients\n");
    expect_label("normalize + clipped_relu + convolution_filter_gradient\n");
}

Test(recompute, a_norm_without_an_activation, .init = begin, .fini = end)
{
    expect_recomputed(conv(weft_batch_norm(conv(image(9, 8), 24, 3)), 12, 3), true);
    expect_label("normalize + convolution_filter_gradient\n");
}

Test(recompute, norms_of_one_growing_concat, .init = begin, .fini = end)
{
    weft_value v = conv(image(9, 8), 16, 3);
    for (int i = 0; i < 2; i++) {
        weft_value y = conv(weft_relu(weft_batch_norm(v)), 12, 3);
        v = weft_concat((weft_value[]){v, y}, 2, -1);
    }
    expect_recomputed(v, true);
    expect_label("normalize + relu + convolution");
}

Test(recompute, what_others_read_is_kept, .init = begin, .fini = end)
{
    weft_value v = weft_relu(weft_batch_norm(conv(image(9, 8), 24, 3)));
    expect_recomputed(weft_add(conv(v, 24, 3), v), false);
    cr_expect_not(strstr(fused.labels, "relu + convolution"), "%s", fused.labels);
}

Test(recompute, what_goes_into_a_concat_is_kept, .init = begin, .fini = end)
{
    weft_value v = weft_relu(weft_batch_norm(conv(image(9, 8), 24, 3)));
    expect_recomputed(weft_concat((weft_value[]){v, conv(v, 8, 3)}, 2, -1), false);
}

Test(recompute, what_is_fetched_is_kept, .init = begin, .fini = end)
{
    weft_value v = weft_relu(weft_batch_norm(conv(image(9, 8), 24, 3)));
    weft_value loss = weft_mean(weft_square(conv(v, 8, 3))), of = weft_variable_at(graph, 0);
    weft_value fetch[] = {loss, v, weft_null(graph)};
    weft_gradients(loss, &of, 1, &fetch[2], NULL);
    run(fetch, 3, WEFT_TRAIN, 0, &fused);
    run(fetch, 3, WEFT_TRAIN, 1u << WEFT_PASS_RECOMPUTE, &plain);
    expect_same(3, 0);
    cr_expect_not(strstr(fused.labels, "relu + convolution"), "%s", fused.labels);
}
