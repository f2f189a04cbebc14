#include "check/outcome.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

/* ---- Feeds in the program's dtype ---- */

typedef struct fed_case {
    weft_context *context;
    weft_feed *feed;
    size_t room; /* of feed */
    int count;   /* of inputs that the program reads */
    unsigned char *data;
    size_t bytes;
} fed_case;

static size_t input_element(const weft_sample_input *input, weft_dtype real)
{
    return weft_dtype_bytes(input->dtype == WEFT_REAL ? real : input->dtype);
}

static void write_input(const weft_sample_input *input, weft_dtype real, void *data)
{
    if (input->dtype != WEFT_REAL || real == WEFT_FLOAT64) {
        memcpy(data, input->data, input->bytes);
        return;
    }
    const double *from = input->data;
    float *to = data;
    for (int64_t i = 0; i < input->elements; i++)
        to[i] = (float)from[i];
}

static weft_status make_feeds(const weft_sampler *sample, const weft_program *program,
                              const weft_variant *variant, fed_case *fed, weft_error *error)
{
    *fed = (fed_case){.context = sample->context, .room = sample->inputs};
    for (size_t i = 0; i < sample->inputs; i++) {
        const weft_sample_input *input = &sample->input[i];
        fed->bytes += (size_t)weft_aligned((input->elements + 1) *
                                           (int64_t)input_element(input, variant->dtype));
    }
    fed->feed = weft_allocate_array(fed->context, fed->room, sizeof(*fed->feed));
    fed->data = weft_allocate(fed->context, fed->bytes);
    if (!fed->feed || !fed->data)
        return weft_out_of_memory(error, fed->bytes);
    size_t offset = 0;
    for (size_t i = 0; i < sample->inputs; i++) {
        const weft_sample_input *input = &sample->input[i];
        size_t element = input_element(input, variant->dtype);
        size_t bytes = (size_t)input->elements * element;
        if (!weft_program_reads(program, input->value))
            continue;
        unsigned char *data = fed->data + offset + (variant->odd_addresses ? element : 0);
        write_input(input, variant->dtype, data);
        fed->feed[fed->count++] = (weft_feed){input->value, data, bytes};
        offset += (size_t)weft_aligned((int64_t)(bytes + element));
    }
    return WEFT_OK;
}

static void release_feeds(fed_case *fed)
{
    weft_release_array(fed->context, fed->feed, fed->room, sizeof(*fed->feed));
    weft_release(fed->context, fed->data, fed->bytes);
}

/* ---- Keeping results ---- */

static weft_status keep(weft_outcome *outcome, weft_value value, const weft_tensor *tensor,
                        weft_error *error)
{
    int64_t elements = weft_tensor_elements(tensor);
    size_t bytes = weft_tensor_bytes(tensor);
    size_t offset = (size_t)weft_aligned((int64_t)outcome->bytes);
    if (!tensor->data || !weft_tensor_dense(tensor))
        return weft_error_set(error, WEFT_ERROR_INTERNAL, "\"%s\" was fetched, but is not there",
                              weft_name_get(value));
    if (!weft_grow(outcome->context, (void **)&outcome->part, &outcome->part_capacity,
                   outcome->parts + 1, sizeof(*outcome->part)) ||
        !weft_grow(outcome->context, (void **)&outcome->data, &outcome->byte_capacity,
                   offset + bytes, 1))
        return weft_out_of_memory(error, bytes);
    memcpy(outcome->data + offset, tensor->data, bytes);
    outcome->bytes = offset + bytes;
    outcome->part[outcome->parts++] = (weft_outcome_part){
        .name = weft_name_get(value),
        .dtype = tensor->dtype,
        .elements = elements,
        .offset = offset,
    };
    return WEFT_OK;
}

static weft_status keep_all(const weft_sampler *sample, const weft_value *fetch, int fetches,
                            const weft_program *program, weft_state *state, weft_outcome *outcome,
                            weft_error *error)
{
    for (int i = 0; i < fetches; i++) {
        weft_tensor tensor = weft_fetch(program, fetch[i]);
        WEFT_TRY(keep(outcome, fetch[i], &tensor, error));
    }
    weft_value variable = weft_variable_at(sample->graph, 0);
    for (int i = 0; !weft_is_null(variable); variable = weft_variable_at(sample->graph, ++i)) {
        weft_tensor tensor = weft_state_tensor(state, variable);
        WEFT_TRY(keep(outcome, variable, &tensor, error));
    }
    return WEFT_OK;
}

static weft_status run_twice(const weft_sampler *sample, weft_program *program,
                             const weft_variant *variant, weft_error *error)
{
    fed_case fed;
    weft_status status = make_feeds(sample, program, variant, &fed, error);
    for (int i = 0; i < 2 && status == WEFT_OK; i++)
        status = weft_run(program, fed.feed, fed.count, NULL, error);
    release_feeds(&fed);
    return status;
}

weft_status weft_outcome_create(const weft_sampler *sample, const weft_value *fetch, int fetches,
                                const weft_variant *variant, uint64_t seed, weft_outcome *outcome,
                                weft_error *error)
{
    *outcome = (weft_outcome){.context = sample->context};
    weft_state *state = NULL;
    weft_program *program = NULL;
    weft_state_options state_options = {.dtype = variant->dtype, .seed = seed};
    weft_compile_options options = {
        .mode = variant->mode,
        .fetch = fetch,
        .fetches = fetches,
        .threads = variant->threads,
        .without = variant->without,
        .memory_limit = variant->least_memory ? WEFT_LEAST_MEMORY : 0,
        .poison = variant->poison,
    };
    weft_status status = weft_state_create(sample->graph, &state_options, &state, error);
    if (status == WEFT_OK)
        status = weft_compile(sample->graph, state, &options, &program, error);
    if (status == WEFT_OK)
        status = weft_program_verify(program, error);
    if (status == WEFT_OK)
        status = run_twice(sample, program, variant, error);
    if (status == WEFT_OK)
        status = keep_all(sample, fetch, fetches, program, state, outcome, error);
    weft_program_destroy(program);
    weft_state_destroy(state);
    return status;
}

void weft_outcome_release(weft_outcome *outcome)
{
    weft_release_array(outcome->context, outcome->part, outcome->part_capacity,
                       sizeof(*outcome->part));
    weft_release(outcome->context, outcome->data, outcome->byte_capacity);
}

/* ---- Comparing ---- */

static const void *part_data(const weft_outcome *outcome, size_t part)
{
    return outcome->data + outcome->part[part].offset;
}

static double element_at(const weft_outcome *outcome, size_t part, int64_t index)
{
    const void *data = part_data(outcome, part);
    switch (outcome->part[part].dtype) {
    case WEFT_FLOAT32:
        return (double)((const float *)data)[index];
    case WEFT_INT32:
        return ((const int32_t *)data)[index];
    case WEFT_UINT8:
        return ((const uint8_t *)data)[index];
    default:
        return ((const double *)data)[index];
    }
}

weft_status weft_outcome_equal(const weft_outcome *a, const weft_outcome *b, weft_error *error)
{
    for (size_t p = 0; p < a->parts; p++) {
        int64_t elements = a->part[p].elements;
        size_t size = weft_dtype_bytes(a->part[p].dtype);
        const unsigned char *x = part_data(a, p), *y = part_data(b, p);
        for (int64_t i = 0; i < elements; i++)
            if (memcmp(x + (size_t)i * size, y + (size_t)i * size, size) != 0)
                return weft_error_set(error, WEFT_ERROR_INTERNAL,
                                      "bits differ: element %lld of \"%s\" (%lld elements) is %.9g "
                                      "and %.9g",
                                      (long long)i, a->part[p].name, (long long)elements,
                                      element_at(a, p, i), element_at(b, p, i));
    }
    return WEFT_OK;
}

static double part_norm(const weft_outcome *o, size_t p)
{
    double size = 0;
    for (int64_t i = 0; i < o->part[p].elements; i++)
        size += element_at(o, p, i) * element_at(o, p, i);
    return sqrt(size);
}

static double largest_norm(const weft_outcome *o)
{
    double largest = 0;
    for (size_t p = 0; p < o->parts; p++)
        largest = fmax(largest, part_norm(o, p));
    return largest;
}

/* A few numbers may all happen to be small differences of larger ones, whose rounding they have: sums over
 * what is about as large as the largest part. */
static double least_norm(const weft_outcome_part *part, double largest)
{
    return part->dtype == WEFT_FLOAT64 && part->elements < 8 ? 0.25 * largest : 0;
}

/* Norm of the difference of part p relative to its norm. */
static double part_difference(const weft_outcome *single, const weft_outcome *exact, size_t p,
                              double largest, int64_t *where)
{
    double difference = 0, worst = -1;
    for (int64_t i = 0; i < exact->part[p].elements; i++) {
        double d = element_at(single, p, i) - element_at(exact, p, i);
        difference += d * d;
        if (isnan(d) || fabs(d) > worst) {
            worst = fabs(d);
            *where = i;
        }
    }
    double norm = fmax(part_norm(exact, p), least_norm(&exact->part[p], largest));
    return difference == 0 ? 0 : sqrt(difference) / norm;
}

weft_status weft_outcome_close(const weft_outcome *single, const weft_outcome *exact,
                               double tolerance, double *worst, weft_error *error)
{
    double largest = largest_norm(exact);
    for (size_t p = 0; p < exact->parts; p++) {
        int64_t where = 0;
        double difference = part_difference(single, exact, p, largest, &where);
        bool real = exact->part[p].dtype == WEFT_FLOAT64;
        if (!(difference <= (real ? tolerance : 0)))
            return weft_error_set(error, WEFT_ERROR_NUMERIC,
                                  "\"%s\" (%lld elements) is off by %.2g of its norm (tolerance "
                                  "%.2g): element %lld is %.9g, in float64 %.12g",
                                  exact->part[p].name, (long long)exact->part[p].elements,
                                  difference, tolerance, (long long)where,
                                  element_at(single, p, where), element_at(exact, p, where));
        *worst = fmax(*worst, difference);
    }
    if (largest == 0)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT,
                              "all results are zero: nothing was checked");
    return WEFT_OK;
}
