/* The attributes of the convolution family in a few characters. */
#include <stdio.h>
#include <string.h>

#include "ops/convolution_geometry.h"

/* Appends " <mark>2" where all entries are equal, " <mark>2x1" otherwise; nothing where all are rest. */
static void add_entries(char *text, size_t size, const char *mark, const int32_t *entry, int count,
                        int32_t rest)
{
    bool equal = true, resting = true;
    for (int d = 0; d < count; d++) {
        equal = equal && entry[d] == entry[0];
        resting = resting && entry[d] == rest;
    }
    if (resting)
        return;
    size_t length = strlen(text);
    for (int d = 0; d < (equal ? 1 : count) && length < size; d++) {
        snprintf(text + length, size - length, "%s%d", d == 0 ? mark : "x", entry[d]);
        length += strlen(text + length);
    }
}

void weft_convolution_label(const void *attributes_bytes, char *text, size_t size)
{
    static const char *const paddings[] = {"", " same", " full", ""};
    const weft_convolution_attributes *attributes = attributes_bytes;
    int spatial = attributes->spatial;
    size_t length = 0;
    text[0] = '\0';
    for (int d = 0; d < spatial && length < size; d++) {
        snprintf(text + length, size - length, "%s%d", d == 0 ? "" : "x", attributes->kernel[d]);
        length += strlen(text + length);
    }
    add_entries(text, size, " /", attributes->stride, spatial, 1);
    add_entries(text, size, " d", attributes->dilation, spatial, 1);
    add_entries(text, size, " g", &attributes->groups, 1, 1);
    length = strlen(text);
    snprintf(text + length, size - length, "%s%s", paddings[attributes->padding],
             attributes->flip_filter ? " flipped" : "");
    bool symmetric =
        memcmp(attributes->pad_low, attributes->pad_high, sizeof(attributes->pad_low)) == 0;
    add_entries(text, size, " p", attributes->pad_low, spatial, symmetric ? 0 : -1);
    if (!symmetric)
        add_entries(text, size, "+", attributes->pad_high, spatial, -1);
    add_entries(text, size, " out+", attributes->output_padding, spatial, 0);
}
