/* Building graphs: the first error and its message, names and scopes, reverse mode's arguments. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "graph/core_ops.h"
#include "support/allocator.h"
#include "weft/weft.h"

static test_allocator allocator;
static weft_context *context;
static weft_graph *graph;

static void begin(void)
{
    allocator = (test_allocator){0};
    weft_context_options options = test_allocator_options(&allocator);
    context = weft_context_create(&options);
    graph = weft_graph_create(context);
}

static void end(void)
{
    weft_graph_destroy(graph);
    weft_context_destroy(context);
    cr_expect_eq(allocator.live_blocks, 0);
    cr_expect_eq(allocator.wrong_releases, 0);
}

TestSuite(graph, .init = begin, .fini = end);

static void expect_error(weft_status status, const char *part)
{
    const weft_error *error = weft_graph_error(graph);
    cr_expect_eq(error->status, status, "status %d: %s", error->status, error->message);
    cr_expect(strstr(error->message, part), "\"%s\" is not in: %s", part, error->message);
    cr_expect(!strchr(error->message, '\n'), "more than one line");
}

/* ---- A user's op, so that these tests need no others ---- */

static bool infer_join(weft_infer *infer)
{
    char a[100], b[100];
    if (!weft_shape_equal(infer->shape[0], infer->shape[1]))
        return weft_infer_fail(infer, "left is %s, right is %s",
                               weft_shape_text(infer->shape[0], a, sizeof(a)),
                               weft_shape_text(infer->shape[1], b, sizeof(b)));
    infer->out_shape[0] = infer->shape[0];
    infer->out_shape[1] = infer->shape[0];
    infer->out_dtype[1] = WEFT_INT32;
    return true;
}

static void join_gradient(weft_gradient_call *call)
{
    for (int i = 0; i < 2; i++)
        if (call->wanted[i])
            call->input_gradient[i] = call->output_gradient[0];
}

static void join_f64(const weft_operands *operands)
{
    (void)operands;
}

static const weft_op join_op = {
    .name = "join",
    .family = WEFT_FAMILY_ARITHMETIC,
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 2,
    .infer = infer_join,
    .gradient = join_gradient,
    .run_f64 = join_f64,
};

static weft_value join_outputs(weft_value a, weft_value b, weft_value *out)
{
    return weft_apply(a.graph, &join_op, NULL, 0, NULL, (weft_value[]){a, b}, 2, out, 2);
}

static weft_value join(weft_value a, weft_value b)
{
    return join_outputs(a, b, NULL);
}

static weft_value real_input(const char *name, weft_shape shape)
{
    return weft_input(graph, .name = name, .shape = shape);
}

/* ---- The first error ---- */

Test(graph, a_good_graph_has_no_error)
{
    weft_value a = real_input("a", weft_shape_of(WEFT_BATCH, 3));
    weft_value y = join(a, a);
    cr_expect_not(weft_is_null(y));
    cr_expect_eq(weft_graph_error(graph)->status, WEFT_OK);
    cr_expect(weft_shape_equal(weft_shape_get(y), weft_shape_of(WEFT_BATCH, 3)));
    cr_expect_eq(weft_channels(y), 3);
    cr_expect_eq(weft_graph_context(graph), context);
}

Test(graph, mismatch_names_op_node_shapes_and_place)
{
    weft_value a = real_input("a", weft_shape_of(WEFT_BATCH, 28, 28, 3));
    weft_value b = real_input("b", weft_shape_of(WEFT_BATCH, 28, 3));
    weft_scope_push(graph, "layer1");
    int line = __LINE__ + 1;
    weft_value y = join(WEFT_HERE(a), b);
    cr_expect(weft_is_null(y));
    cr_expect_eq(y.graph, graph, "the null value carries its graph");
    expect_error(WEFT_ERROR_SHAPE, "join \"layer1.join\": left is [N,28,28,3], right is [N,28,3]");
    char place[40];
    snprintf(place, sizeof(place), "test_graph.c:%d: ", line);
    expect_error(WEFT_ERROR_SHAPE, place);
}

Test(graph, first_error_stays_and_null_values_pass_through)
{
    weft_value a = real_input("a", weft_shape_of(3)), b = real_input("b", weft_shape_of(4));
    weft_value out[2];
    weft_value bad = join(a, b);
    weft_value worse = join_outputs(join(bad, a), bad, out);
    cr_expect(weft_is_null(worse) && weft_is_null(out[0]) && weft_is_null(out[1]));
    cr_expect_eq(out[1].graph, graph);
    cr_expect_eq(weft_shape_get(bad).rank, -1);
    cr_expect_eq(weft_channels(bad), 0);
    cr_expect_str_eq(weft_name_get(bad), "");
    cr_expect(weft_is_null(real_input("c", weft_shape_of(3))), "a graph in error takes no nodes");
    expect_error(WEFT_ERROR_SHAPE, "left is [3], right is [4]");
}

Test(graph, error_of_a_builder_of_ones_own)
{
    weft_graph_at(graph, "net.c", 12);
    cr_expect(weft_is_null(weft_graph_fail(graph, WEFT_ERROR_ARGUMENT, "%d is too many", 7)));
    weft_graph_fail(graph, WEFT_ERROR_SHAPE, "later");
    expect_error(WEFT_ERROR_ARGUMENT, "net.c:12: 7 is too many");
}

Test(graph, values_of_two_graphs)
{
    weft_graph *other = weft_graph_create(context);
    weft_value a = real_input("a", weft_shape_of(3));
    weft_value b = weft_input(other, .shape = weft_shape_of(3));
    cr_expect(weft_is_null(join(a, b)));
    expect_error(WEFT_ERROR_GRAPH, "join \"join\": input 1 is a value of another graph");
    cr_expect_eq(weft_graph_error(other)->status, WEFT_OK);
    weft_graph_destroy(other);
}

Test(graph, null_input_without_an_error)
{
    weft_value a = real_input("a", weft_shape_of(3));
    join(a, weft_null(graph));
    expect_error(WEFT_ERROR_ARGUMENT, "input 1 is the null value");
}

Test(graph, wrong_number_of_inputs_and_outputs)
{
    weft_value a = real_input("a", weft_shape_of(3));
    cr_expect(weft_is_null(weft_apply(graph, &join_op, NULL, 0, NULL, &a, 1, NULL, 2)));
    expect_error(WEFT_ERROR_ARGUMENT, "1 inputs");
}

/* ---- No graph ---- */

Test(graph, values_of_no_graph)
{
    weft_value none = {0}, parts[2], gradient;
    weft_value y = weft_relu(weft_concat(&none, 0, 0));
    y = weft_dropout(weft_dense(weft_add(y, y), .units = 2), .rate = 0.5);
    weft_split(y, 0, NULL, 2, parts);
    cr_expect(weft_is_null(y) && weft_is_null(parts[1]) && !y.graph);
    cr_expect(weft_is_null(weft_unet(y)));
    cr_expect_eq(weft_gradients(y, &none, 1, &gradient, NULL), WEFT_ERROR_GRAPH);
    cr_expect_eq(weft_vector_jacobian(&y, &y, 1, &none, 1, &gradient), WEFT_ERROR_GRAPH);
    cr_expect_eq(weft_minimize(y, NULL, NULL), WEFT_ERROR_GRAPH);
}

Test(graph, builders_of_no_graph)
{
    weft_state *state;
    weft_error error = {0};
    cr_expect(weft_is_null(weft_input(NULL, .shape = weft_shape_of(3))));
    cr_expect(weft_is_null(weft_variable(NULL, .shape = weft_shape_of(3))));
    cr_expect(weft_is_null(weft_scalar(NULL, 1)));
    cr_expect(weft_is_null(weft_variable_at(NULL, 0)) && weft_is_null(weft_find(NULL, "x")));
    weft_scope_push_unique(NULL, "a");
    cr_expect_str_eq(weft_scope_get(NULL), "");
    weft_scope_pop(NULL);
    cr_expect_eq(weft_state_create(NULL, NULL, &state, &error), WEFT_ERROR_GRAPH);
    cr_expect_str_eq(error.message, weft_graph_error(NULL)->message);
}

/* ---- Extents ---- */

static void expect_no_input(weft_shape shape, weft_status status, const char *part)
{
    cr_expect(weft_is_null(real_input("x", shape)));
    expect_error(status, part);
}

Test(graph, zero_extent)
{
    expect_no_input(weft_shape_of(WEFT_BATCH, 0, 3), WEFT_ERROR_SHAPE, "input \"x\"");
}

Test(graph, zero_extent_of_a_variable)
{
    cr_expect(weft_is_null(weft_variable(graph, .name = "w", .shape = weft_shape_of(3, 0))));
    expect_error(WEFT_ERROR_SHAPE, "variable \"w\"");
}

Test(graph, open_extent_of_a_variable)
{
    cr_expect(
        weft_is_null(weft_variable(graph, .name = "w", .shape = weft_shape_of(WEFT_BATCH, 3))));
    expect_error(WEFT_ERROR_SHAPE, "variable \"w\"");
}

Test(graph, more_bytes_than_64_bits_count)
{
    expect_no_input(weft_shape_of(INT64_MAX / 16, 3), WEFT_ERROR_SHAPE, "too large");
}

Test(graph, more_elements_than_64_bits_count)
{
    expect_no_input(weft_shape_of(1LL << 40, 1LL << 40), WEFT_ERROR_SHAPE, "too large");
}

Test(graph, two_open_extents)
{
    expect_no_input(weft_shape_of(WEFT_BATCH, WEFT_BATCH), WEFT_ERROR_SHAPE, "input \"x\"");
}

Test(graph, most_negative_extent)
{
    expect_no_input(weft_shape_of(INT64_MIN, 2), WEFT_ERROR_SHAPE, "input \"x\"");
}

Test(graph, rank_beyond_the_limit)
{
    weft_shape shape = weft_shape_of(1, 1, 1);
    shape.rank = WEFT_MAX_RANK + 1;
    expect_no_input(shape, WEFT_ERROR_SHAPE, "input \"x\"");
}

/* Ones, and so many more extents than a shape has room for. */
static weft_shape nine_extents(void)
{
    return weft_shape_of(1, 2, 1, 1, 1, 1, 1, 1, 5);
}

Test(graph, shape_beyond_the_limit)
{
    char text[64];
    weft_shape none = weft_shape_get(weft_null(graph));
    cr_expect_eq(weft_shape_elements(nine_extents()), 0);
    cr_expect_eq(weft_shape_elements(none), 0);
    cr_expect(weft_shape_equal(nine_extents(), nine_extents()));
    cr_expect_str_eq(weft_shape_text(nine_extents(), text, sizeof(text)), "[1,2,1,1,1,1,1,1]");
    cr_expect_str_eq(weft_shape_text(none, text, sizeof(text)), "[]");
}

Test(graph, variable_of_rank_beyond_the_limit)
{
    cr_expect(weft_is_null(weft_variable(graph, .name = "w", .shape = nine_extents())));
    expect_error(WEFT_ERROR_SHAPE, "variable \"w\": rank 9");
}

Test(graph, constant_of_rank_beyond_the_limit)
{
    double elements[10] = {0};
    cr_expect(weft_is_null(weft_constant(graph, nine_extents(), elements)));
    expect_error(WEFT_ERROR_SHAPE, "constant: rank 9");
}

Test(graph, constant_of_more_bytes_than_64_bits_count)
{
    double element = 0;
    cr_expect(weft_is_null(weft_constant(graph, weft_shape_of(1LL << 61), &element)));
    expect_error(WEFT_ERROR_SHAPE, "too large");
}

Test(graph, dtype_that_inputs_cannot_have)
{
    weft_input(graph, .name = "x", .shape = weft_shape_of(3), .dtype = WEFT_FLOAT32);
    expect_error(WEFT_ERROR_DTYPE, "input \"x\"");
}

/* ---- Names ---- */

Test(graph, names_are_scoped_and_unique)
{
    weft_value a = real_input("x", weft_shape_of(3)), b = real_input("x", weft_shape_of(3));
    cr_expect_str_eq(weft_name_get(a), "x");
    cr_expect_str_eq(weft_name_get(b), "x_1");
    weft_scope_push(graph, "layer1");
    weft_scope_pushf(graph, "%d", 0);
    weft_value c = real_input("x", weft_shape_of(3));
    weft_value d = join(c, c), e = join(c, c);
    weft_scope_pop(graph);
    weft_value f = join(c, c);
    weft_scope_pop(graph);
    cr_expect_str_eq(weft_name_get(c), "layer1.0.x");
    cr_expect_str_eq(weft_name_get(d), "layer1.0.join");
    cr_expect_str_eq(weft_name_get(e), "layer1.0.join_1");
    cr_expect_str_eq(weft_name_get(f), "layer1.join");
    cr_expect(weft_same(weft_find(graph, "layer1.0.join_1"), e));
    cr_expect_not(weft_same(d, e));
}

Test(graph, number_that_is_taken_is_passed_over)
{
    real_input("x", weft_shape_of(3));
    real_input("x_1", weft_shape_of(3));
    cr_expect_str_eq(weft_name_get(real_input("x", weft_shape_of(3))), "x_2");
    cr_expect_str_eq(weft_name_get(real_input("x_1", weft_shape_of(3))), "x_1_1");
}

Test(graph, scope_of_its_own_is_numbered)
{
    weft_scope_push(graph, "block");
    weft_value first[2];
    for (int i = 0; i < 2; i++) {
        weft_scope_push_unique(graph, "conv");
        cr_expect_str_eq(weft_scope_get(graph), i == 0 ? "block.conv." : "block.conv_1.");
        first[i] = real_input("x", weft_shape_of(3));
        weft_scope_pop(graph);
    }
    cr_expect_str_eq(weft_name_get(first[0]), "block.conv.x");
    cr_expect_str_eq(weft_name_get(first[1]), "block.conv_1.x");
    cr_expect(weft_is_null(weft_find(graph, "block.conv")), "a scope is no value");
    cr_expect_str_eq(weft_name_get(real_input("conv", weft_shape_of(3))), "block.conv_2");
}

Test(graph, unknown_name)
{
    cr_expect(weft_is_null(weft_find(graph, "nothing")));
    real_input("x", weft_shape_of(3));
    weft_value found = weft_find(graph, "y");
    cr_expect(weft_is_null(found));
    cr_expect_eq(found.graph, graph);
    cr_expect_eq(weft_graph_error(graph)->status, WEFT_OK, "looking for a name is no error");
}

Test(graph, a_thousand_names)
{
    for (int i = 0; i < 1000; i++) {
        weft_scope_pushf(graph, "block%d", i);
        real_input("x", weft_shape_of(i + 1));
        weft_scope_pop(graph);
    }
    cr_expect_eq(weft_graph_error(graph)->status, WEFT_OK);
    cr_expect_eq(weft_channels(weft_find(graph, "block417.x")), 418);
}

Test(graph, scope_popped_too_often)
{
    weft_scope_push(graph, "a");
    weft_scope_pop(graph);
    weft_scope_pop(graph);
    expect_error(WEFT_ERROR_ARGUMENT, "scope");
}

Test(graph, scope_without_end)
{
    for (int i = 0; i < 1000; i++)
        weft_scope_push(graph, "deeper");
    expect_error(WEFT_ERROR_ARGUMENT, "scope");
}

Test(graph, scope_of_a_long_format)
{
    weft_scope_pushf(graph, "%0300d", 7);
    cr_expect_eq(strlen(weft_scope_get(graph)), 301);
    weft_scope_pop(graph);
    weft_scope_pushf(graph, "%0500d", 7);
    expect_error(WEFT_ERROR_ARGUMENT, "scope");
    cr_expect_str_eq(weft_scope_get(graph), "");
}

Test(graph, name_without_end)
{
    char name[2000];
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    cr_expect(weft_is_null(real_input(name, weft_shape_of(3))));
    expect_error(WEFT_ERROR_ARGUMENT, "name too long");
}

Test(graph, keys_follow_scope_name_and_count)
{
    uint64_t key = weft_name_key(graph, "dropout");
    cr_expect_eq(key, weft_name_key(graph, "dropout"));
    cr_expect_neq(key, weft_name_key(graph, "noise"));
    weft_graph *other = weft_graph_create(context);
    weft_input(other, .name = "something else", .shape = weft_shape_of(3));
    cr_expect_eq(key, weft_name_key(other, "dropout"), "whatever else the graph holds");
    weft_graph_destroy(other);
    weft_scope_push(graph, "a");
    cr_expect_neq(key, weft_name_key(graph, "dropout"));
    weft_scope_pop(graph);
    real_input("dropout", weft_shape_of(3));
    cr_expect_neq(key, weft_name_key(graph, "dropout"), "the second of the name");
}

/* ---- Variables ---- */

Test(graph, variables_in_order_of_creation)
{
    weft_value w = weft_variable(graph, .name = "w", .shape = weft_shape_of(3, 4));
    weft_value x = real_input("x", weft_shape_of(3));
    weft_value m = weft_variable(graph, .name = "mean", .shape = weft_shape_of(4), .frozen = true);
    weft_value n =
        weft_variable(graph, .name = "n", .shape = weft_shape_of(1), .dtype = WEFT_INT32);
    cr_expect(weft_same(weft_variable_at(graph, 0), w));
    cr_expect(weft_same(weft_variable_at(graph, 1), m));
    cr_expect(weft_same(weft_variable_at(graph, 2), n));
    cr_expect(weft_is_null(weft_variable_at(graph, 3)) &&
              weft_is_null(weft_variable_at(graph, -1)));
    cr_expect(weft_is_variable(w) && !weft_is_variable(x) && !weft_is_variable(weft_null(graph)));
    cr_expect(weft_is_trainable(w) && !weft_is_trainable(m) && !weft_is_trainable(n));
    weft_set_trainable(w, false);
    weft_set_trainable(m, true);
    cr_expect(!weft_is_trainable(w) && weft_is_trainable(m));
    weft_set_trainable(x, true);
    expect_error(WEFT_ERROR_ARGUMENT, "\"x\" is not a real variable");
}

/* ---- Reverse mode's arguments ---- */

Test(graph, gradient_of_a_non_scalar)
{
    weft_value x = real_input("x", weft_shape_of(WEFT_BATCH, 3));
    cr_expect(weft_is_null(weft_gradient(join(x, x), x)));
    expect_error(WEFT_ERROR_GRADIENT, "\"join\": it must be a real scalar, its shape is [N,3]");
}

Test(graph, gradient_of_integers)
{
    weft_value x = real_input("x", weft_shape_of(1)), out[2];
    join_outputs(x, x, out);
    cr_expect(weft_is_null(weft_gradient(out[1], x)));
    expect_error(WEFT_ERROR_GRADIENT, "real scalar");
}

Test(graph, gradient_with_respect_to_labels)
{
    weft_value x = real_input("x", weft_shape_of(1));
    weft_value labels = weft_input(graph, .shape = weft_shape_of(1), .dtype = WEFT_INT32);
    cr_expect(weft_is_null(weft_gradient(join(x, x), labels)));
    expect_error(WEFT_ERROR_GRADIENT, "not a real value");
}

static weft_value integers(void)
{
    return weft_input(graph, .name = "integers", .shape = weft_shape_of(3), .dtype = WEFT_INT32);
}

Test(graph, seed_of_integers)
{
    weft_value v = real_input("v", weft_shape_of(3)), y[] = {v, v}, gradient;
    weft_value seed[] = {integers(), v};
    cr_expect_eq(weft_vector_jacobian(y, seed, 2, &v, 1, &gradient), WEFT_ERROR_DTYPE);
    cr_expect(weft_is_null(gradient));
    expect_error(WEFT_ERROR_DTYPE, "\"v\" and its seed must be real, not real and int32");
}

Test(graph, product_of_integers_and_jacobian)
{
    weft_value v = real_input("v", weft_shape_of(3)), y = integers(), gradient;
    cr_expect_eq(weft_vector_jacobian(&y, &y, 1, &v, 1, &gradient), WEFT_ERROR_DTYPE);
}

Test(graph, contributions_of_integers)
{
    cr_expect(weft_is_null(weft_accumulate(integers(), integers())));
    expect_error(WEFT_ERROR_SHAPE, "contributions must be real, not int32 and int32");
}

Test(graph, gradient_with_respect_to_another_graphs_value)
{
    weft_graph *other = weft_graph_create(context);
    weft_value x = real_input("x", weft_shape_of(1));
    weft_value z = weft_input(other, .shape = weft_shape_of(1));
    cr_expect(weft_is_null(weft_gradient(join(x, x), z)));
    cr_expect_neq(weft_graph_error(graph)->status, WEFT_OK);
    weft_graph_destroy(other);
}

Test(graph, unreached_value_gets_zeros_an_error_or_null)
{
    weft_value x = real_input("x", weft_shape_of(1)), z = real_input("z", weft_shape_of(2, 3));
    weft_value y = join(x, x), both[] = {x, z}, gradient[2];
    cr_expect_eq(weft_gradients(y, both, 2, gradient, NULL), WEFT_OK);
    cr_expect(weft_shape_equal(weft_shape_get(gradient[1]), weft_shape_of(2, 3)));
    weft_gradient_options null = {.null_if_unreached = true};
    cr_expect_eq(weft_gradients(y, both, 2, gradient, &null), WEFT_OK);
    cr_expect(!weft_is_null(gradient[0]) && weft_is_null(gradient[1]));
    weft_gradient_options strict = {.error_if_unreached = true};
    cr_expect_eq(weft_gradients(y, both, 2, gradient, &strict), WEFT_ERROR_GRADIENT);
    expect_error(WEFT_ERROR_GRADIENT, "\"join\" does not depend on \"z\"");
}

Test(graph, nothing_flows_through_stop_gradient)
{
    weft_value x = real_input("x", weft_shape_of(1));
    weft_value y = weft_stop_gradient(join(x, x)), gradient;
    weft_gradient_options null = {.null_if_unreached = true};
    cr_expect_eq(weft_gradients(y, &x, 1, &gradient, &null), WEFT_OK);
    cr_expect(weft_is_null(gradient));
}

static const weft_op stuck_op = {
    .name = "stuck",
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 2,
    .infer = infer_join,
    .run_f64 = join_f64,
};

Test(graph, op_without_a_gradient_is_named)
{
    weft_value x = real_input("x", weft_shape_of(1)), pair[] = {x, x};
    weft_value y = weft_apply(graph, &stuck_op, NULL, 0, "here", pair, 2, NULL, 2);
    cr_expect(weft_is_null(weft_gradient(y, x)));
    expect_error(WEFT_ERROR_GRADIENT, "stuck \"here\": the op has no gradient");
}

static void wrong_shape_gradient(weft_gradient_call *call)
{
    call->input_gradient[0] = weft_scalar(call->graph, 1);
}

static const weft_op wrong_shape_op = {
    .name = "wrong_shape",
    .min_inputs = 2,
    .max_inputs = 2,
    .outputs = 2,
    .infer = infer_join,
    .gradient = wrong_shape_gradient,
    .run_f64 = join_f64,
};

Test(graph, gradient_rule_with_a_wrong_shape_is_named)
{
    weft_value x = real_input("x", weft_shape_of(3)), pair[] = {x, x};
    weft_value y = weft_apply(graph, &wrong_shape_op, NULL, 0, NULL, pair, 2, NULL, 2), gradient;
    weft_vector_jacobian(&y, &(weft_value){x.graph, x.node, 0}, 1, &x, 1, &gradient);
    expect_error(WEFT_ERROR_GRADIENT,
                 "wrong_shape \"wrong_shape\": gradient of input 0 has shape []");
}
