#include "ops/convolution_samples.h"

#include "weft/convolution.h"

typedef struct sample {
    int kernel[WEFT_MAX_SPATIAL]; /* 0 past the spatial dimensions */
    int ins, outs;                /* channels of a group; 0: random */
    int extent;                   /* spatial extents of x; 0: random, at least the filter's span */
    bool bias;
    weft_convolution_options options;
} sample;

static const sample samples[] = {
    {{3, 3}, .bias = true, .options = {.padding = WEFT_SAME}},
    {{3, 3}, .options = {.stride = {2, 2}, .pad_low = {1, 1}, .pad_high = {1, 1}}},
    {{3, 2}, .bias = true, .options = {.stride = {2, 3}, .dilation = {1, 2}}},
    {{5, 3}, .options = {.padding = WEFT_FULL}},
    {{3, 3}, .extent = 6, .options = {.stride = {2, 2}, .padding = WEFT_SAME}},
    {{3, 3}, .bias = true, .options = {.groups = 2, .flip_filter = true}},
    {{3, 2}, .options = {.flip_filter = true, .padding = WEFT_SAME, .stride = {1, 2}}},
    {{3, 3}, .options = {.padding = WEFT_EXPLICIT, .pad_low = {0, 2}, .pad_high = {1, 0}}},
    {{3, 3}, .options = {.dilation = {2, 3}, .padding = WEFT_SAME, .groups = 3}},
    {{5, 5}, .extent = 2, .bias = true, .options = {.padding = WEFT_SAME}},
    /* output padding, also where dilation alone allows it */
    {{3, 3}, .options = {.stride = {2, 3}, .output_padding = {1, 2}}},
    {{3, 2}, .options = {.dilation = {3, 2}, .output_padding = {2, 1}, .pad_high = {1, 2}}},
    {{1, 2},
     .extent = 9,
     .options = {.stride = {3, 4}, .output_padding = {1, 0}, .padding = WEFT_FULL}},
    /* depthwise, with one and with three filters a channel */
    {{3, 3}, .ins = 1, .outs = 1, .bias = true, .options = {.groups = 7, .padding = WEFT_SAME}},
    {{3, 5}, .ins = 1, .outs = 3, .options = {.groups = 5, .stride = {2, 2}}},
    {{3, 3},
     .ins = 1,
     .outs = 1,
     .options = {.groups = 19, .dilation = {2, 1}, .stride = {1, 2}, .flip_filter = true}},
    /* matrix products, an image's first layer, channels beyond a vector and a tile */
    {{1, 1}, .ins = 33, .outs = 18, .bias = true},
    {{1, 1}, .options = {.stride = {2, 2}}},
    {{7, 7},
     .ins = 3,
     .outs = 17,
     .extent = 9,
     .options = {.stride = {2, 2}, .padding = WEFT_SAME}},
    {{3, 3}, .ins = 16, .outs = 36, .extent = 5, .options = {.padding = WEFT_SAME}},
    /* one and three dimensions */
    {{3}, .bias = true, .options = {.padding = WEFT_SAME}},
    {{4}, .options = {.stride = {3}, .groups = 3, .pad_low = {2}}},
    {{3}, .options = {.dilation = {3}, .padding = WEFT_FULL, .flip_filter = true}},
    {{3, 3, 3}, .extent = 4, .bias = true, .options = {.padding = WEFT_SAME}},
    {{2, 3, 1}, .options = {.stride = {2, 1, 2}, .dilation = {1, 2, 1}, .groups = 2}},
    {{2, 2, 3},
     .ins = 1,
     .outs = 2,
     .options = {.groups = 3, .pad_low = {1, 0, 1}, .pad_high = {0, 1, 2}, .flip_filter = true}},
};

/* The shapes of one case. */
typedef struct sample_shapes {
    const sample *sample;
    weft_shape x, w;
} sample_shapes;

static int positive(int given)
{
    return given == 0 ? 1 : given;
}

static bool draw(weft_sampler *sampler, int index, sample_shapes *drawn)
{
    if (index < 0 || index >= (int)(sizeof(samples) / sizeof(samples[0])))
        return false;
    const sample *chosen = &samples[index];
    int groups = positive(chosen->options.groups), spatial = 0;
    drawn->sample = chosen;
    while (spatial < WEFT_MAX_SPATIAL && chosen->kernel[spatial] > 0)
        spatial++;
    drawn->x.rank = drawn->w.rank = spatial + 2;
    drawn->x.extent[0] = weft_sampler_integer(sampler, 1, 3);
    for (int d = 0; d < spatial; d++) {
        int64_t span = (chosen->kernel[d] - 1) * positive(chosen->options.dilation[d]) + 1 +
                       chosen->options.output_padding[d];
        int64_t random = span + weft_sampler_integer(sampler, 0, spatial == 3 ? 3 : 5);
        drawn->x.extent[1 + d] = chosen->extent > 0 ? chosen->extent : random;
        drawn->w.extent[d] = chosen->kernel[d];
    }
    int64_t ins = chosen->ins > 0 ? chosen->ins : weft_sampler_integer(sampler, 1, 5);
    int64_t outs = chosen->outs > 0 ? chosen->outs : weft_sampler_integer(sampler, 1, 5);
    drawn->x.extent[spatial + 1] = ins * groups;
    drawn->w.extent[spatial] = ins;
    drawn->w.extent[spatial + 1] = outs * groups;
    return true;
}

static weft_value normal(weft_sampler *sampler, weft_shape shape)
{
    return weft_sampler_input(sampler, shape, WEFT_SAMPLE_NORMAL);
}

/* A value for its shape alone. */
static weft_value shape_of(weft_sampler *sampler, weft_shape shape)
{
    return weft_variable(weft_sampler_graph(sampler),
                         &(weft_variable_options){.name = "like", .shape = shape, .frozen = true});
}

static void add_bias(weft_sampler *sampler, const sample_shapes *drawn, int64_t channels,
                     weft_convolution_options *options)
{
    if (drawn->sample->bias)
        options->bias = normal(sampler, weft_shape_of(channels));
}

bool weft_convolution_sample(weft_sampler *sampler, int index)
{
    sample_shapes drawn;
    if (!draw(sampler, index, &drawn))
        return false;
    weft_convolution_options options = drawn.sample->options;
    weft_value x = normal(sampler, drawn.x), w = normal(sampler, drawn.w);
    add_bias(sampler, &drawn, weft_channels(w), &options);
    weft_sampler_output(sampler, weft_convolution(x, w, &options));
    return true;
}

/* Here the transposed convolution's input has the shape of the convolution's result. */
bool weft_transposed_convolution_sample(weft_sampler *sampler, int index)
{
    sample_shapes drawn;
    if (!draw(sampler, index, &drawn))
        return false;
    weft_convolution_options options = drawn.sample->options;
    weft_value w = normal(sampler, drawn.w);
    weft_value y = weft_convolution(shape_of(sampler, drawn.x), w, &options);
    weft_value x = normal(sampler, weft_shape_get(y));
    add_bias(sampler, &drawn, drawn.x.extent[drawn.x.rank - 1], &options);
    weft_sampler_output(sampler, weft_transposed_convolution(x, w, &options));
    return true;
}

bool weft_convolution_input_gradient_sample(weft_sampler *sampler, int index)
{
    sample_shapes drawn;
    if (!draw(sampler, index, &drawn))
        return false;
    const weft_convolution_options *options = &drawn.sample->options;
    weft_value w = normal(sampler, drawn.w), x_like = shape_of(sampler, drawn.x);
    weft_value y = weft_convolution(x_like, w, options);
    weft_value dy = normal(sampler, weft_shape_get(y));
    weft_sampler_output(sampler, weft_convolution_input_gradient(dy, w, x_like, options));
    return true;
}

bool weft_convolution_filter_gradient_sample(weft_sampler *sampler, int index)
{
    sample_shapes drawn;
    if (!draw(sampler, index, &drawn))
        return false;
    const weft_convolution_options *options = &drawn.sample->options;
    weft_value x = normal(sampler, drawn.x), w_like = shape_of(sampler, drawn.w);
    weft_value y = weft_convolution(x, w_like, options);
    weft_value dy = normal(sampler, weft_shape_get(y));
    weft_sampler_output(sampler, weft_convolution_filter_gradient(x, dy, w_like, options));
    return true;
}
