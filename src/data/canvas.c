#include "data/canvas.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

enum { SMALLEST_SIZE = 16, LARGEST_SIZE = 4096, DEFAULT_COUNT = 1000 };

static void store(const weft_canvas *canvas, uint8_t *image)
{
    int64_t elements = canvas->size * canvas->size * canvas->channels;
    for (int64_t i = 0; i < elements; i++) {
        float value = fminf(fmaxf(canvas->pixel[i], 0.0f), 1.0f);
        image[i] = (uint8_t)(value * 255.0f + 0.5f);
    }
}

static void draw_all(weft_canvas *canvas, const weft_generate_options *options,
                     const weft_drawing *drawing, weft_dataset *dataset)
{
    int64_t elements = canvas->size * canvas->size * canvas->channels;
    weft_philox_block mixed = weft_philox(options->seed, drawing->stream, (uint64_t)options->split);
    uint64_t key = (uint64_t)mixed.word[0] << 32 | mixed.word[1];
    for (int64_t i = 0; i < dataset->count; i++) {
        weft_random random = weft_random_begin(key, (uint64_t)i);
        memset(canvas->pixel, 0, (size_t)elements * sizeof(float));
        drawing->draw(canvas, &random, dataset, i);
        store(canvas, dataset->images + i * elements);
    }
}

weft_status weft_draw_dataset(weft_context *context, const weft_generate_options *options,
                              const weft_drawing *drawing, weft_dataset **dataset,
                              weft_error *error)
{
    *dataset = NULL;
    int64_t size = options->size ? options->size : drawing->default_size;
    if (size < SMALLEST_SIZE || size > LARGEST_SIZE || options->count < 0)
        return weft_error_set(
            error, WEFT_ERROR_ARGUMENT, "cannot draw %lld images of size %lld (%d to %d)",
            (long long)options->count, (long long)size, SMALLEST_SIZE, LARGEST_SIZE);
    size_t bytes = (size_t)(size * size * drawing->channels) * sizeof(float);
    weft_canvas canvas = {
        .size = size,
        .channels = drawing->channels,
        .pixel = weft_allocate(context, bytes),
    };
    if (!canvas.pixel)
        return weft_out_of_memory(error, bytes);
    weft_status status =
        weft_dataset_create(context,
                            &(weft_dataset_options){
                                .count = options->count ? options->count : DEFAULT_COUNT,
                                .height = size,
                                .width = size,
                                .channels = drawing->channels,
                                .classes = drawing->classes,
                                .masks = drawing->masks,
                            },
                            dataset, error);
    if (status == WEFT_OK)
        draw_all(&canvas, options, drawing, *dataset);
    weft_release(context, canvas.pixel, bytes);
    return status;
}

weft_field weft_field_draw(weft_random *random, int cells)
{
    weft_field field = {.cells = cells};
    for (int y = 0; y <= cells; y++)
        for (int x = 0; x <= cells; x++)
            field.value[y][x] = weft_random_uniform(random, -1.0f, 1.0f);
    return field;
}

/* The lattice cell of a coordinate in [0, 1], and the smoothed position in it. */
static int lattice_cell(int cells, float position, float *within)
{
    float scaled = fminf(fmaxf(position, 0.0f), 1.0f) * (float)cells;
    int cell = scaled >= (float)cells ? cells - 1 : (int)scaled;
    float t = scaled - (float)cell;
    *within = t * t * (3.0f - 2.0f * t);
    return cell;
}

float weft_field_at(const weft_field *field, float x, float y)
{
    float across, down;
    int column = lattice_cell(field->cells, x, &across);
    int row = lattice_cell(field->cells, y, &down);
    const float *upper = &field->value[row][column], *lower = &field->value[row + 1][column];
    float top = upper[0] + (upper[1] - upper[0]) * across;
    float bottom = lower[0] + (lower[1] - lower[0]) * across;
    return top + (bottom - top) * down;
}

weft_outline weft_outline_draw(weft_random *random, float x, float y, float radius, float waviness)
{
    const float turn = 6.2831853f;
    float angle = weft_random_uniform(random, 0, turn);
    weft_outline outline = {
        .x = x,
        .y = y,
        .radius = radius,
        .stretch = weft_random_uniform(random, 0.75f, 1.0f),
        .cosine = cosf(angle),
        .sine = sinf(angle),
    };
    for (int i = 0; i < WEFT_OUTLINE_WAVES; i++) {
        outline.amplitude[i] = weft_random_uniform(random, 0, waviness / (float)(i + 1));
        outline.phase[i] = weft_random_uniform(random, 0, turn);
    }
    return outline;
}

float weft_outline_distance(const weft_outline *outline, float x, float y)
{
    float dx = x - outline->x, dy = y - outline->y;
    float u = (outline->cosine * dx + outline->sine * dy) * outline->stretch;
    float v = (outline->cosine * dy - outline->sine * dx) / outline->stretch;
    float angle = atan2f(v, u), radius = outline->radius;
    for (int i = 0; i < WEFT_OUTLINE_WAVES; i++)
        radius *= 1 + outline->amplitude[i] * cosf((float)(i + 2) * angle + outline->phase[i]);
    return hypotf(u, v) / radius;
}
