#include "layer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const char *const layer_pass_names[LAYER_PASSES] = {"forward", "input_gradient", "filter_gradient"};

static int64_t out_extent(const layer *l, int i)
{
    int64_t window = l->dilation * (l->kernel[i] - 1) + 1;
    if (l->transposed)
        return (l->in[i] - 1) * l->stride + window - 2 * l->pad[i];
    return (l->in[i] + 2 * l->pad[i] - window) / l->stride + 1;
}

bool layer_parse(const char *text, layer *l)
{
    static const char letters[] = "nchwkrqsdgpotx";
    enum { N, C, H, W, K, R, Q, S, D, G, P, O, T, X, LETTERS };
    int64_t v[LETTERS] = {0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, -1, 0, 1};
    while (*text) {
        if (isspace((unsigned char)*text)) {
            text++;
            continue;
        }
        const char *letter = strchr(letters, *text);
        char *end = NULL;
        long long value = strtoll(text + 1, &end, 10);
        if (!letter || end == text + 1 || value < 0)
            return false;
        v[letter - letters] = value;
        text = end;
    }
    *l = (layer){.batch = v[N],
                 .in_channels = v[C],
                 .out_channels = v[K],
                 .stride = v[S],
                 .dilation = v[D],
                 .groups = v[G],
                 .in = {v[H], v[W] ? v[W] : v[H]},
                 .kernel = {v[R], v[Q] ? v[Q] : v[R]},
                 .pad = {v[P], v[O] >= 0 ? v[O] : v[P]},
                 .transposed = v[T] != 0,
                 .times = (int)v[X]};
    if (!v[N] || !v[C] || !v[H] || !v[K] || !v[R] || !v[S] || !v[D] || !v[G] || v[C] % v[G] ||
        v[K] % v[G])
        return false;
    for (int i = 0; i < 2; i++)
        l->out[i] = out_extent(l, i);
    return l->out[0] > 0 && l->out[1] > 0;
}

double layer_flops(const layer *l)
{
    const int64_t *pixels = l->transposed ? l->in : l->out;
    return 2.0 * (double)(l->batch * pixels[0] * pixels[1]) *
           (double)(l->kernel[0] * l->kernel[1]) *
           (double)(l->in_channels / l->groups * l->out_channels);
}
