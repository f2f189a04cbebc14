/* The built-in set for segmentation: cells under a microscope. */
#include "data/canvas.h"

#include <math.h>

enum { CLASSES = 2, CLUSTERS = 4, LARGEST_CLUSTER = 6 };

static void add_blur(weft_canvas *canvas, weft_random *random)
{
    float size = (float)canvas->size, x = weft_random_uniform(random, 0, size);
    float y = weft_random_uniform(random, 0, size);
    float radius = size * weft_random_uniform(random, 0.05f, 0.14f);
    float height = weft_random_uniform(random, 0.1f, 0.35f);
    for (int64_t row = 0; row < canvas->size; row++)
        for (int64_t column = 0; column < canvas->size; column++) {
            float dx = ((float)column - x) / radius, dy = ((float)row - y) / radius;
            canvas->pixel[row * canvas->size + column] += height * expf(-dx * dx - dy * dy);
        }
}

static void add_speck(weft_canvas *canvas, weft_random *random)
{
    int64_t x = weft_random_below(random, canvas->size - 1);
    int64_t y = weft_random_below(random, canvas->size - 1);
    float height = weft_random_uniform(random, 0.2f, 0.7f);
    int64_t reach = 1 + weft_random_below(random, 2);
    for (int64_t row = y; row < y + reach; row++)
        for (int64_t column = x; column < x + reach; column++)
            canvas->pixel[row * canvas->size + column] += height;
}

/* Paints the cell over what is there, and marks it in the mask. */
static void add_cell(weft_canvas *canvas, weft_random *random, uint8_t *mask, float x, float y,
                     float radius)
{
    weft_outline outline = weft_outline_draw(random, x, y, radius, 0.12f);
    weft_field texture = weft_field_draw(random, WEFT_FIELD_LATTICE);
    float height = weft_random_uniform(random, 0.18f, 0.65f);
    float grain = weft_random_uniform(random, 0.1f, 0.5f);
    int64_t reach = (int64_t)(2 * radius) + 2;
    for (int64_t row = (int64_t)y - reach; row <= (int64_t)y + reach; row++)
        for (int64_t column = (int64_t)x - reach; column <= (int64_t)x + reach; column++) {
            if (row < 0 || row >= canvas->size || column < 0 || column >= canvas->size)
                continue;
            float distance = weft_outline_distance(&outline, (float)column, (float)row);
            float cover = fminf(fmaxf((1 - distance) * radius + 0.5f, 0), 1);
            if (cover <= 0)
                continue;
            float u = ((float)column - x) / (4 * radius) + 0.5f;
            float v = ((float)row - y) / (4 * radius) + 0.5f;
            float light = height * (1 - 0.35f * distance * distance) *
                          (1 + grain * weft_field_at(&texture, u, v));
            float *pixel = canvas->pixel + row * canvas->size + column;
            *pixel += (light - *pixel * 0.6f) * cover;
            mask[row * canvas->size + column] |= cover >= 0.5f;
        }
}

/* A cell, and others around it that touch it. */
static void add_cluster(weft_canvas *canvas, weft_random *random, uint8_t *mask)
{
    float size = (float)canvas->size, radius = size * weft_random_uniform(random, 0.04f, 0.09f);
    float x = weft_random_uniform(random, 0.1f * size, 0.9f * size);
    float y = weft_random_uniform(random, 0.1f * size, 0.9f * size);
    for (int64_t left = 1 + weft_random_below(random, LARGEST_CLUSTER); left > 0; left--) {
        add_cell(canvas, random, mask, x, y, radius);
        float angle = weft_random_uniform(random, 0, 6.2831853f);
        float step = radius * weft_random_uniform(random, 1.7f, 2.3f);
        x += step * cosf(angle);
        y += step * sinf(angle);
        radius *= weft_random_uniform(random, 0.85f, 1.18f);
    }
}

/* Uneven light, noise that grows with the light, and in every fourth picture dark cells on white. */
static void expose(weft_canvas *canvas, weft_random *random)
{
    weft_field light = weft_field_draw(random, 2);
    float unevenness = weft_random_uniform(random, 0.1f, 0.45f), size = (float)canvas->size;
    float floor_light = weft_random_uniform(random, 0.02f, 0.2f);
    float noise = weft_random_uniform(random, 0.01f, 0.07f);
    bool negative = weft_random_below(random, 4) == 0;
    for (int64_t y = 0; y < canvas->size; y++)
        for (int64_t x = 0; x < canvas->size; x++) {
            float *pixel = canvas->pixel + y * canvas->size + x;
            float lamp = 1 + unevenness * weft_field_at(&light, (float)x / size, (float)y / size);
            float value = (floor_light + fmaxf(*pixel, 0)) * lamp;
            value += noise * (0.5f + sqrtf(value)) * weft_random_noise(random);
            *pixel = negative ? 0.95f - value : value;
        }
}

static void draw_cells(weft_canvas *canvas, weft_random *random, weft_dataset *dataset,
                       int64_t sample)
{
    uint8_t *mask = dataset->masks + sample * canvas->size * canvas->size;
    for (int64_t blurs = weft_random_below(random, 6); blurs > 0; blurs--)
        add_blur(canvas, random);
    for (int64_t clusters = 2 + weft_random_below(random, CLUSTERS); clusters > 0; clusters--)
        add_cluster(canvas, random, mask);
    for (int64_t specks = weft_random_below(random, 12); specks > 0; specks--)
        add_speck(canvas, random);
    expose(canvas, random);
}

weft_status weft_dataset_generate_cells(weft_context *context, const weft_generate_options *options,
                                        weft_dataset **dataset, weft_error *error)
{
    static const weft_drawing drawing = {
        .default_size = 96,
        .channels = 1,
        .classes = CLASSES,
        .masks = true,
        .stream = 2,
        .draw = draw_cells,
    };
    return weft_draw_dataset(context, options, &drawing, dataset, error);
}
