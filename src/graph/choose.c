#include "graph/choose.h"

#include "base/error.h"
#include "graph/measure.h"
#include "graph/wisdom.h"

#include <math.h>

/* Not measured: what the model takes for so many times as slow as the best. */
static const double hopeless = 3;

/* Every algorithm is measured that often, all in turn: what disturbs meets them all. */
enum { SWEEPS = 2 };

/* Moves the plans that are worth measuring to the front; returns their number. */
static int drop_hopeless(weft_kernel_plan *plan, int plans)
{
    double least = plan[0].cycles;
    int kept = 0;
    for (int i = 1; i < plans; i++)
        least = plan[i].cycles < least ? plan[i].cycles : least;
    for (int i = 0; i < plans; i++)
        if (plan[i].cycles <= hopeless * least)
            plan[kept++] = plan[i];
    return kept;
}

/* Measures, and remembers the winner; *algorithm stays NULL where there is no choice. */
static weft_status measure(const weft_ir *ir, const weft_convolution_problem *problem,
                           weft_convolution_pass pass, uint64_t key, const char **algorithm)
{
    weft_wisdom *wisdom = ir->options->wisdom;
    weft_kernel_plan plan[WEFT_CONVOLUTION_ALGORITHMS];
    int plans = drop_hopeless(plan, weft_convolution_plans(problem, pass, plan));
    if (plans < 2)
        return WEFT_OK;
    if (!weft_wisdom_reserve(wisdom, 1))
        return weft_out_of_memory(ir->error, sizeof(weft_wisdom_entry));
    int64_t floats[4];
    int operands = weft_convolution_operands(problem, pass, floats), winner = 0;
    double fastest[WEFT_CONVOLUTION_ALGORITHMS];
    for (int i = 0; i < plans; i++)
        fastest[i] = INFINITY;
    for (int sweep = 0; sweep < SWEEPS; sweep++)
        for (int i = 0; i < plans; i++)
            WEFT_TRY(weft_measure(ir, &plan[i], floats, operands, problem->steady_filter,
                                  wisdom->seconds, &fastest[i]));
    for (int i = 1; i < plans; i++)
        winner = fastest[i] < fastest[winner] ? i : winner;
    *algorithm = plan[winner].algorithm;
    weft_wisdom_add(wisdom, (weft_wisdom_entry){key, *algorithm, (int64_t)(fastest[winner] * 1e9)});
    return WEFT_OK;
}

weft_status weft_choose_convolution(const weft_ir *ir, const weft_convolution_problem *problem,
                                    weft_convolution_pass pass, const char **algorithm)
{
    weft_wisdom *wisdom = ir->options->wisdom;
    *algorithm = NULL;
    if (!wisdom)
        return WEFT_OK;
    weft_convolution_problem alone = *problem;
    alone.epilogue = NULL;
    alone.prologue = NULL;
    uint64_t key = weft_convolution_hash(&alone, pass, wisdom->machine);
    weft_status status = WEFT_OK;
    pthread_mutex_lock(&wisdom->lock);
    const weft_wisdom_entry *known = weft_wisdom_find(wisdom, key);
    if (known)
        *algorithm = known->algorithm;
    else if (ir->options->measure)
        status = measure(ir, &alone, pass, key, algorithm);
    pthread_mutex_unlock(&wisdom->lock);
    return status;
}
