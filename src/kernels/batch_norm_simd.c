#include "kernels/batch_norm.h"
#include "kernels/channel_line.h"

#include <math.h>

enum { FINISH = WEFT_BATCH_NORM_FINISH_CHANNELS };

typedef struct range {
    int64_t begin, end;
} range;

/* Range number `index` of those of `size` that `count` is cut into. */
static range cut(int64_t index, int64_t size, int64_t count)
{
    int64_t begin = index * size, end = begin + size;
    return (range){begin, end < count ? end : count};
}

static float *number(const weft_call *call, weft_batch_norm_number which)
{
    const weft_batch_norm_place *at = &((const weft_batch_norm_args *)call->args)->at[which];
    return (float *)call->operand[at->slot] + at->offset;
}

/* Number `which` of each channel that part `block` left. */
static float *sums_of(const weft_call *call, int64_t block, int which)
{
    const weft_batch_norm_args *args = call->args;
    return number(call, WEFT_BATCH_NORM_SUMS) +
           (WEFT_CHANNEL_NUMBERS * block + which) * args->channels;
}

/* ---- Sums ---- */

/* A piece: a block of pixels and of channels. Operand i of the sums is operand i of the call; what comes
 * after those that are images is one row of channels. */
static void add_sums(const weft_call *call, int64_t piece, weft_channel_sums kind, int images,
                     const float *row)
{
    const weft_batch_norm_args *args = call->args;
    int64_t block = piece / args->channel_blocks;
    range pixels = cut(block, args->block_pixels, args->pixels.count);
    range channels = cut(piece % args->channel_blocks, args->block_channels, args->channels);
    weft_channel_rows rows = {.channels = channels.end - channels.begin,
                              .number = sums_of(call, block, 0) + channels.begin,
                              .number_step = args->channels};
    for (int n = 0; n < WEFT_CHANNEL_NUMBERS; n++)
        memset(rows.number + n * rows.number_step, 0, (size_t)rows.channels * sizeof(float));
    if (row)
        rows.in[images] = row + channels.begin;
    weft_pixel_run run;
    for (int64_t pixel = pixels.begin; pixel < pixels.end; pixel += run.count) {
        run = weft_pixels_run(&args->pixels, pixel, pixels.end);
        rows.rows = run.count;
        for (int i = 0; i < images; i++) {
            rows.in[i] = (const float *)call->operand[i] + run.offset[i] + channels.begin;
            rows.step[i] = args->pixels.step[i];
        }
        WEFT_FOR_ISA(weft_channel_kernel_table).add[kind](&rows);
    }
}

static void forward_sums(const weft_call *call, int64_t piece)
{
    add_sums(call, piece, WEFT_CHANNEL_STATISTICS, 1, NULL);
}

static void backward_sums(const weft_call *call, int64_t piece)
{
    add_sums(call, piece, WEFT_CHANNEL_PRODUCTS, 2, number(call, WEFT_BATCH_NORM_MEAN));
}

/* ---- Forward: coefficients ---- */

/* Adds up a block's sum of x. */
static void merge_sum(const weft_call *call, int64_t block, range channels, double *total)
{
    const float *mean = sums_of(call, block, 0), *sum = sums_of(call, block, 1);
    const float *count = sums_of(call, block, 3);
    for (int64_t c = channels.begin; c < channels.end; c++)
        *total++ += (double)count[c] * (double)mean[c] + (double)sum[c];
}

/* Adds up a block's sum of squared differences, moved from its own mean to that of all. */
static void merge_square(const weft_call *call, int64_t block, range channels,
                         const double *mean_of_all, double *total)
{
    const float *mean = sums_of(call, block, 0), *sum = sums_of(call, block, 1);
    const float *square = sums_of(call, block, 2), *count = sums_of(call, block, 3);
    for (int64_t c = channels.begin; c < channels.end; c++) {
        double d = (double)mean[c] - *mean_of_all++;
        *total++ += (double)square[c] + d * (2 * (double)sum[c] + (double)count[c] * d);
    }
}

static void forward_finish(const weft_call *call, int64_t piece)
{
    const weft_batch_norm_args *args = call->args;
    range channels = cut(piece, FINISH, args->channels);
    double mean[FINISH] = {0}, square[FINISH] = {0};
    const double count = (double)args->pixels.count;
    for (int64_t b = 0; b < args->blocks; b++)
        merge_sum(call, b, channels, mean);
    for (int c = 0; c < FINISH; c++)
        mean[c] /= count;
    for (int64_t b = 0; b < args->blocks; b++)
        merge_square(call, b, channels, mean, square);
    const float *gamma = number(call, WEFT_BATCH_NORM_GAMMA);
    const float *beta = number(call, WEFT_BATCH_NORM_BETA);
    float *center = number(call, WEFT_BATCH_NORM_MEAN);
    float *out_variance = number(call, WEFT_BATCH_NORM_VARIANCE);
    float *slope = number(call, WEFT_BATCH_NORM_SLOPE);
    float *shift = number(call, WEFT_BATCH_NORM_SHIFT);
    for (int64_t c = channels.begin; c < channels.end; c++) {
        double m = mean[c - channels.begin], variance = square[c - channels.begin] / count;
        variance = variance < 0 ? 0 : variance; /* rounding; NaN stays */
        double s = (double)gamma[c] / sqrt(variance + args->epsilon);
        center[c] = (float)m;
        out_variance[c] = (float)variance;
        slope[c] = (float)s;
        shift[c] = (float)((double)beta[c] + ((double)center[c] - m) * s);
    }
}

static void forward_running(const weft_call *call, int64_t piece)
{
    const weft_batch_norm_args *args = call->args;
    range channels = cut(piece, FINISH, args->channels);
    const float *gamma = number(call, WEFT_BATCH_NORM_GAMMA);
    const float *beta = number(call, WEFT_BATCH_NORM_BETA);
    const float *mean = number(call, WEFT_BATCH_NORM_RUNNING_MEAN);
    const float *variance = number(call, WEFT_BATCH_NORM_RUNNING_VARIANCE);
    float *center = number(call, WEFT_BATCH_NORM_MEAN);
    float *out_variance = number(call, WEFT_BATCH_NORM_VARIANCE);
    float *slope = number(call, WEFT_BATCH_NORM_SLOPE);
    float *shift = number(call, WEFT_BATCH_NORM_SHIFT);
    for (int64_t c = channels.begin; c < channels.end; c++) {
        center[c] = mean[c];
        out_variance[c] = variance[c];
        slope[c] = (float)((double)gamma[c] / sqrt((double)variance[c] + args->epsilon));
        shift[c] = beta[c];
    }
}

/* ---- Apply ---- */

static void forward_apply(const weft_call *call, int64_t piece)
{
    const weft_batch_norm_args *args = call->args;
    range pixels = cut(piece, args->apply_pixels, args->pixels.count);
    line by = {
        .slope = number(call, WEFT_BATCH_NORM_SLOPE),
        .center = number(call, WEFT_BATCH_NORM_MEAN),
        .shift = number(call, WEFT_BATCH_NORM_SHIFT),
    };
    const float *x = call->operand[0];
    weft_pixel_run run;
    for (int64_t pixel = pixels.begin; pixel < pixels.end; pixel += run.count) {
        run = weft_pixels_run(&args->pixels, pixel, pixels.end);
        pixel_group at = {
            .a = x,
            .b = x + run.offset[0],
            .b_step = args->pixels.step[0],
            .out = (float *)call->operand[5] + run.offset[1],
            .out_step = args->pixels.step[1],
        };
        apply_run(at, run.count, args->channels, &by);
    }
}

/* ---- Backward ---- */

SIMD_INLINE void backward_finish(const weft_call *call, int64_t piece, bool train)
{
    const weft_batch_norm_args *args = call->args;
    range channels = cut(piece, FINISH, args->channels);
    int64_t width = channels.end - channels.begin;
    double sum[FINISH] = {0}, product[FINISH] = {0};
    for (int64_t b = 0; b < args->blocks; b++) {
        const float *sums = sums_of(call, b, 0) + channels.begin;
        const float *products = sums_of(call, b, 1) + channels.begin;
        for (int64_t c = 0; c < width; c++) {
            sum[c] += (double)sums[c];
            product[c] += (double)products[c];
        }
    }
    const float *gamma = number(call, WEFT_BATCH_NORM_GAMMA);
    const float *variance = number(call, WEFT_BATCH_NORM_VARIANCE);
    float *dgamma = number(call, WEFT_BATCH_NORM_DGAMMA);
    float *dbeta = number(call, WEFT_BATCH_NORM_DBETA);
    float *scale = number(call, WEFT_BATCH_NORM_SCALE);
    float *slope = number(call, WEFT_BATCH_NORM_SLOPE);
    float *shift = number(call, WEFT_BATCH_NORM_SHIFT);
    const double count = (double)args->pixels.count;
    for (int64_t c = channels.begin; c < channels.end; c++) {
        double r = 1 / sqrt((double)variance[c] + args->epsilon), s = (double)gamma[c] * r;
        double dy = sum[c - channels.begin], dy_x = product[c - channels.begin];
        dgamma[c] = (float)(dy_x * r);
        dbeta[c] = (float)dy;
        scale[c] = (float)s;
        if (train) { /* dx = s * (dy - mean of dy - (x - mean) * r^2 * mean of dy * (x - mean)) */
            slope[c] = (float)(-s * r * r * dy_x / count);
            shift[c] = (float)(-s * dy / count);
        }
    }
}

static void backward_finish_train(const weft_call *call, int64_t piece)
{
    backward_finish(call, piece, true);
}

static void backward_finish_infer(const weft_call *call, int64_t piece)
{
    backward_finish(call, piece, false);
}

SIMD_INLINE void backward_apply(const weft_call *call, int64_t piece, bool train)
{
    const weft_batch_norm_args *args = call->args;
    range pixels = cut(piece, args->apply_pixels, args->pixels.count);
    line by = {.scale = number(call, WEFT_BATCH_NORM_SCALE)};
    if (train) {
        by.slope = number(call, WEFT_BATCH_NORM_SLOPE);
        by.shift = number(call, WEFT_BATCH_NORM_SHIFT);
        by.center = number(call, WEFT_BATCH_NORM_MEAN);
    }
    weft_pixel_run run;
    for (int64_t pixel = pixels.begin; pixel < pixels.end; pixel += run.count) {
        run = weft_pixels_run(&args->pixels, pixel, pixels.end);
        pixel_group at = {
            .a = (const float *)call->operand[0] + run.offset[0],
            .a_step = args->pixels.step[0],
            .b = (const float *)call->operand[1] + run.offset[1],
            .b_step = args->pixels.step[1],
            .out = (float *)call->operand[5] + run.offset[2],
            .out_step = args->pixels.step[2],
        };
        apply_run(at, run.count, args->channels, &by);
    }
}

static void backward_apply_train(const weft_call *call, int64_t piece)
{
    backward_apply(call, piece, true);
}

static void backward_apply_infer(const weft_call *call, int64_t piece)
{
    backward_apply(call, piece, false);
}

const weft_batch_norm_kernels WEFT_FOR_ISA(weft_batch_norm_table) = {
    .forward_sums = forward_sums,
    .forward_finish = forward_finish,
    .forward_running = forward_running,
    .forward_apply = forward_apply,
    .backward_sums = backward_sums,
    .backward_finish_train = backward_finish_train,
    .backward_finish_infer = backward_finish_infer,
    .backward_apply_train = backward_apply_train,
    .backward_apply_infer = backward_apply_infer,
};
