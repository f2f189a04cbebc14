#include "common/score.h"

double score_correct(const float *logits, int64_t classes, const int32_t *labels, int64_t count)
{
    int64_t correct = 0;
    for (int64_t i = 0; i < count; i++) {
        const float *row = logits + i * classes;
        int64_t best = 0;
        for (int64_t j = 1; j < classes; j++)
            if (row[j] > row[best])
                best = j;
        correct += best == labels[i];
    }
    return (double)correct;
}

double score_overlap(const float *logits, const uint8_t *masks, int64_t pixels, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t both = 0, either = 0;
        for (int64_t j = i * pixels; j < (i + 1) * pixels; j++) {
            both += logits[j] > 0 && masks[j];
            either += logits[j] > 0 || masks[j];
        }
        sum += either ? (double)both / (double)either : 1;
    }
    return sum;
}
