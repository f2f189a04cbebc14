#include "graph/pack.h"

#include "base/memory.h"
#include "kernels/philox.h"

#include <stdlib.h>
#include <string.h>

typedef struct item {
    weft_interval *interval;
    int64_t bytes;   /* rounded up */
    double priority; /* larger is placed earlier */
    int64_t offset;
} item;

typedef struct packer {
    item *item;    /* in order of placement */
    item **placed; /* in order of offset */
    int64_t *best; /* offsets by interval */
    weft_interval *first;
    int count;
} packer;

static bool meet(const weft_interval *a, const weft_interval *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset where the item fits among those placed that it meets. */
static int64_t find_gap(const packer *p, int placed, const item *wanted)
{
    int64_t offset = 0;
    for (int i = 0; i < placed; i++) {
        const item *other = p->placed[i];
        if (!meet(wanted->interval, other->interval))
            continue;
        if (other->offset >= offset + wanted->bytes)
            break;
        int64_t end = other->offset + other->bytes;
        offset = end > offset ? end : offset;
    }
    return offset;
}

static void insert(packer *p, int placed, item *added)
{
    int at = placed;
    while (at > 0 && p->placed[at - 1]->offset > added->offset) {
        p->placed[at] = p->placed[at - 1];
        at--;
    }
    p->placed[at] = added;
}

/* Places all items in their order; returns the arena's size. */
static int64_t place_all(packer *p)
{
    int64_t top = 0;
    for (int i = 0; i < p->count; i++) {
        item *it = &p->item[i];
        it->offset = find_gap(p, i, it);
        insert(p, i, it);
        top = it->offset + it->bytes > top ? it->offset + it->bytes : top;
    }
    return top;
}

static int by_priority(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    return x->interval < y->interval ? -1 : x->interval > y->interval;
}

static double by_size(const item *it)
{
    return (double)it->bytes;
}

static double by_length(const item *it)
{
    return (double)(it->interval->last - it->interval->first + 1);
}

static double by_area(const item *it)
{
    return by_size(it) * by_length(it);
}

static double by_start(const item *it)
{
    return -(double)it->interval->first;
}

static double by_end(const item *it)
{
    return (double)it->interval->last;
}

static int64_t bound_of(packer *p)
{
    int steps = 0;
    for (int i = 0; i < p->count; i++)
        steps = p->item[i].interval->last >= steps ? p->item[i].interval->last + 1 : steps;
    int64_t bound = 0;
    for (int s = 0; s < steps; s++) {
        int64_t live = 0;
        for (int i = 0; i < p->count; i++)
            if (p->item[i].interval->first <= s && s <= p->item[i].interval->last)
                live += p->item[i].bytes;
        bound = live > bound ? live : bound;
    }
    return bound;
}

static void keep_if_better(packer *p, int64_t bytes, weft_packing *packing)
{
    if (bytes >= packing->bytes)
        return;
    packing->bytes = bytes;
    for (int i = 0; i < p->count; i++)
        p->best[p->item[i].interval - p->first] = p->item[i].offset;
}

/* From the best order on: whatever ends at the top of the arena is placed earlier, and now and then two
 * items change places. The draws are the same each time. */
static void improve(packer *p, weft_packing *packing)
{
    enum { TRIES = 200, WORK = 40 * 1000 * 1000 };
    int64_t cost = (int64_t)p->count * p->count / 4 + 1;
    int tries = cost * TRIES > WORK ? (int)(WORK / cost) : TRIES;
    for (int t = 0; t < tries && packing->bytes > packing->bound; t++) {
        weft_philox_block draw = weft_philox(0x77656674, (uint64_t)t, 0);
        int high = 0;
        for (int i = 0; i < p->count; i++)
            if (p->item[i].offset + p->item[i].bytes >= p->item[high].offset + p->item[high].bytes)
                high = i;
        int from = t % 2 ? (int)(draw.word[0] % (uint32_t)p->count) : high;
        int to = from ? (int)(draw.word[1] % (uint32_t)from) : 0;
        item moved = p->item[from];
        memmove(&p->item[to + 1], &p->item[to], (size_t)(from - to) * sizeof(item));
        p->item[to] = moved;
        int64_t before = packing->bytes;
        int64_t bytes = place_all(p);
        keep_if_better(p, bytes, packing);
        if (bytes > before) { /* take it back */
            moved = p->item[to];
            memmove(&p->item[to], &p->item[to + 1], (size_t)(from - to) * sizeof(item));
            p->item[from] = moved;
        }
    }
}

static void pack_apart(packer *p, weft_packing *packing)
{
    packing->bytes = 0;
    for (int i = 0; i < p->count; i++) {
        p->best[p->item[i].interval - p->first] = packing->bytes;
        packing->bytes += p->item[i].bytes;
    }
}

static void pack(packer *p, bool apart, weft_packing *packing)
{
    static double (*const strategy[])(const item *) = {by_size, by_area, by_length, by_start,
                                                       by_end};
    enum { STRATEGIES = sizeof(strategy) / sizeof(strategy[0]) };
    *packing = (weft_packing){.bytes = INT64_MAX, .bound = bound_of(p)};
    if (apart) {
        pack_apart(p, packing);
        return;
    }
    int best = 0;
    for (int s = 0; s <= STRATEGIES && packing->bytes > packing->bound; s++) {
        int chosen = s < STRATEGIES ? s : best; /* last: the best again, to go on from */
        for (int i = 0; i < p->count; i++)
            p->item[i].priority = strategy[chosen](&p->item[i]);
        qsort(p->item, (size_t)p->count, sizeof(item), by_priority);
        int64_t bytes = place_all(p);
        best = bytes < packing->bytes ? s : best;
        keep_if_better(p, bytes, packing);
    }
    improve(p, packing);
}

bool weft_pack(weft_context *context, weft_interval *interval, int count, bool apart,
               weft_packing *packing)
{
    *packing = (weft_packing){0};
    if (count == 0)
        return true;
    weft_pool pool = weft_pool_begin(context);
    packer p = {.first = interval, .count = count};
    p.item = weft_pool_array(&pool, (size_t)count, sizeof(item));
    p.placed = weft_pool_array(&pool, (size_t)count, sizeof(item *));
    p.best = weft_pool_array(&pool, (size_t)count, sizeof(int64_t));
    bool good = p.item && p.placed && p.best;
    if (good) {
        for (int i = 0; i < count; i++)
            p.item[i] = (item){.interval = &interval[i], .bytes = weft_aligned(interval[i].bytes)};
        pack(&p, apart, packing);
        for (int i = 0; i < count; i++)
            interval[i].offset = p.best[i];
    }
    weft_pool_release(&pool);
    return good;
}
