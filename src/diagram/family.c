/* How diagrams show the families of ops. */
#include "weft/dot.h"

static const struct {
    const char *text, *colour;
} families[] = {
    [WEFT_FAMILY_OTHER] = {"other", "#f2f2f2"},
    [WEFT_FAMILY_LEAF] = {"leaf", "#ffffff"},
    [WEFT_FAMILY_CONVOLUTION] = {"convolution", "#9ecae9"},
    [WEFT_FAMILY_DENSE] = {"dense", "#aec7f2"},
    [WEFT_FAMILY_POOLING] = {"pooling", "#b5e0c4"},
    [WEFT_FAMILY_NORMALIZATION] = {"normalization", "#f6d9a8"},
    [WEFT_FAMILY_ACTIVATION] = {"activation", "#f9c2ad"},
    [WEFT_FAMILY_ARITHMETIC] = {"arithmetic", "#dcd3ee"},
    [WEFT_FAMILY_REDUCTION] = {"reduction", "#c9dcd9"},
    [WEFT_FAMILY_SHAPE] = {"shape", "#e4e4e4"},
    [WEFT_FAMILY_LOSS] = {"loss", "#f4a6b4"},
    [WEFT_FAMILY_RANDOM] = {"random", "#e8e6a0"},
    [WEFT_FAMILY_UPDATE] = {"update", "#d2b48c"},
};

enum { FAMILIES = sizeof(families) / sizeof(families[0]) };

static int index_of(weft_family family)
{
    return (unsigned)family < FAMILIES ? (int)family : WEFT_FAMILY_OTHER;
}

const char *weft_family_text(weft_family family)
{
    return families[index_of(family)].text;
}

const char *weft_family_colour(weft_family family)
{
    return families[index_of(family)].colour;
}
