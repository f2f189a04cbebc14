/* The networks by name: published numbers of parameters and multiply-adds, shapes, programs, a step of
 * training. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "weft/weft.h"

static weft_context *context;
static weft_graph *graph;

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

TestSuite(models, .init = begin, .fini = end);

static weft_value images(const weft_model *model, int64_t size)
{
    return weft_input(graph, .name = "image",
                      .shape = weft_shape_of(WEFT_BATCH, size, size, model->channels));
}

static void expect_no_error(const char *name)
{
    cr_assert_eq(weft_graph_error(graph)->status, WEFT_OK, "%s: %s", name,
                 weft_graph_error(graph)->message);
}

/* ---- Published numbers ---- */

/* Parameters: torchvision's, without auxiliary classifiers; of LeNet, ResNet-20 and U-Net counted in
 * PyTorch. Multiply-adds of one image in millions, rounded: counted from Keras's applications where they
 * are the same networks, or in PyTorch. */
static const struct {
    const char *name;
    int64_t parameters;
    double millions;
} published[] = {
    {"lenet", 3274634, 13.9},           {"resnet20", 272474, 40.8},
    {"resnet18", 11689512, 1814.1},     {"resnet34", 21797672, 3663.8},
    {"resnet50", 25557032, 4089.2},     {"resnet101", 44549160, 7801.4},
    {"resnet152", 60192808, 11513.6},   {"googlenet", 6624904, 1498.4},
    {"inception_v3", 23834568, 5713.2}, {"unet", 31036546, 48096.1},
    {"densenet121", 7978856, 2834.2},   {"densenet161", 28681000, 7727.9},
    {"densenet169", 14149480, 3359.8},  {"densenet201", 20013928, 4291.4},
    {"mobilenet_v2", 3504872, 300.8},   {"vgg11", 132863336, 7609.1},
    {"vgg13", 133047848, 11308.5},      {"vgg16", 138357544, 15470.3},
    {"vgg19", 143667240, 19632.1},
};

enum { PUBLISHED = sizeof(published) / sizeof(published[0]) };

static void check_numbers(const weft_model *model, int64_t parameters, double millions)
{
    weft_value logits = weft_model_build(model, images(model, model->size), 0);
    expect_no_error(model->name);
    weft_summary summary;
    cr_assert_eq(weft_summarize(graph, &summary), WEFT_OK);
    cr_expect_eq(summary.trainable, parameters, "%s has %lld parameters, not %lld", model->name,
                 (long long)summary.trainable, (long long)parameters);
    cr_expect_float_eq(summary.multiply_adds * 1e-6, millions, 0.051, "%s: %.2f MMACs, not %.1f",
                       model->name, summary.multiply_adds * 1e-6, millions);
    weft_shape expected = model->per_pixel
                              ? weft_shape_of(WEFT_BATCH, model->size, model->size, model->classes)
                              : weft_shape_of(WEFT_BATCH, model->classes);
    char text[128];
    cr_expect(weft_shape_equal(weft_shape_get(logits), expected), "%s gives %s", model->name,
              weft_shape_text(weft_shape_get(logits), text, sizeof(text)));
}

Test(models, have_the_published_numbers_and_shapes)
{
    for (int i = 0; i < PUBLISHED; i++) {
        const weft_model *model = weft_model_find(published[i].name);
        cr_assert_not_null(model, "there is no %s", published[i].name);
        check_numbers(model, published[i].parameters, published[i].millions);
        end();
        begin();
    }
}

Test(models, are_all_in_the_published_table)
{
    int count = 0;
    for (; weft_model_at(count); count++)
        cr_expect_eq(weft_model_find(weft_model_at(count)->name), weft_model_at(count));
    cr_expect_eq(count, PUBLISHED);
    cr_expect_null(weft_model_at(-1));
    cr_expect_null(weft_model_find("resnet"));
    cr_expect_null(weft_model_find(""));
}

Test(models, of_cifar_without_projections_have_the_papers_numbers)
{
    static const int64_t expected[][2] = {
        {20, 269722}, {32, 464154}, {44, 658586}, {56, 853018}, {110, 1727962}};
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        weft_cifar_resnet(images(weft_model_find("resnet20"), 32), .depth = (int)expected[i][0],
                          .pad_shortcuts = true);
        weft_summary summary;
        cr_assert_eq(weft_summarize(graph, &summary), WEFT_OK);
        cr_expect_eq(summary.trainable, expected[i][1]);
        end();
        begin();
    }
}

Test(models, take_other_widths_and_batch_norm)
{
    const weft_model *vgg = weft_model_find("vgg16"), *mobile = weft_model_find("mobilenet_v2");
    weft_summary summary;
    weft_vgg(images(vgg, 224), .batch_norm = true);
    expect_no_error("vgg16_bn");
    cr_assert_eq(weft_summarize(graph, &summary), WEFT_OK);
    cr_expect_eq(summary.trainable, 138365992);
    end();
    begin();
    /* the same count in PyTorch, mobilenet_v2(width_mult=1.4) and 0.35 */
    weft_mobilenet_v2(images(mobile, 224), .width = 1.4);
    cr_assert_eq(weft_summarize(graph, &summary), WEFT_OK);
    cr_expect_eq(summary.trainable, 6108776);
    end();
    begin();
    weft_mobilenet_v2(images(mobile, 224), .width = 0.35);
    cr_assert_eq(weft_summarize(graph, &summary), WEFT_OK);
    cr_expect_eq(summary.trainable, 1677128);
}

/* ---- Names ---- */

Test(models, name_their_variables_as_torchvision_does)
{
    static const char *const expected[][2] = {
        {"resnet50", "layer3.5.conv2.weight"},
        {"resnet50", "layer4.0.downsample.1.running_var"},
        {"googlenet", "inception4e.branch4.1.bn.bias"},
        {"inception_v3", "Mixed_7c.branch3x3dbl_3b.conv.weight"},
        {"densenet121", "features.denseblock4.denselayer16.conv2.weight"},
        {"densenet121", "features.transition3.norm.running_mean"},
        {"mobilenet_v2", "features.17.conv.1.1.weight"},
        {"mobilenet_v2", "features.1.conv.2.bias"},
        {"mobilenet_v2", "classifier.1.weight"},
        {"vgg16", "features.28.bias"},
        {"vgg16", "classifier.6.weight"},
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        const weft_model *model = weft_model_find(expected[i][0]);
        weft_model_build(model, images(model, model->size), 0);
        cr_expect(weft_is_variable(weft_find(graph, expected[i][1])), "%s has no %s",
                  expected[i][0], expected[i][1]);
        end();
        begin();
    }
}

/* ---- Mistakes ---- */

static void expect_refused(const char *text)
{
    cr_expect_neq(weft_graph_error(graph)->status, WEFT_OK);
    cr_expect(strstr(weft_graph_error(graph)->message, text), "\"%s\" lacks \"%s\"",
              weft_graph_error(graph)->message, text);
    end();
    begin();
}

Test(models, refuse_what_they_cannot_be)
{
    const weft_model *any = weft_model_find("resnet50");
    weft_resnet(images(any, 64), .depth = 51);
    expect_refused("depth 51");
    weft_cifar_resnet(images(any, 32), .depth = 21);
    expect_refused("depth 21");
    weft_vgg(images(any, 64), .depth = 12);
    expect_refused("depth 12");
    weft_densenet(images(any, 64), .depth = 122);
    expect_refused("depth 122");
    weft_unet(images(any, 64), .levels = 9);
    expect_refused("9 levels");
    weft_unet(images(any, 60));
    expect_refused("up");
    weft_unet(images(any, 64), .width = -1);
    expect_refused("width -1");
    weft_unet(images(any, 64), .width = 1 << 28); /* doubled four times */
    expect_refused("width 268435456");
    static const double widths[] = {-1, NAN, 1e30, 1001};
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        weft_mobilenet_v2(images(any, 64), .width = widths[i]);
        expect_refused("width");
    }
    weft_inception_v3(images(any, 40));
    expect_refused("Mixed");
}

/* ---- Programs ---- */

enum { BATCH = 2 };

static weft_program *compile(weft_state *state, weft_mode mode, weft_value fetch)
{
    weft_program *program = NULL;
    weft_error error = {0};
    weft_compile_options options = {.mode = mode, .fetch = &fetch, .fetches = 1, .batch = BATCH};
    cr_assert_eq(weft_compile(graph, state, &options, &program, &error), WEFT_OK, "%s",
                 error.message);
    cr_expect_eq(weft_program_verify(program, &error), WEFT_OK, "%s", error.message);
    return program;
}

static void run(weft_program *program, const weft_feed *feeds, int count)
{
    weft_error error = {0};
    cr_assert_eq(weft_run(program, feeds, count, NULL, &error), WEFT_OK, "%s", error.message);
}

/* Trains one step on one batch, and expects a smaller loss on it; then infers. The step is short: deep
 * networks are steep where they start, and normalized over two small images. */
static void check_training(weft_value image, weft_value logits)
{
    expect_no_error("network");
    weft_shape rows = weft_shape_get(logits);
    rows.rank--;
    weft_value label = weft_input(graph, .name = "label", .shape = rows, .dtype = WEFT_INT32);
    weft_value loss = weft_sparse_cross_entropy(logits, label);
    cr_assert_eq(weft_minimize(
                     loss, &(weft_optimizer_options){.learning_rate = 1e-6, .momentum = 0.9}, NULL),
                 WEFT_OK, "%s", weft_graph_error(graph)->message);
    weft_state *state = NULL;
    weft_error error = {0};
    cr_assert_eq(weft_state_create(graph, &(weft_state_options){.seed = 3}, &state, &error),
                 WEFT_OK, "%s", error.message);
    weft_program *train = compile(state, WEFT_TRAIN, loss);
    weft_program *infer = compile(state, WEFT_INFER, logits);

    size_t elements = (size_t)-weft_shape_elements(weft_shape_get(image)) * BATCH;
    size_t labels = (size_t)-weft_shape_elements(rows) * BATCH;
    float *pixel = malloc(elements * sizeof(float));
    int32_t *class = malloc(labels * sizeof(int32_t));
    for (size_t i = 0; i < elements; i++)
        pixel[i] = (float)((i * 2654435761u >> 8) % 1000) / 500 - 1;
    for (size_t i = 0; i < labels; i++)
        class[i] = (int32_t)(i % 2);
    const weft_feed feeds[] = {{image, pixel, elements * sizeof(float)},
                               {label, class, labels * sizeof(int32_t)}};
    uint64_t before = weft_state_hash(state);
    run(train, feeds, 2);
    double first = weft_fetch_scalar(train, loss);
    cr_expect_neq(weft_state_hash(state), before);
    run(train, feeds, 2);
    double second = weft_fetch_scalar(train, loss);
    printf("loss %.8f, then %.8f\n", first, second);
    cr_expect(isfinite(first) && second < first, "loss %.8f, then %.8f", first, second);
    run(infer, feeds, 1);
    cr_expect(isfinite(weft_fetch_scalar(infer, logits)));
    free(pixel);
    free(class);
    weft_program_destroy(infer);
    weft_program_destroy(train);
    weft_state_destroy(state);
}

/* On images of that size, with a few classes. */
static void check_model(const char *name, int64_t size)
{
    const weft_model *model = weft_model_find(name);
    weft_value image = images(model, size);
    check_training(image, weft_model_build(model, image, 4));
}

Test(models, train_resnet20)
{
    check_model("resnet20", 32);
}

Test(models, train_resnet18)
{
    check_model("resnet18", 64);
}

Test(models, train_resnet50)
{
    check_model("resnet50", 64);
}

Test(models, train_unet)
{
    check_model("unet", 32);
}

Test(models, train_densenet121)
{
    check_model("densenet121", 64);
}

/* The others have dropout, which makes the loss another one at each step. */

static weft_value input_of(const char *name, int64_t size)
{
    return images(weft_model_find(name), size);
}

Test(models, train_lenet)
{
    weft_value image = input_of("lenet", 28);
    check_training(image, weft_lenet(image, .classes = 4, .no_dropout = true));
}

Test(models, train_googlenet)
{
    weft_value image = input_of("googlenet", 64);
    check_training(image, weft_googlenet(image, .classes = 4, .no_dropout = true));
}

Test(models, train_inception_v3)
{
    weft_value image = input_of("inception_v3", 107);
    check_training(image, weft_inception_v3(image, .classes = 4, .no_dropout = true));
}

Test(models, train_mobilenet_v2)
{
    weft_value image = input_of("mobilenet_v2", 64);
    check_training(image, weft_mobilenet_v2(image, .classes = 4, .no_dropout = true));
}

Test(models, train_vgg)
{
    weft_value image = input_of("vgg16", 64);
    check_training(image, weft_vgg(image, .classes = 4, .hidden = 64, .no_dropout = true));
}
