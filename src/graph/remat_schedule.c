/* From what is dropped to a schedule. The steps run in their order; before one that reads what is not there, those
 * run again that make it, and what they need, in their order too. */
#include "graph/remat.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

enum { LONGEST = 4 }; /* a schedule has at most so many times the steps */

static uint64_t bit(int access)
{
    return access < WEFT_REMAT_MASK ? (uint64_t)1 << access : 0;
}

weft_status weft_remat_schedule_begin(const weft_remat_model *model, weft_remat_schedule *schedule)
{
    weft_pool *pool = &model->ir->scratch;
    size_t steps = (size_t)model->steps, storages = (size_t)model->storages;
    size_t capacity = LONGEST * steps, lives = storages + 2 * capacity;
    *schedule = (weft_remat_schedule){
        .model = model, .capacity = (int)capacity, .life_capacity = (int)lives};
    schedule->position = weft_pool_array(pool, capacity, sizeof(*schedule->position));
    schedule->sunk = weft_pool_array(pool, capacity, sizeof(*schedule->sunk));
    schedule->live = weft_pool_array(pool, capacity + 2, sizeof(int64_t));
    schedule->place = weft_pool_array(pool, steps, sizeof(int));
    schedule->present = weft_pool_array(pool, storages, sizeof(uint64_t));
    schedule->missing = weft_pool_array(pool, storages, sizeof(uint64_t));
    schedule->marked_step = weft_pool_array(pool, steps, sizeof(int));
    schedule->marked_storage = weft_pool_array(pool, storages, sizeof(int));
    schedule->batch = weft_pool_array(pool, steps, sizeof(int));
    schedule->stack = weft_pool_array(pool, model->parts + 1, sizeof(int));
    schedule->life = weft_pool_array(pool, storages, sizeof(int));
    schedule->after = weft_pool_array(pool, steps, sizeof(int));
    schedule->made = weft_pool_array(pool, storages, sizeof(int));
    schedule->life_of = weft_pool_array(pool, lives, sizeof(*schedule->life_of));
    bool good = schedule->position && schedule->sunk && schedule->live && schedule->place &&
                schedule->present && schedule->missing && schedule->marked_step &&
                schedule->marked_storage && schedule->batch && schedule->stack && schedule->life &&
                schedule->after && schedule->made && schedule->life_of;
    return good ? WEFT_OK : weft_ir_out_of_memory(model->ir);
}

/* ---- What runs again ---- */

static void need(weft_remat_schedule *s, const weft_remat_access *access, int *stacked)
{
    int storage = access->storage;
    if (s->model->storage[storage].pinned)
        return;
    if (s->marked_storage[storage] != s->mark)
        s->missing[storage] = 0;
    uint64_t missing = access->parts & ~s->present[storage] & ~s->missing[storage];
    s->marked_storage[storage] = s->mark;
    s->missing[storage] |= missing;
    for (int w = 0; missing; w++, missing >>= 1)
        if (missing & 1)
            s->stack[(*stacked)++] = s->model->storage[storage].writer[w];
}

/* Collects the steps on the stack and all that they need. */
static void collect_batch(weft_remat_schedule *s, int stacked)
{
    s->batches = 0;
    while (stacked) {
        int index = s->stack[--stacked];
        const weft_remat_step *step = &s->model->step[index];
        if (s->marked_step[index] == s->mark)
            continue;
        s->marked_step[index] = s->mark;
        int at = s->batches++;
        for (; at > 0 && s->batch[at - 1] > index; at--)
            s->batch[at] = s->batch[at - 1];
        s->batch[at] = index;
        for (int a = 0; a < step->accesses; a++)
            need(s, &step->access[a], &stacked);
    }
}

static bool append(weft_remat_schedule *s, weft_remat_position position)
{
    if (s->positions == s->capacity)
        return false;
    s->position[s->positions++] = position;
    return true;
}

/* The use after `now` (a step), or -1. */
static int next_use(const weft_remat_storage *storage, int now)
{
    for (int u = 0; u < storage->uses; u++)
        if (storage->use[u] >= now)
            return u;
    return -1;
}

static bool is_lazy(uint8_t level)
{
    return level >= WEFT_REMAT_DROP_LAZY;
}

/* Runs the batch for step `now`, which reads it. What others than this step read is there afterwards, too, unless
 * it is lazy. */
static bool run_batch(weft_remat_schedule *s, const uint8_t *level, int now)
{
    const weft_remat_model *model = s->model;
    const weft_remat_step *reader = &model->step[now];
    for (int b = 0; b < s->batches; b++) {
        const weft_remat_step *step = &model->step[s->batch[b]];
        weft_remat_position position = {.step = s->batch[b], .again = true};
        for (int a = 0; a < step->accesses; a++) {
            int storage = step->access[a].storage;
            uint64_t own = step->access[a].own;
            if (!(step->writes & bit(a)) || model->storage[storage].pinned)
                continue;
            bool wanted = s->marked_storage[storage] == s->mark && s->missing[storage] & own;
            if (!s->present[storage] && !wanted && model->storage[storage].writers > 1) {
                position.dummies |= bit(a);
                continue;
            }
            if (!s->present[storage]) {
                position.creates |= bit(a);
                s->made[s->mades++] = storage;
            }
            s->present[storage] |= own;
        }
        s->cost += step->cost;
        if (!append(s, position))
            return false;
    }
    for (int m = 0; m < s->mades; m++) {
        int storage = s->made[m];
        bool read_now = false;
        for (int a = 0; a < reader->accesses; a++)
            read_now |= reader->access[a].storage == storage;
        if (!read_now && (is_lazy(level[storage]) || next_use(&model->storage[storage], now) < 0))
            s->present[storage] = 0;
    }
    return true;
}

/* True where nobody needs the storage after this use, or it is dropped. */
static bool ends_at(const weft_remat_storage *storage, int use, uint8_t level)
{
    if (storage->pinned)
        return false;
    if (use + 1 == storage->uses)
        return true;
    for (int g = 0; g < storage->gaps && g < weft_remat_dropped_gaps(level); g++)
        if (storage->gap[g] == use)
            return true;
    return false;
}

static bool run_step(weft_remat_schedule *s, const uint8_t *level, int index)
{
    const weft_remat_step *step = &s->model->step[index];
    weft_remat_position position = {.step = index};
    int stacked = 0;
    s->mark++;
    s->mades = 0;
    for (int a = 0; a < step->accesses; a++) {
        const weft_remat_access *access = &step->access[a];
        need(s, access, &stacked);
        if (access->use == 0)
            position.creates |= bit(a);
    }
    if (stacked) {
        collect_batch(s, stacked);
        if (!run_batch(s, level, index))
            return false;
    }
    s->place[index] = s->positions;
    if (!append(s, position))
        return false;
    for (int a = 0; a < step->accesses; a++) {
        const weft_remat_access *access = &step->access[a];
        s->present[access->storage] |= access->own;
        if (ends_at(&s->model->storage[access->storage], access->use, level[access->storage]))
            s->present[access->storage] = 0;
    }
    return true;
}

/* ---- Changes of variables ---- */

static int late_writer(const weft_remat_schedule *s, int variable)
{
    return s->model->storage[variable].late_writer;
}

/* For each step that changes variables, finds the last position at which one of them is read again, and marks
 * the step where that is later; true where there is any. */
static bool find_late_reads(weft_remat_schedule *s)
{
    bool late = false;
    memset(s->after, -1, (size_t)s->model->steps * sizeof(int));
    for (int p = 0; p < s->positions; p++) {
        const weft_remat_step *step = &s->model->step[s->position[p].step];
        for (int v = 0; s->position[p].again && v < step->variables; v++) {
            int writer = late_writer(s, step->variable[v]);
            if (writer < 0 || s->place[writer] > p)
                continue;
            s->after[writer] = p;
            s->position[s->place[writer]].moves = late = true;
        }
    }
    return late;
}

/* Moves steps that change variables behind the last step that reads them. */
static void sink_writers(weft_remat_schedule *s)
{
    int count = 0;
    if (!find_late_reads(s))
        return;
    for (int p = 0; p < s->positions; p++) {
        const weft_remat_step *step = &s->model->step[s->position[p].step];
        if (!s->position[p].moves)
            s->sunk[count++] = s->position[p];
        for (int v = 0; s->position[p].again && v < step->variables; v++) {
            int writer = late_writer(s, step->variable[v]);
            if (writer < 0 || s->after[writer] != p)
                continue;
            s->sunk[count++] = s->position[s->place[writer]];
            s->after[writer] = -1; /* once */
        }
    }
    memcpy(s->position, s->sunk, (size_t)count * sizeof(*s->position));
}

/* ---- Lives ---- */

static bool find_lives(weft_remat_schedule *s)
{
    s->lives = 0;
    for (int p = 0; p < s->positions; p++) {
        const weft_remat_position *position = &s->position[p];
        const weft_remat_step *step = &s->model->step[position->step];
        if (!position->again)
            s->place[position->step] = p;
        for (int a = 0; a < step->accesses; a++) {
            int storage = step->access[a].storage;
            bool dummy = a < WEFT_REMAT_MASK && position->dummies & bit(a);
            bool first =
                a < WEFT_REMAT_MASK ? position->creates & bit(a) : step->access[a].use == 0;
            if (dummy || first) {
                if (s->lives == s->life_capacity)
                    return false;
                if (!dummy)
                    s->life[storage] = s->lives;
                s->life_of[s->lives++] = (weft_remat_life){storage, p, p, dummy};
            }
            if (!dummy)
                s->life_of[s->life[storage]].last = p;
        }
    }
    for (int i = 0; i < s->model->storages; i++)
        if (s->model->storage[i].lasts)
            s->life_of[s->life[i]].last = s->positions;
    return true;
}

/* Bytes of an output that takes an input's place. */
static int64_t saved_in_place(const weft_remat_schedule *s, int p)
{
    const weft_remat_position *position = &s->position[p];
    const weft_remat_step *step = &s->model->step[position->step];
    if (step->written < 0 || step->written >= WEFT_REMAT_MASK ||
        !(position->creates & bit(step->written)))
        return 0;
    for (int o = 0; o < step->overs; o++) {
        int storage = step->access[step->over[o]].storage;
        const weft_remat_life *life = &s->life_of[s->life[storage]];
        if (life->first < p && life->last == p)
            return s->model->storage[storage].bytes;
    }
    return 0;
}

static void find_peak(weft_remat_schedule *s)
{
    const weft_remat_model *model = s->model;
    memset(s->live, 0, (size_t)(s->positions + 2) * sizeof(int64_t));
    for (int i = 0; i < s->lives; i++) {
        const weft_remat_life *life = &s->life_of[i];
        s->live[life->first] += model->storage[life->storage].bytes;
        s->live[life->last + 1] -= model->storage[life->storage].bytes;
    }
    int64_t live = 0;
    s->peak = 0;
    for (int p = 0, next = 0; p < s->positions; p++) {
        for (; next < s->lives && s->life_of[next].first == p; next++)
            if (!s->life_of[next].dummy)
                s->life[s->life_of[next].storage] = next;
        live += s->live[p];
        s->live[p] = live + model->step[s->position[p].step].workspace - saved_in_place(s, p);
        s->peak = s->live[p] > s->peak ? s->live[p] : s->peak;
    }
}

void weft_remat_schedule_make(weft_remat_schedule *s, const uint8_t *level)
{
    bool good = true;
    s->positions = 0;
    s->cost = 0;
    memset(s->present, 0, (size_t)s->model->storages * sizeof(uint64_t));
    for (int i = 0; i < s->model->steps && good; i++)
        good = run_step(s, level, i);
    if (good) {
        sink_writers(s);
        good = find_lives(s);
    }
    if (good) {
        find_peak(s);
    } else {
        s->peak = INT64_MAX;
        s->cost = INFINITY;
    }
}
