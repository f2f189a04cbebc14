/* What the files of this room share. */
#ifndef WEFT_DATA_DATASET_H
#define WEFT_DATA_DATASET_H

#include "weft/data.h"

/* Bytes of the images and of the targets; false where they do not fit in 63 bits. */
bool weft_dataset_sizes(const weft_dataset_options *options, size_t *images, size_t *targets);

/* weft_dataset_create without zeroing the arrays: memory that a corrupt file only claims to fill is
 * then never touched. */
weft_status weft_dataset_create_raw(weft_context *context, const weft_dataset_options *options,
                                    weft_dataset **dataset, weft_error *error);

#endif
