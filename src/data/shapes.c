/* The built-in set for classification: shapes in colour. */
#include "data/canvas.h"

#include <math.h>

/* ---- The shapes: true inside, in coordinates where each fits the circle of radius 1 ---- */

static bool in_disc(float u, float v)
{
    return u * u + v * v < 0.85f * 0.85f;
}

static bool in_ring(float u, float v)
{
    float square = u * u + v * v;
    return square < 0.95f * 0.95f && square > 0.55f * 0.55f;
}

static bool in_square(float u, float v)
{
    return fmaxf(fabsf(u), fabsf(v)) < 0.7f;
}

static bool in_frame(float u, float v)
{
    float reach = fmaxf(fabsf(u), fabsf(v));
    return reach < 0.75f && reach > 0.42f;
}

static bool in_triangle(float u, float v)
{
    const float half = 0.5f, root = 0.8660254f; /* normals of the sides, at 120 degrees */
    return v > -half && half * v + root * u < half && half * v - root * u < half;
}

static bool in_star(float u, float v)
{
    const float sector = 6.2831853f / 5, inner = 0.42f;
    float angle = fabsf(remainderf(atan2f(v, u), sector)); /* 0 at a tip, sector / 2 at a notch */
    float radius = hypotf(u, v), x = radius * cosf(angle), y = radius * sinf(angle);
    float notch_x = inner * cosf(sector / 2), notch_y = inner * sinf(sector / 2);
    return x * notch_y + y * (1 - notch_x) < notch_y; /* left of the line from tip to notch */
}

static bool in_plus(float u, float v)
{
    float longer = fmaxf(fabsf(u), fabsf(v)), shorter = fminf(fabsf(u), fabsf(v));
    return longer < 0.9f && shorter < 0.27f;
}

static bool in_crescent(float u, float v)
{
    return u * u + v * v < 0.95f * 0.95f && hypotf(u - 0.5f, v) > 0.75f;
}

static bool in_bow_tie(float u, float v)
{
    return fabsf(u) < 0.85f && fabsf(v) < 0.1f + 0.75f * fabsf(u);
}

static bool in_two_bars(float u, float v)
{
    return fabsf(u) < 0.8f && fabsf(v) < 0.6f && fabsf(v) > 0.2f;
}

static const struct {
    const char *name;
    bool (*inside)(float u, float v);
} classes[] = {
    {"disc", in_disc},         {"ring", in_ring},         {"square", in_square},
    {"frame", in_frame},       {"triangle", in_triangle}, {"star", in_star},
    {"plus", in_plus},         {"crescent", in_crescent}, {"bow tie", in_bow_tie},
    {"two bars", in_two_bars},
};

enum { CLASSES = sizeof(classes) / sizeof(classes[0]), CHANNELS = 3 };

const char *weft_shapes_class_name(int label)
{
    return label >= 0 && label < CLASSES ? classes[label].name : "";
}

/* ---- Painting ---- */

typedef struct colour {
    float channel[CHANNELS];
} colour;

static colour random_colour(weft_random *random)
{
    colour made;
    for (int i = 0; i < CHANNELS; i++)
        made.channel[i] = weft_random_uniform(random, 0, 1);
    return made;
}

/* A colour that differs from another by 0.3 or more in each channel. */
static colour contrasting_colour(weft_random *random, colour other)
{
    colour made;
    for (int i = 0; i < CHANNELS; i++) {
        float shifted = other.channel[i] + weft_random_uniform(random, 0.3f, 0.7f);
        made.channel[i] = shifted - floorf(shifted);
    }
    return made;
}

static void blend(weft_canvas *canvas, int64_t x, int64_t y, colour paint, float cover)
{
    float *pixel = canvas->pixel + (y * canvas->size + x) * CHANNELS;
    for (int i = 0; i < CHANNELS; i++)
        pixel[i] += (paint.channel[i] - pixel[i]) * cover;
}

/* A plain colour, modulated by a field. */
static void paint_ground(weft_canvas *canvas, weft_random *random, colour ground)
{
    weft_field field = weft_field_draw(random, 2 + (int)weft_random_below(random, 5));
    float strength = weft_random_uniform(random, 0.05f, 0.25f), size = (float)canvas->size;
    for (int64_t y = 0; y < canvas->size; y++)
        for (int64_t x = 0; x < canvas->size; x++) {
            float light = strength * weft_field_at(&field, (float)x / size, (float)y / size);
            colour paint = ground;
            for (int i = 0; i < CHANNELS; i++)
                paint.channel[i] += light;
            blend(canvas, x, y, paint, 1);
        }
}

/* A straight line across the picture. */
static void paint_line(weft_canvas *canvas, weft_random *random, float width)
{
    colour paint = random_colour(random);
    float angle = weft_random_uniform(random, 0, 3.1415927f);
    float across = cosf(angle), down = sinf(angle), size = (float)canvas->size;
    float x0 = weft_random_uniform(random, 0.1f, 0.9f) * size;
    float y0 = weft_random_uniform(random, 0.1f, 0.9f) * size;
    float offset = across * x0 + down * y0;
    for (int64_t y = 0; y < canvas->size; y++)
        for (int64_t x = 0; x < canvas->size; x++) {
            float distance = fabsf(across * (float)x + down * (float)y - offset);
            blend(canvas, x, y, paint, fminf(fmaxf(width / 2 + 0.5f - distance, 0), 1));
        }
}

static void paint_spot(weft_canvas *canvas, weft_random *random)
{
    colour paint = random_colour(random);
    float size = (float)canvas->size, x = weft_random_uniform(random, 0, size);
    float y = weft_random_uniform(random, 0, size);
    weft_outline outline =
        weft_outline_draw(random, x, y, size * weft_random_uniform(random, 0.03f, 0.08f), 0.3f);
    for (int64_t row = 0; row < canvas->size; row++)
        for (int64_t column = 0; column < canvas->size; column++)
            if (weft_outline_distance(&outline, (float)column, (float)row) < 1)
                blend(canvas, column, row, paint, 0.8f);
}

/* The shape, antialiased, plain or striped. */
static void paint_shape(weft_canvas *canvas, weft_random *random, int label, colour paint)
{
    enum { GRID = 3 }; /* points per pixel, each way */
    float size = (float)canvas->size, radius = size * weft_random_uniform(random, 0.2f, 0.4f);
    float margin = radius * 0.75f;
    float x = weft_random_uniform(random, margin, size - margin);
    float y = weft_random_uniform(random, margin, size - margin);
    float angle = weft_random_uniform(random, 0, 6.2831853f);
    float stretch = weft_random_uniform(random, 0.85f, 1.15f);
    float cosine = cosf(angle) / radius, sine = sinf(angle) / radius;
    float stripes = weft_random_uniform(random, 0, 0.5f), wave = weft_random_uniform(random, 1, 3);
    if (weft_random_below(random, 2))
        stripes = 0;
    for (int64_t row = 0; row < canvas->size; row++)
        for (int64_t column = 0; column < canvas->size; column++) {
            int hits = 0;
            for (int point = 0; point < GRID * GRID; point++) {
                int across = point % GRID - 1, down = point / GRID - 1;
                float dx = (float)column + (float)across / GRID - x;
                float dy = (float)row + (float)down / GRID - y;
                float u = (cosine * dx + sine * dy) * stretch;
                float v = (cosine * dy - sine * dx) / stretch;
                hits += classes[label].inside(u, v);
            }
            float texture = 1 - stripes * (0.5f + 0.5f * sinf(wave * ((float)column - x)));
            blend(canvas, column, row, paint, texture * (float)hits / (GRID * GRID));
        }
}

static void draw_shape(weft_canvas *canvas, weft_random *random, weft_dataset *dataset,
                       int64_t sample)
{
    int label = (int)(sample % CLASSES);
    dataset->labels[sample] = label;
    colour ground = random_colour(random);
    paint_ground(canvas, random, ground);
    for (int64_t lines = weft_random_below(random, 4); lines > 0; lines--)
        paint_line(canvas, random, weft_random_uniform(random, 0.5f, 2.0f));
    for (int64_t spots = weft_random_below(random, 6); spots > 0; spots--)
        paint_spot(canvas, random);
    paint_shape(canvas, random, label, contrasting_colour(random, ground));
    if (weft_random_below(random, 2)) /* something in front */
        paint_line(canvas, random, weft_random_uniform(random, 1.0f, 0.1f * (float)canvas->size));
    float noise = weft_random_uniform(random, 0.02f, 0.12f);
    for (int64_t i = 0; i < canvas->size * canvas->size * CHANNELS; i++)
        canvas->pixel[i] += noise * weft_random_noise(random);
}

weft_status weft_dataset_generate_shapes(weft_context *context,
                                         const weft_generate_options *options,
                                         weft_dataset **dataset, weft_error *error)
{
    static const weft_drawing drawing = {
        .default_size = 32,
        .channels = CHANNELS,
        .classes = CLASSES,
        .stream = 1,
        .draw = draw_shape,
    };
    return weft_draw_dataset(context, options, &drawing, dataset, error);
}
