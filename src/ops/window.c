#include "ops/window.h"

int64_t weft_window_span(const weft_window *window)
{
    return (window->extent - 1) * window->dilation + 1;
}

void weft_window_pads(const weft_window *window, int64_t input, int64_t *low, int64_t *high)
{
    int64_t span = weft_window_span(window);
    *low = *high = 0;
    switch (window->padding) {
    case WEFT_VALID:
        break;
    case WEFT_SAME: {
        int64_t positions = (input - 1) / window->stride + 1;
        int64_t total = (positions - 1) * window->stride + span - input;
        if (total > 0) {
            *low = total / 2;
            *high = total - *low;
        }
        break;
    }
    case WEFT_FULL:
        *low = *high = span - 1;
        break;
    case WEFT_EXPLICIT:
        *low = window->pad_low;
        *high = window->pad_high;
        break;
    }
}

int64_t weft_window_positions(const weft_window *window, int64_t input)
{
    int64_t low, high;
    weft_window_pads(window, input, &low, &high);
    int64_t room = input + low + high - weft_window_span(window);
    return room < 0 ? 0 : room / window->stride + 1;
}
