#include "graph/pack.h"

#include "base/memory.h"
#include "kernels/philox.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct item {
    weft_interval *interval;
    int first, last;
    int64_t bytes;  /* rounded up */
    double urgency; /* of those that fit into a place, the most urgent one takes it */
    bool placed;
    int64_t offset;
} item;

/* Steps at which the arena is filled up to the same height. */
typedef struct segment {
    int first, last;
    int64_t height;
} segment;

typedef struct packer {
    item *item; /* the large ones first, by their first step */
    int count, large;
    int steps;
    segment *segment; /* of all steps, in order */
    int segments;
    int64_t *best; /* offsets of the large ones */
    item **placed; /* in order of offset */
} packer;

enum {
    SMALL = 1024,           /* parts of the bound: items below fill what the others leave */
    TRIES = 160,            /* orders */
    WORK = 60 * 1000 * 1000 /* items that are looked at, about */
};

/* ---- Large items: the skyline ---- */

/* The first large item that does not begin before the step. */
static int first_from(const packer *p, int step)
{
    int low = 0, high = p->large;
    while (low < high) {
        int middle = (low + high) / 2;
        if (p->item[middle].first < step)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The most urgent item that lives within the segment, NULL: none. */
static item *find_for(const packer *p, const segment *s)
{
    item *best = NULL;
    for (int i = first_from(p, s->first); i < p->large && p->item[i].first <= s->last; i++) {
        item *it = &p->item[i];
        if (!it->placed && it->last <= s->last && (!best || it->urgency > best->urgency))
            best = it;
    }
    return best;
}

static int lowest(const packer *p)
{
    int low = 0;
    for (int i = 1; i < p->segments; i++)
        if (p->segment[i].height < p->segment[low].height)
            low = i;
    return low;
}

/* Makes one segment of neighbours of equal height, from number `from` on to `to`. */
static void join(packer *p, int from, int to)
{
    for (int i = from > 0 ? from - 1 : 0; i + 1 < p->segments && i <= to;) {
        segment *s = &p->segment[i];
        if (s[0].height != s[1].height) {
            i++;
            continue;
        }
        s[0].last = s[1].last;
        memmove(&s[1], &s[2], (size_t)(p->segments - i - 2) * sizeof(*s));
        p->segments--;
    }
}

/* Nothing fits there any more: up to the height of the lower neighbour. */
static void lift(packer *p, int index)
{
    segment *s = &p->segment[index];
    int64_t left = index > 0 ? s[-1].height : INT64_MAX;
    int64_t right = index + 1 < p->segments ? s[1].height : INT64_MAX;
    s->height = left < right ? left : right;
    join(p, index, index);
}

/* Puts the item into the segment, at its bottom. */
static void put(packer *p, int index, item *it)
{
    const segment whole = p->segment[index];
    segment part[3];
    int parts = 0;
    it->placed = true;
    it->offset = whole.height;
    if (whole.first < it->first)
        part[parts++] = (segment){whole.first, it->first - 1, whole.height};
    part[parts++] = (segment){it->first, it->last, whole.height + it->bytes};
    if (it->last < whole.last)
        part[parts++] = (segment){it->last + 1, whole.last, whole.height};
    segment *to = &p->segment[index];
    memmove(to + parts, to + 1, (size_t)(p->segments - index - 1) * sizeof(*to));
    memcpy(to, part, (size_t)parts * sizeof(*to));
    p->segments += parts - 1;
    join(p, index, index + parts);
}

/* Fills up the lowest segment until there are no items left (Burke et al. 2004, "A new placement heuristic for the
 * orthogonal stock-cutting problem", with fixed places in time, as Sekiyama et al. 2018 do for memory). Returns the
 * arena's size, or INT64_MAX as soon as it is not below `most`. */
static int64_t place_large(packer *p, int64_t most)
{
    int64_t top = 0;
    p->segments = 1;
    p->segment[0] = (segment){0, p->steps - 1, 0};
    for (int i = 0; i < p->large; i++)
        p->item[i].placed = false;
    for (int left = p->large; left > 0;) {
        int low = lowest(p);
        item *it = find_for(p, &p->segment[low]);
        if (!it) {
            lift(p, low);
            continue;
        }
        put(p, low, it);
        left--;
        top = it->offset + it->bytes > top ? it->offset + it->bytes : top;
        if (top >= most)
            return INT64_MAX;
    }
    return top;
}

static double length_of(const item *it)
{
    return (double)(it->last - it->first + 1);
}

static double area_of(const item *it)
{
    return (double)it->bytes * length_of(it);
}

static double size_of(const item *it)
{
    return (double)it->bytes;
}

/* Three plain orders, then the first of them, more and more disturbed. The draws are the same each time. */
static void set_urgencies(packer *p, int try)
{
    static double (*const plain[])(const item *) = {area_of, length_of, size_of};
    enum { PLAIN = sizeof(plain) / sizeof(plain[0]), DRAWS = 20 };
    double noise = try < PLAIN ? 0 : 0.1 * pow(1.5, (try - PLAIN) / DRAWS);
    for (int i = 0; i < p->large; i++) {
        item *it = &p->item[i];
        it->urgency = plain[try < PLAIN ? try : 0](it);
        if (noise > 0)
            it->urgency *=
                1 + noise * weft_unit_float(
                                weft_philox(0x77656674, (uint64_t)try, (uint64_t)i).word[0]);
    }
}

/* ---- Small items ---- */

static bool meet(const item *a, const item *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset where the item fits among those placed that it meets. */
static int64_t find_gap(const packer *p, int placed, const item *wanted)
{
    int64_t offset = 0;
    for (int i = 0; i < placed; i++) {
        const item *other = p->placed[i];
        if (!meet(wanted, other))
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

/* The large items are where they were best; returns the arena's size. */
static int64_t place_all(packer *p)
{
    int64_t top = 0;
    for (int i = 0; i < p->count; i++) {
        item *it = &p->item[i];
        it->offset = i < p->large ? p->best[i] : find_gap(p, i, it);
        insert(p, i, it);
        top = it->offset + it->bytes > top ? it->offset + it->bytes : top;
    }
    return top;
}

/* ---- All ---- */

static int by_size(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return (x->interval > y->interval) - (x->interval < y->interval);
}

static int by_first(const void *a, const void *b)
{
    const item *x = a, *y = b;
    return x->first != y->first ? (x->first > y->first ? 1 : -1) : by_size(a, b);
}

static int64_t bound_of(const packer *p, int64_t *live)
{
    int64_t bound = 0, now = 0;
    for (int i = 0; i < p->count; i++) {
        live[p->item[i].first] += p->item[i].bytes;
        live[p->item[i].last + 1] -= p->item[i].bytes;
    }
    for (int s = 0; s < p->steps; s++) {
        now += live[s];
        bound = now > bound ? now : bound;
    }
    return bound;
}

static void pack(packer *p, weft_packing *packing)
{
    qsort(p->item, (size_t)p->count, sizeof(item), by_size);
    while (p->large < p->count && p->item[p->large].bytes > packing->bound / SMALL)
        p->large++;
    qsort(p->item, (size_t)p->large, sizeof(item), by_first);
    int64_t least = INT64_MAX, work = (int64_t)p->large * p->large / 4 + 1;
    for (int t = 0; t < TRIES && t * work < WORK && least > packing->bound; t++) {
        set_urgencies(p, t);
        int64_t bytes = place_large(p, least);
        for (int i = 0; i < p->large && bytes < least; i++)
            p->best[i] = p->item[i].offset;
        least = bytes < least ? bytes : least;
    }
    packing->bytes = place_all(p);
}

static void pack_apart(packer *p, weft_packing *packing)
{
    for (int i = 0; i < p->count; i++) {
        p->item[i].offset = packing->bytes;
        packing->bytes += p->item[i].bytes;
    }
}

bool weft_pack(weft_context *context, weft_interval *interval, int count, bool apart,
               weft_packing *packing)
{
    *packing = (weft_packing){0};
    if (count == 0)
        return true;
    weft_pool pool = weft_pool_begin(context);
    packer p = {.count = count};
    for (int i = 0; i < count; i++)
        p.steps = interval[i].last >= p.steps ? interval[i].last + 1 : p.steps;
    int64_t *live = weft_pool_array(&pool, (size_t)p.steps + 1, sizeof(int64_t));
    p.item = weft_pool_array(&pool, (size_t)count, sizeof(item));
    p.placed = weft_pool_array(&pool, (size_t)count, sizeof(item *));
    p.best = weft_pool_array(&pool, (size_t)count, sizeof(int64_t));
    p.segment = weft_pool_array(&pool, 2 * (size_t)count + 3, sizeof(segment));
    bool good = live && p.item && p.placed && p.best && p.segment;
    if (good) {
        for (int i = 0; i < count; i++)
            p.item[i] = (item){.interval = &interval[i],
                               .first = interval[i].first,
                               .last = interval[i].last,
                               .bytes = weft_aligned(interval[i].bytes)};
        packing->bound = bound_of(&p, live);
        (apart ? pack_apart : pack)(&p, packing);
        for (int i = 0; i < count; i++)
            p.item[i].interval->offset = p.item[i].offset;
    }
    weft_pool_release(&pool);
    return good;
}
