/* The inside of wisdom: a table from the hash of a problem to its fastest algorithm. */
#ifndef WEFT_GRAPH_WISDOM_H
#define WEFT_GRAPH_WISDOM_H

#include <pthread.h>

#include "weft/wisdom.h"

typedef struct weft_wisdom_entry {
    uint64_t key;
    const char *algorithm; /* static; NULL: nothing is here */
    int64_t nanoseconds;   /* of a run */
} weft_wisdom_entry;

struct weft_wisdom {
    weft_context *context;
    uint64_t machine;         /* of version, instruction set, cache and processor; seeds keys */
    double seconds;           /* of one measurement of an algorithm, see weft_measure */
    pthread_mutex_t lock;     /* of what follows */
    weft_wisdom_entry *entry; /* open addressing; a power of two, or none */
    size_t capacity, count;
};

/* These three are for who has the lock. */

/* NULL: nothing is known. */
const weft_wisdom_entry *weft_wisdom_find(const weft_wisdom *wisdom, uint64_t key);
/* Makes room for so many more entries; false when memory is short. */
bool weft_wisdom_reserve(weft_wisdom *wisdom, size_t more);
/* Adds an entry, for which there is room, unless its key is known. */
void weft_wisdom_add(weft_wisdom *wisdom, weft_wisdom_entry entry);

#endif
