/* Elementwise ops share everything but a formula: their attributes say which one of kernels/map.h they
 * compute. An op's file has its builder, gradient rule and samples. */
#ifndef WEFT_OPS_MAP_H
#define WEFT_OPS_MAP_H

#include "kernels/map.h"
#include "weft/op.h"

typedef struct weft_map_attributes {
    int32_t function; /* weft_map_function */
    int32_t unused;
    double a, b;
} weft_map_attributes;

/* Applies the op to as many inputs as the function has. name may be NULL. */
weft_value weft_map_apply(const weft_op *op, weft_map_function function, double a, double b,
                          const char *name, const weft_value *input);
/* The same of a function of two that has no parameters. */
weft_value weft_map_apply_two(const weft_op *op, weft_map_function function, weft_value x,
                              weft_value y);

/* Appends a map to what replaces a node (graph/fusion.h): of operands by their numbers, as many as the function has.
 * The result is output `as` of the node, or where that is -1 a new value with the extents of `like`; *result is its
 * number. */
struct weft_expansion;
weft_status weft_map_expand(struct weft_expansion *expansion, const weft_op *op,
                            weft_map_function function, const int *operand, int as,
                            const weft_tensor *like, int *result);

/* Shape rules: all inputs have one shape; all inputs are broadcast to each other's. All are real. */
bool weft_map_infer_equal(weft_infer *infer);
bool weft_map_infer_broadcast(weft_infer *infer);

void weft_map_run_f64(const weft_operands *operands);
bool weft_map_bind_op(weft_bind *bind);
bool weft_map_of(const void *attributes, weft_map *map);
void weft_map_cost(const weft_bind *bind, weft_cost *cost);

/* What all elementwise ops of real operands have in their descriptors. */
#define WEFT_MAP_OP(arity) WEFT_MAP_OP_FLAGS(arity, 0)
#define WEFT_MAP_OP_FLAGS(arity, more_flags)                                                       \
    .min_inputs = (arity), .max_inputs = (arity), .outputs = 1,                                    \
    .flags = WEFT_OP_STRIDED_INPUTS | WEFT_OP_STRIDED_OUTPUTS | (more_flags),                      \
    .in_place = (1u << (arity)) - 1, .run_f64 = weft_map_run_f64, .bind = weft_map_bind_op,        \
    .map = weft_map_of, .cost = weft_map_cost

/* Defines a label that shows a and b by a format. */
#define WEFT_MAP_LABEL(name, format)                                                               \
    static void name(const void *attributes, char *text, size_t size)                              \
    {                                                                                              \
        weft_map_label(format, attributes, text, size);                                            \
    }
void weft_map_label(const char *format, const void *attributes, char *text, size_t size);

/* A case for op tests: build applied to one input of three random shapes; false past the last. */
bool weft_map_sample_unary(weft_sampler *sampler, int index, weft_value (*build)(weft_value),
                           weft_sample_kind kind);

#endif
