#include "kernels/group_norm.h"

#include "kernels/channel_line.h"
#include "kernels/channel_sums.h"

#include <math.h>

enum { X, GAMMA, BETA, Y };
enum { DY, OF_X, OF_GAMMA, OF_MEAN, OF_VARIANCE, DX, DGAMMA, DBETA };

enum {
    CENTER = WEFT_GROUP_NORM_CENTER,
    SLOPE = WEFT_GROUP_NORM_SLOPE,
    SHIFT = WEFT_GROUP_NORM_SHIFT,
    SCALE = WEFT_GROUP_NORM_SCALE
};

typedef struct range {
    int64_t begin, end;
} range;

/* Pixels of block `index` of those of `size` that a sample is cut into. */
static range block_of(const weft_group_norm_args *args, int64_t sample, int64_t index, int64_t size)
{
    int64_t first = sample * args->sample_pixels, begin = index * size, end = begin + size;
    return (range){first + begin, first + (end < args->sample_pixels ? end : args->sample_pixels)};
}

static float *coefficient(const weft_call *call, int64_t sample, int which)
{
    const weft_group_norm_args *args = call->args;
    return (float *)call->operand[args->coefficient[which].slot] + args->coefficient[which].offset +
           sample * args->coefficient_step;
}

/* Number `which` of each channel that a block of a sample left. */
static float *sums_of(const weft_call *call, int64_t sample, int64_t block, int which)
{
    const weft_group_norm_args *args = call->args;
    int64_t part = sample * args->blocks + block;
    return (float *)call->operand[args->workspace] + args->sums_at +
           (WEFT_CHANNEL_NUMBERS * part + which) * args->channels;
}

/* Sums of a block of one sample's pixels, of the first operands, and of a row of channels where there is
 * one. */
static void add_sums(const weft_call *call, int64_t piece, weft_channel_sums kind, int images,
                     const float *row)
{
    const weft_group_norm_args *args = call->args;
    int64_t sample = piece / args->blocks, block = piece % args->blocks;
    range pixels = block_of(args, sample, block, args->block_pixels);
    weft_channel_rows rows = {.channels = args->channels,
                              .number = sums_of(call, sample, block, 0),
                              .number_step = args->channels};
    memset(rows.number, 0, (size_t)(WEFT_CHANNEL_NUMBERS * args->channels) * sizeof(float));
    rows.in[images] = row;
    weft_pixel_run run;
    for (int64_t pixel = pixels.begin; pixel < pixels.end; pixel += run.count) {
        run = weft_pixels_run(&args->pixels, pixel, pixels.end);
        rows.rows = run.count;
        for (int i = 0; i < images; i++) {
            rows.in[i] = (const float *)call->operand[i] + run.offset[i];
            rows.step[i] = args->pixels.step[i];
        }
        WEFT_FOR_ISA(weft_channel_kernel_table).add[kind](&rows);
    }
}

/* ---- Forward ---- */

static void forward_sums(const weft_call *call, int64_t piece)
{
    add_sums(call, piece, WEFT_CHANNEL_STATISTICS, 1, NULL);
}

/* Mean of a group's elements, and mean of their squared differences from it (Chan, Golub, LeVeque 1979). */
static void merge_group(const weft_call *call, int64_t sample, int64_t group, double *mean,
                        double *variance)
{
    const weft_group_norm_args *args = call->args;
    int64_t first = group * args->group_channels, end = first + args->group_channels;
    double count = (double)(args->sample_pixels * args->group_channels), total = 0, square = 0;
    for (int64_t b = 0; b < args->blocks; b++) {
        const float *sums = sums_of(call, sample, b, 0);
        const float *pixels = sums + 3 * args->channels;
        for (int64_t c = first; c < end; c++)
            total += (double)pixels[c] * (double)sums[c] + (double)sums[args->channels + c];
    }
    *mean = total / count;
    for (int64_t b = 0; b < args->blocks; b++) {
        const float *sums = sums_of(call, sample, b, 0);
        const float *squares = sums + 2 * args->channels, *pixels = squares + args->channels;
        for (int64_t c = first; c < end; c++) {
            double d = (double)sums[c] - *mean;
            square += (double)squares[c] +
                      d * (2 * (double)sums[args->channels + c] + (double)pixels[c] * d);
        }
    }
    *variance = square < 0 ? 0 : square / count; /* rounding; NaN stays */
}

static void forward_finish(const weft_call *call, int64_t sample)
{
    const weft_group_norm_args *args = call->args;
    const float *gamma = call->operand[GAMMA], *beta = call->operand[BETA];
    float *out_mean = (float *)call->operand[args->mean] + sample * args->groups;
    float *out_variance = (float *)call->operand[args->variance] + sample * args->groups;
    float *center = coefficient(call, sample, CENTER);
    float *slope = coefficient(call, sample, SLOPE);
    float *shift = coefficient(call, sample, SHIFT);
    for (int64_t g = 0, c = 0; g < args->groups; g++) {
        double mean, variance;
        merge_group(call, sample, g, &mean, &variance);
        out_mean[g] = (float)mean;
        out_variance[g] = (float)variance;
        double r = 1 / sqrt(variance + args->epsilon);
        for (int64_t end = c + args->group_channels; c < end; c++) {
            double s = (double)gamma[c] * r;
            center[c] = (float)mean;
            slope[c] = (float)s;
            shift[c] = (float)((double)beta[c] + ((double)center[c] - mean) * s);
        }
    }
}

static void forward_apply(const weft_call *call, int64_t piece)
{
    const weft_group_norm_args *args = call->args;
    int64_t sample = piece / args->apply_blocks;
    range pixels = block_of(args, sample, piece % args->apply_blocks, args->apply_pixels);
    line by = {.slope = coefficient(call, sample, SLOPE),
               .center = coefficient(call, sample, CENTER),
               .shift = coefficient(call, sample, SHIFT)};
    const float *x = call->operand[X];
    weft_pixel_run run;
    for (int64_t pixel = pixels.begin; pixel < pixels.end; pixel += run.count) {
        run = weft_pixels_run(&args->pixels, pixel, pixels.end);
        pixel_group at = {.a = x,
                          .b = x + run.offset[0],
                          .b_step = args->pixels.step[0],
                          .out = (float *)call->operand[Y] + run.offset[1],
                          .out_step = args->pixels.step[1]};
        apply_run(at, run.count, args->channels, &by);
    }
}

/* ---- Backward ---- */

static void backward_center(const weft_call *call, int64_t sample)
{
    const weft_group_norm_args *args = call->args;
    const float *mean = (const float *)call->operand[OF_MEAN] + sample * args->groups;
    float *center = coefficient(call, sample, CENTER);
    for (int64_t g = 0, c = 0; g < args->groups; g++)
        for (int64_t end = c + args->group_channels; c < end; c++)
            center[c] = mean[g];
}

static void backward_sums(const weft_call *call, int64_t piece)
{
    const weft_group_norm_args *args = call->args;
    add_sums(call, piece, WEFT_CHANNEL_PRODUCTS, 2,
             coefficient(call, piece / args->blocks, CENTER));
}

/* A sample's parts of dbeta and dgamma: two rows of channels. */
static float *parameters_of(const weft_call *call, int64_t sample)
{
    const weft_group_norm_args *args = call->args;
    return (float *)call->operand[args->workspace] + args->parameters_at +
           2 * sample * args->channels;
}

/* The sums over a sample's pixels of dy and of dy * (x - mean), for channel c. */
static void merge_products(const weft_call *call, int64_t sample, int64_t c, double *sum,
                           double *product)
{
    const weft_group_norm_args *args = call->args;
    *sum = *product = 0;
    for (int64_t b = 0; b < args->blocks; b++) {
        const float *sums = sums_of(call, sample, b, 0);
        *sum += (double)sums[c];
        *product += (double)sums[args->channels + c];
    }
}

/* dx = gamma r dy - r (A + (x - mean) r^2 B) / n, where A and B are the sums over the n elements of a group
 * of gamma dy and of gamma dy (x - mean). */
static void backward_finish(const weft_call *call, int64_t sample)
{
    const weft_group_norm_args *args = call->args;
    const float *gamma = call->operand[OF_GAMMA];
    const float *variance = (const float *)call->operand[OF_VARIANCE] + sample * args->groups;
    float *scale = coefficient(call, sample, SCALE);
    float *slope = coefficient(call, sample, SLOPE);
    float *shift = coefficient(call, sample, SHIFT);
    float *dbeta = parameters_of(call, sample), *dgamma = dbeta + args->channels;
    const double count = (double)(args->sample_pixels * args->group_channels);
    for (int64_t g = 0; g < args->groups; g++) {
        int64_t first = g * args->group_channels, end = first + args->group_channels;
        double r = 1 / sqrt((double)variance[g] + args->epsilon), a = 0, b = 0;
        for (int64_t c = first; c < end; c++) {
            double sum, product;
            merge_products(call, sample, c, &sum, &product);
            a += (double)gamma[c] * sum;
            b += (double)gamma[c] * product;
            dbeta[c] = (float)sum;
            dgamma[c] = (float)(product * r);
        }
        for (int64_t c = first; c < end; c++) {
            scale[c] = (float)((double)gamma[c] * r);
            slope[c] = (float)(-r * r * r * b / count);
            shift[c] = (float)(-r * a / count);
        }
    }
}

static void backward_merge(const weft_call *call, int64_t piece)
{
    const weft_group_norm_args *args = call->args;
    enum { CHANNELS = WEFT_GROUP_NORM_MERGE_CHANNELS };
    int64_t first = piece * CHANNELS, left = args->channels - first;
    int64_t count = left < CHANNELS ? left : CHANNELS;
    double sum[CHANNELS] = {0}, product[CHANNELS] = {0};
    for (int64_t n = 0; n < args->samples; n++) {
        const float *dbeta = parameters_of(call, n) + first, *dgamma = dbeta + args->channels;
        for (int64_t c = 0; c < count; c++) {
            sum[c] += (double)dbeta[c];
            product[c] += (double)dgamma[c];
        }
    }
    for (int64_t c = 0; c < count; c++) {
        ((float *)call->operand[DBETA])[first + c] = (float)sum[c];
        ((float *)call->operand[DGAMMA])[first + c] = (float)product[c];
    }
}

static void backward_apply(const weft_call *call, int64_t piece)
{
    const weft_group_norm_args *args = call->args;
    int64_t sample = piece / args->apply_blocks;
    range pixels = block_of(args, sample, piece % args->apply_blocks, args->apply_pixels);
    line by = {.scale = coefficient(call, sample, SCALE),
               .slope = coefficient(call, sample, SLOPE),
               .center = coefficient(call, sample, CENTER),
               .shift = coefficient(call, sample, SHIFT)};
    weft_pixel_run run;
    for (int64_t pixel = pixels.begin; pixel < pixels.end; pixel += run.count) {
        run = weft_pixels_run(&args->pixels, pixel, pixels.end);
        pixel_group at = {.a = (const float *)call->operand[DY] + run.offset[0],
                          .a_step = args->pixels.step[0],
                          .b = (const float *)call->operand[OF_X] + run.offset[1],
                          .b_step = args->pixels.step[1],
                          .out = (float *)call->operand[DX] + run.offset[2],
                          .out_step = args->pixels.step[2]};
        apply_run(at, run.count, args->channels, &by);
    }
}

const weft_group_norm_kernels WEFT_FOR_ISA(weft_group_norm_table) = {
    .forward_sums = forward_sums,
    .forward_finish = forward_finish,
    .forward_apply = forward_apply,
    .backward_center = backward_center,
    .backward_sums = backward_sums,
    .backward_finish = backward_finish,
    .backward_merge = backward_merge,
    .backward_apply = backward_apply,
};
