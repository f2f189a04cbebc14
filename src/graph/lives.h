/* When values are read in the order of creation, before passes choose a better one. */
#ifndef WEFT_GRAPH_LIVES_H
#define WEFT_GRAPH_LIVES_H

#include "graph/ir.h"

/* Places are those of nodes in the graph. */
typedef struct weft_lives {
    int *first, *last; /* of each value: where it is read; last -1: nowhere */
    int64_t *made;     /* bytes that all nodes up to this place make */
} weft_lives;

weft_status weft_lives_find(weft_ir *ir, weft_lives *lives);

/* Bytes that are made after `from` and before `to`; 0 where that does not come later. */
int64_t weft_lives_between(const weft_lives *lives, int from, int to);

/* What has to wait while so many times its bytes are made waits long: it is worth some work to do without. */
static const double weft_long_wait = 4;

#endif
