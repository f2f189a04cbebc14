/* Cuts the batch into parts. Every node runs for each part, but those that need something of all parts at once: these
 * come after the last part, once. In between are means over the parts, so that a program of parts gives what that of the
 * whole batch would as long as all that it reduces over images are means; what does not is refused:
 *
 *     an op that looks at several images together         unless it may, of the images of a part
 *     a sum, or anything but a mean, over images          a part's would be another part of it
 *     a function of a mean that images depend on again    they would need the mean of all parts first */
#include "graph/micro_batch.h"

#include "base/error.h"
#include "graph/executes.h"
#include "graph/node.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What a value is, when a part runs. A gradient is that of a mean over images: of a part's mean it is as many times
 * larger as there are parts, for each image. */
typedef enum kind {
    SAME = 0, /* for all parts */
    STATISTICS, /* of the part, by an op that may look at its images together, and what follows from them */
    IMAGES,         /* of the part */
    MEAN,           /* over the part's images */
    IMAGE_GRADIENT, /* for each image of the part */
    GRADIENT,       /* from all images of the part */
    OTHER,          /* of the part's images, but no mean */
    AFTER           /* made once, after all parts */
} kind;

typedef struct cutter {
    weft_ir *ir;
    kind *kind; /* of each value */
} cutter;

static weft_status refuse(const cutter *c, const weft_ir_node *node, const char *format, ...)
    WEFT_PRINTF(3, 4);

static weft_status refuse(const cutter *c, const weft_ir_node *node, const char *format, ...)
{
    char reason[160];
    va_list list;
    va_start(list, format);
    vsnprintf(reason, sizeof(reason), format, list);
    va_end(list);
    return weft_error_set(c->ir->error, WEFT_ERROR_UNSUPPORTED,
                          "compile: no micro-batches with %s \"%s\": %s", node->op->name,
                          node->name, reason);
}

/* ---- Shapes ---- */

static weft_shape shape_of(const cutter *c, int value)
{
    const weft_ir_value *v = &c->ir->value[value];
    return weft_node_get(c->ir->graph, v->graph_node)->shape[v->graph_output];
}

static bool has_batch(weft_shape shape)
{
    for (int d = 0; d < shape.rank; d++)
        if (shape.extent[d] < 0)
            return true;
    return false;
}

/* True where the first extent counts the batch, and no other does. */
static bool is_batch_first(weft_shape shape)
{
    for (int d = 1; d < shape.rank; d++)
        if (shape.extent[d] < 0)
            return false;
    return shape.rank > 0 && shape.extent[0] < 0;
}

/* ---- What a node reads ---- */

static bool reads(const cutter *c, const weft_ir_node *node, kind wanted)
{
    for (int k = 0; k < node->inputs; k++)
        if (weft_ir_reads(node, k) && c->kind[node->input[k]] == wanted)
            return true;
    return false;
}

/* Also where it asks for their number only. */
static bool depends_on_images(const cutter *c, const weft_ir_node *node)
{
    for (int k = 0; k < node->inputs; k++)
        if (has_batch(shape_of(c, node->input[k])))
            return true;
    return false;
}

static bool is_backward(const cutter *c, const weft_ir_node *node)
{
    return weft_node_get(c->ir->graph, node->graph_node)->backward;
}

/* True for a forward node that looks at several of the images of its first input together, or makes several together
 * of what is none. */
static bool mixes(const cutter *c, const weft_ir_node *node)
{
    enum { MOST_OPERANDS = 16 };
    weft_tensor tensors[MOST_OPERANDS];
    if (!node->op->mixes || is_backward(c, node) || node->inputs + node->outputs > MOST_OPERANDS)
        return false;
    bool makes = !reads(c, node, IMAGES) && has_batch(shape_of(c, node->output[0]));
    if (c->kind[node->input[0]] != IMAGES && !makes)
        return false;
    weft_bind bind = weft_ir_operands(c->ir, node, tensors);
    return node->op->mixes(&bind);
}

/* ---- Kinds ---- */

static weft_status check_input(const cutter *c, const weft_ir_node *node)
{
    const weft_compile_options *options = c->ir->options;
    weft_shape shape = shape_of(c, node->output[0]);
    for (int i = 0; i < options->extent_count; i++)
        if (options->extents[i].input.node == node->graph_node)
            shape = options->extents[i].shape;
    if (has_batch(shape_of(c, node->output[0])) && !is_batch_first(shape))
        return refuse(c, node, "the batch is not its first extent, or was given a fixed one");
    return WEFT_OK;
}

/* One output of a forward node that has images. */
static weft_status check_images(const cutter *c, const weft_ir_node *node, weft_shape shape)
{
    if (!is_batch_first(shape))
        return refuse(c, node, "the batch is not its first extent");
    for (int k = 0; k < node->inputs; k++) {
        weft_shape from = shape_of(c, node->input[k]);
        if (!weft_ir_reads(node, k) || !has_batch(from) || from.extent[0] == shape.extent[0])
            continue;
        if (!node->op->view || weft_shape_elements(from) != weft_shape_elements(shape))
            return refuse(c, node, "it changes how many there are of a batch");
    }
    return WEFT_OK;
}

/* A forward value that is not one for each image. */
static kind kind_of_reduced(const cutter *c, const weft_ir_node *node)
{
    if (reads(c, node, OTHER) || (depends_on_images(c, node) && !(node->op->flags & WEFT_OP_MEAN)))
        return OTHER;
    if (depends_on_images(c, node) || reads(c, node, MEAN))
        return MEAN;
    return reads(c, node, STATISTICS) ? STATISTICS : SAME;
}

static weft_status check_mixes(const cutter *c, const weft_ir_node *node)
{
    if (c->ir->options->micro_batching != WEFT_MICRO_BATCHES_MIXED && mixes(c, node))
        return refuse(c, node,
                      "it looks at all images together (WEFT_MICRO_BATCHES_MIXED lets it look at "
                      "those of a part)");
    return WEFT_OK;
}

/* A forward node that does not run, as only gradients of it are asked for. */
static weft_status classify_gone(cutter *c, const weft_ir_node *node)
{
    WEFT_TRY(check_mixes(c, node));
    for (int k = 0; k < node->outputs && !is_backward(c, node) && !weft_is_leaf(node->op); k++)
        c->kind[node->output[k]] =
            has_batch(shape_of(c, node->output[k])) ? IMAGES : kind_of_reduced(c, node);
    return WEFT_OK;
}

static weft_status classify_output(cutter *c, const weft_ir_node *node, int value)
{
    weft_shape shape = shape_of(c, value);
    bool images = reads(c, node, IMAGES), gradients = reads(c, node, IMAGE_GRADIENT);
    bool means = reads(c, node, MEAN) || reads(c, node, GRADIENT), backward = is_backward(c, node);
    kind *to = &c->kind[value];
    if (has_batch(shape)) {
        /* A gradient comes to the images as one number for all. */
        bool enters = backward && !images && !gradients;
        *to = gradients || enters ? IMAGE_GRADIENT : IMAGES;
        if (means)
            return refuse(c, node, "images depend on what is known after all of them only");
        return backward ? WEFT_OK : check_images(c, node, shape);
    }
    if (node->op->mixes && has_batch(shape_of(c, node->output[0]))) {
        *to = STATISTICS;
    } else if (!backward) {
        *to = kind_of_reduced(c, node);
        if (*to == OTHER)
            return refuse(c, node, "of the batch it is not a mean");
    } else {
        *to = images || gradients || means ? GRADIENT : SAME;
        if (images && !gradients)
            return refuse(c, node, "it is the gradient of something else than a mean");
    }
    return WEFT_OK;
}

/* Functions of means that are not means themselves, what reads gradients to use them, and what writes a variable, unless
 * each part has its say. */
static bool comes_after(const cutter *c, const weft_ir_node *node)
{
    return (node->op->writes && !reads(c, node, STATISTICS)) || reads(c, node, AFTER) ||
           (reads(c, node, MEAN) && !(node->op->flags & WEFT_OP_AFFINE)) ||
           (reads(c, node, GRADIENT) &&
            !(is_backward(c, node) && node->op->flags & WEFT_OP_AFFINE));
}

static weft_status classify_after(cutter *c, weft_ir_node *node)
{
    node->after = true;
    if (depends_on_images(c, node))
        return refuse(c, node, "it reads images beside what is known after all of them only");
    for (int k = 0; k < node->outputs; k++) {
        if (has_batch(shape_of(c, node->output[k])))
            return refuse(c, node, "images depend on what is known after all of them only");
        c->kind[node->output[k]] = AFTER;
    }
    return WEFT_OK;
}

static weft_status classify(cutter *c, weft_ir_node *node)
{
    if (node->op == &weft_input_op) {
        WEFT_TRY(check_input(c, node));
        c->kind[node->output[0]] = has_batch(shape_of(c, node->output[0])) ? IMAGES : SAME;
        return WEFT_OK;
    }
    if (weft_is_leaf(node->op))
        return WEFT_OK;
    if (comes_after(c, node))
        return classify_after(c, node);
    WEFT_TRY(check_mixes(c, node));
    /* Where gradients begin they have the shape of what they are of. */
    if (is_backward(c, node) && node->op == &weft_fill_op && c->kind[node->input[0]] == OTHER)
        return refuse(c, &c->ir->node[c->ir->value[node->input[0]].producer],
                      "of the batch it is not a mean");
    if (!is_backward(c, node) && reads(c, node, IMAGE_GRADIENT))
        return refuse(c, node, "it uses the gradient for each image");
    for (int k = 0; k < node->outputs; k++)
        if (c->ir->value[node->output[k]].needed || c->ir->value[node->output[k]].fetched)
            WEFT_TRY(classify_output(c, node, node->output[k]));
    return WEFT_OK;
}

/* ---- Variables ---- */

static bool parts_write(const weft_ir *ir, int variable)
{
    for (int i = 0; i < ir->nodes; i++)
        for (int k = 0; !ir->node[i].gone && !ir->node[i].after && k < ir->node[i].inputs; k++)
            if (weft_ir_writes(&ir->node[i], k) && ir->node[i].input[k] == variable)
                return true;
    return false;
}

static bool reads_any(const weft_ir_node *node, const bool *value)
{
    for (int k = 0; k < node->inputs; k++)
        if (weft_ir_reads(node, k) && value[node->input[k]])
            return true;
    return false;
}

/* A variable that parts write, and what is computed from it, is another one for each part, so that nothing that is there
 * once can be made of it. What the last part leaves is weft_updated. */
static weft_status check_variables(const cutter *c)
{
    const weft_ir *ir = c->ir;
    bool *changes = weft_pool_array(&c->ir->scratch, (size_t)ir->values, sizeof(bool));
    if (!changes)
        return weft_ir_out_of_memory(c->ir);
    for (int i = 0; i < ir->nodes; i++) {
        const weft_ir_node *node = &ir->node[i];
        bool changed = !node->gone && reads_any(node, changes);
        if (node->after && changed)
            return refuse(c, node, "it reads a variable that each part changes");
        for (int k = 0; k < node->outputs && !node->op->writes && !node->op->mixes; k++) {
            int value = node->output[k];
            changed &= c->kind[value] <= STATISTICS;
            changes[value] = changed || (node->op == &weft_variable_op && parts_write(ir, value));
            if (changed && ir->value[value].fetched)
                return refuse(c, node, "of a fetch, it reads a variable that each part changes");
        }
    }
    return WEFT_OK;
}

/* ---- What lies in between ---- */

static bool is_wanted_after(const cutter *c, int value)
{
    const weft_ir *ir = c->ir;
    if (ir->value[value].fetched)
        return true;
    for (int i = 0; i < ir->nodes; i++)
        for (int k = 0; ir->node[i].after && !ir->node[i].gone && k < ir->node[i].inputs; k++)
            if (ir->node[i].input[k] == value && weft_ir_reads(&ir->node[i], k))
                return true;
    return false;
}

/* Appends a node that is found in place of the value; returns what it makes, -1: no memory. */
static int append(cutter *c, const weft_op *op, int value, double factor)
{
    weft_ir *ir = c->ir;
    weft_micro_batch_attributes *attributes = weft_pool_allocate(ir->keep, sizeof(*attributes));
    int made =
        attributes ? weft_ir_append(ir, op, &ir->node[ir->value[value].producer], value) : -1;
    if (made < 0)
        return -1;
    *attributes = (weft_micro_batch_attributes){ir->micro_batches, factor};
    weft_ir_node *node = &ir->node[ir->value[made].producer];
    node->attributes = attributes;
    node->attribute_bytes = sizeof(*attributes);
    ir->value[made].fetched = ir->value[value].fetched;
    ir->value[value].fetched = false;
    ir->value[value].graph_node = -1;
    return made;
}

static weft_status take_mean(cutter *c, int value)
{
    weft_ir *ir = c->ir;
    const weft_ir_node *producer = &ir->node[ir->value[value].producer];
    if (ir->value[value].tensor.dtype != ir->real)
        return refuse(c, producer, "what is fetched of it has no mean, as it is not real");
    int mean = append(c, &weft_micro_batch_mean_op, value, 1);
    if (mean < 0)
        return weft_ir_out_of_memory(ir);
    for (int i = 0; i < ir->nodes; i++)
        for (int k = 0; ir->node[i].after && k < ir->node[i].inputs; k++)
            if (ir->node[i].input[k] == value)
                ir->node[i].input[k] = mean;
    return WEFT_OK;
}

static weft_status join_parts(cutter *c, int value)
{
    weft_ir *ir = c->ir;
    bool gradient = c->kind[value] == IMAGE_GRADIENT;
    int joined =
        append(c, &weft_micro_batch_join_op, value, gradient ? 1.0 / ir->micro_batches : 1);
    if (joined < 0)
        return weft_ir_out_of_memory(ir);
    ir->value[joined].tensor.extent[0] *= ir->micro_batches;
    return WEFT_OK;
}

static weft_status join(cutter *c)
{
    weft_ir *ir = c->ir;
    int values = ir->values;
    WEFT_TRY(weft_ir_reserve(ir, values, values));
    for (int v = 0; v < values; v++) {
        kind of = c->kind[v];
        if (ir->node[ir->value[v].producer].gone)
            continue;
        if ((of == MEAN || of == GRADIENT) && is_wanted_after(c, v))
            WEFT_TRY(take_mean(c, v));
        if ((of == IMAGES || of == IMAGE_GRADIENT) && ir->value[v].fetched)
            WEFT_TRY(join_parts(c, v));
    }
    return WEFT_OK;
}

/* Puts what comes after all parts behind everything else, in the same order. */
static weft_status move_after(weft_ir *ir)
{
    weft_ir_node *node = weft_pool_array(&ir->scratch, (size_t)ir->node_capacity, sizeof(*node));
    int moved = 0;
    if (!node)
        return weft_ir_out_of_memory(ir);
    for (int after = 0; after < 2; after++)
        for (int i = 0; i < ir->nodes; i++)
            if (ir->node[i].after == after)
                node[moved++] = ir->node[i];
    ir->node = node;
    for (int i = 0; i < ir->nodes; i++)
        for (int k = 0; k < node[i].outputs; k++)
            ir->value[node[i].output[k]].producer = i;
    return WEFT_OK;
}

weft_status weft_pass_micro_batch(weft_ir *ir)
{
    if (ir->micro_batches < 2)
        return WEFT_OK;
    cutter c = {.ir = ir, .kind = weft_pool_array(&ir->scratch, (size_t)ir->values, sizeof(kind))};
    if (!c.kind)
        return weft_ir_out_of_memory(ir);
    for (int i = 0; i < ir->nodes; i++)
        WEFT_TRY(ir->node[i].gone ? classify_gone(&c, &ir->node[i]) : classify(&c, &ir->node[i]));
    WEFT_TRY(check_variables(&c));
    WEFT_TRY(join(&c));
    return move_after(ir);
}
