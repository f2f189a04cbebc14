/* Learning rates of schedules that PyTorch has, from a rate of 2. */
#include "parity.h"

static const weft_schedule exponential = {
    .kind = WEFT_SCHEDULE_EXPONENTIAL, .rate = 2, .factor = 0.9, .every = 1};
static const weft_schedule steps = {
    .kind = WEFT_SCHEDULE_STEPS, .rate = 1, .factor = 0.5, .every = 7};

/* LinearLR has its full rate one step after its last iteration, from which a warm-up counts. */
#define LINEAR .warmup = 9, .warmup_from = 0.25 - 0.75 / 8

const parity_schedule parity_schedule_cases[] = {
    {"steps",
     {.kind = WEFT_SCHEDULE_STEPS, .rate = 2, .factor = 0.5, .every = 7},
     "StepLR(o, 7, 0.5)"},
    {"milestones",
     {.kind = WEFT_SCHEDULE_STEPS, .rate = 2, .factor = 0.3, .milestone = {5, 12, 30}},
     "MultiStepLR(o, [5, 12, 30], 0.3)"},
    {"exponential",
     {.kind = WEFT_SCHEDULE_EXPONENTIAL, .rate = 2, .factor = 0.9},
     "ExponentialLR(o, 0.9)"},
    {"cosine",
     {.kind = WEFT_SCHEDULE_COSINE, .rate = 2, .floor = 0.125, .steps = PARITY_RATES},
     "CosineAnnealingLR(o, len(rates), 0.125)"},
    {"cosine with restarts",
     {.kind = WEFT_SCHEDULE_COSINE_RESTARTS, .rate = 2, .floor = 0.125, .every = 5, .growth = 2},
     "CosineAnnealingWarmRestarts(o, 5, 2, 0.125)"},
    {"inverse time",
     {.kind = WEFT_SCHEDULE_INVERSE_TIME, .rate = 2, .factor = 0.5, .every = 10},
     "LambdaLR(o, lambda step: 1 / (1 + 0.5 * step / 10))"},
    {"polynomial",
     {.kind = WEFT_SCHEDULE_POLYNOMIAL, .rate = 2, .power = 2, .steps = 30},
     "PolynomialLR(o, 30, 2)"},
    {"one cycle",
     {.kind = WEFT_SCHEDULE_ONE_CYCLE, .rate = 2, .steps = PARITY_RATES},
     "OneCycleLR(o, 2, len(rates))"},
    {"warm-up", {.rate = 2, LINEAR}, "LinearLR(o, 0.25, total_iters=8)"},
    {"one after the other",
     {.rate = 2, LINEAR, .until = 12, .then = &exponential},
     "SequentialLR(o, [LinearLR(o, 0.25, total_iters=8), ExponentialLR(o, 0.9)], [12])"},
    {"product",
     {.kind = WEFT_SCHEDULE_EXPONENTIAL, .rate = 2, .factor = 0.9, .times = &steps},
     "ChainedScheduler([ExponentialLR(o, 0.9), StepLR(o, 7, 0.5)])"},
    {"plateau",
     {.rate = 2},
     "ReduceLROnPlateau(o, factor=0.5, patience=2, cooldown=1, threshold=0.05, min_lr=0.0625)",
     &(const weft_plateau){
         .factor = 0.5, .patience = 2, .cooldown = 1, .threshold = 0.05, .floor = 0.03125}},
    {"plateau of a score",
     {.rate = 2},
     "ReduceLROnPlateau(o, 'max', patience=1, threshold=0.5, threshold_mode='abs', eps=0)",
     &(const weft_plateau){.patience = 1, .threshold = 0.5, .absolute = true, .maximize = true}},
    {0},
};
