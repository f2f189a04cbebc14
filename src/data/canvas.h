/* What the generators draw on: a picture in float, and smooth random fields. */
#ifndef WEFT_DATA_CANVAS_H
#define WEFT_DATA_CANVAS_H

#include "data/random.h"

#include "weft/data.h"

typedef struct weft_canvas {
    int64_t size, channels; /* size x size pixels */
    float *pixel;           /* intensities, 0 black to 1 full */
} weft_canvas;

/* Calls draw for each sample of a new data set with a canvas to paint on, and stores the canvas, cut to
 * [0, 1], as the sample's image. draw sets the sample's label or its mask. */
typedef struct weft_drawing {
    int64_t default_size, channels;
    int classes;
    bool masks;
    uint64_t stream; /* keeps the generators apart */
    void (*draw)(weft_canvas *canvas, weft_random *random, weft_dataset *dataset, int64_t sample);
} weft_drawing;

weft_status weft_draw_dataset(weft_context *context, const weft_generate_options *options,
                              const weft_drawing *drawing, weft_dataset **dataset,
                              weft_error *error);

/* A smooth random function on the unit square with values about 0, between -1 and 1: a lattice of random
 * values, interpolated. */
enum { WEFT_FIELD_LATTICE = 12 };

typedef struct weft_field {
    int cells; /* of the lattice that are used, up to WEFT_FIELD_LATTICE */
    float value[WEFT_FIELD_LATTICE + 1][WEFT_FIELD_LATTICE + 1];
} weft_field;

weft_field weft_field_draw(weft_random *random, int cells);
float weft_field_at(const weft_field *field, float x, float y);

/* A closed outline r(angle) around a centre: an ellipse with waves. */
enum { WEFT_OUTLINE_WAVES = 3 };

typedef struct weft_outline {
    float x, y, radius, stretch, cosine, sine;
    float amplitude[WEFT_OUTLINE_WAVES], phase[WEFT_OUTLINE_WAVES];
} weft_outline;

weft_outline weft_outline_draw(weft_random *random, float x, float y, float radius, float waviness);
/* Distance from the centre in units of the outline's radius in that direction: below 1 inside. */
float weft_outline_distance(const weft_outline *outline, float x, float y);

#endif
