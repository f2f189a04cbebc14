/* The table of a graph's layers. */
#include "weft/summary.h"

#include <string.h>

#include "base/pool.h"
#include "graph/core_ops.h"
#include "graph/node.h"

/* One line. */
typedef struct summary_row {
    const char *name;
    int name_length;
    bool layer;            /* name is a scope, and later nodes in it belong to the line */
    const weft_node *node; /* whose output is shown */
    int64_t trainable, not_trainable;
    double multiply_adds;
} summary_row;

typedef struct summary_table {
    const weft_graph *graph;
    weft_pool pool;
    summary_row *row;
    int rows;
    bool *counted; /* variables, by node */
} summary_table;

/* Length of the scope in a node's name, without its last dot; 0: none. */
static int scope_length(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? 0 : (int)(dot - name);
}

static bool in_scope(const weft_node *node, const char *scope, int length)
{
    return scope_length(node->name) == length && strncmp(node->name, scope, (size_t)length) == 0;
}

static bool reads_own_variable(const weft_graph *graph, const weft_node *node)
{
    int length = scope_length(node->name);
    for (int i = 0; i < node->inputs; i++) {
        const weft_node *from = weft_node_get(graph, node->input[i].node);
        if (from->op == &weft_variable_op && in_scope(from, node->name, length))
            return length > 0;
    }
    return false;
}

/* The line that the node belongs to; NULL where it is not shown. */
static summary_row *row_of(summary_table *table, const weft_node *node)
{
    summary_row *last = table->rows > 0 ? &table->row[table->rows - 1] : NULL;
    if (last != NULL && last->layer && in_scope(node, last->name, last->name_length))
        return last;
    bool layer = reads_own_variable(table->graph, node);
    if (node->op->writes != 0 && !layer)
        return NULL;
    summary_row *next = &table->row[table->rows++];
    *next = (summary_row){.name = node->name,
                          .name_length = layer ? scope_length(node->name) : (int)strlen(node->name),
                          .layer = layer};
    return next;
}

static void count_variables(summary_table *table, const weft_node *node, summary_row *row)
{
    for (int i = 0; i < node->inputs; i++) {
        int32_t index = node->input[i].node;
        const weft_node *from = weft_node_get(table->graph, index);
        if (from->op != &weft_variable_op || table->counted[index])
            continue;
        table->counted[index] = true;
        *(from->frozen ? &row->not_trainable : &row->trainable) +=
            weft_shape_elements(from->shape[0]);
    }
}

/* The extents for a batch of 1. */
static weft_shape bound(weft_shape shape)
{
    for (int d = 0; d < shape.rank; d++)
        if (shape.extent[d] < 0)
            shape.extent[d] = -shape.extent[d];
    return shape;
}

static weft_tensor dense_tensor(weft_shape open, weft_dtype dtype)
{
    weft_shape shape = bound(open);
    weft_tensor tensor = {.dtype = dtype == WEFT_REAL ? WEFT_FLOAT32 : dtype, .rank = shape.rank};
    int64_t stride = 1;
    for (int d = shape.rank - 1; d >= 0; d--) {
        tensor.extent[d] = shape.extent[d];
        tensor.stride[d] = stride;
        stride *= shape.extent[d];
    }
    return tensor;
}

/* Adds the multiply-adds of one node, as its op's cost tells them; false when memory is short. */
static bool count_work(summary_table *table, const weft_node *node, summary_row *row)
{
    if ((node->op->family != WEFT_FAMILY_CONVOLUTION && node->op->family != WEFT_FAMILY_DENSE) ||
        node->op->cost == NULL)
        return true;
    weft_tensor *input = weft_pool_array(&table->pool, (size_t)node->inputs, sizeof(*input));
    weft_tensor *output = weft_pool_array(&table->pool, (size_t)node->outputs, sizeof(*output));
    if (input == NULL || output == NULL)
        return false;
    for (int i = 0; i < node->inputs; i++) {
        const weft_node *from = weft_node_get(table->graph, node->input[i].node);
        int which = node->input[i].output;
        input[i] = dense_tensor(from->shape[which], from->dtype[which]);
    }
    for (int i = 0; i < node->outputs; i++)
        output[i] = dense_tensor(node->shape[i], node->dtype[i]);
    weft_bind bind = {
        .op = node->op,
        .attributes = node->attributes,
        .mode = WEFT_INFER,
        .inputs = node->inputs,
        .input = input,
        .outputs = node->outputs,
        .output = output,
    };
    weft_cost cost = {0};
    node->op->cost(&bind, &cost);
    row->multiply_adds += cost.flops / 2;
    return true;
}

static bool fill(summary_table *table)
{
    size_t nodes = (size_t)table->graph->nodes;
    table->row = weft_pool_array(&table->pool, nodes + 1, sizeof(summary_row));
    table->counted = weft_pool_array(&table->pool, nodes + 1, sizeof(bool));
    if (table->row == NULL || table->counted == NULL)
        return false;
    for (int32_t i = 1; i <= table->graph->nodes; i++) {
        const weft_node *node = weft_node_get(table->graph, i);
        bool leaf = weft_is_leaf(node->op) && node->op != &weft_input_op;
        summary_row *row = node->backward || leaf ? NULL : row_of(table, node);
        if (row == NULL)
            continue;
        if (row->node == NULL || (node->op->writes == 0 && node->outputs > 0))
            row->node = node;
        count_variables(table, node, row);
        if (!count_work(table, node, row))
            return false;
    }
    return true;
}

/* ---- Printing ---- */

/* 1234567 as "1,234,567"; text has room for 40 characters. */
static const char *grouped(double number, char *text)
{
    char digits[32];
    int count = snprintf(digits, sizeof(digits), "%.0f", number), to = 0;
    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0)
            text[to++] = ',';
        text[to++] = digits[i];
    }
    text[to] = '\0';
    return text;
}

static void op_text(const weft_node *node, char *text, size_t size)
{
    char label[64] = "";
    if (node->op->label != NULL)
        node->op->label(node->attributes, label, sizeof(label));
    snprintf(text, size, "%s%s%s", node->op->name, label[0] ? " " : "", label);
}

static void print_row(FILE *file, const summary_row *row, int name_width, int op_width)
{
    char op[128], shape[128] = "", parameters[40], work[40];
    op_text(row->node, op, sizeof(op));
    if (row->node->outputs > 0)
        weft_shape_text(row->node->shape[0], shape, sizeof(shape));
    fprintf(file, "%-*.*s  %-*s  %-20s %13s %17s\n", name_width, row->name_length, row->name,
            op_width, op, shape, grouped((double)(row->trainable + row->not_trainable), parameters),
            grouped(row->multiply_adds, work));
}

static int longer(int a, int b)
{
    return a > b ? a : b;
}

static void print(FILE *file, const summary_table *table, const weft_summary *total)
{
    int name_width = 5, op_width = 2;
    char text[128], more[40], work[40];
    for (int i = 0; i < table->rows; i++) {
        op_text(table->row[i].node, text, sizeof(text));
        name_width = longer(name_width, table->row[i].name_length);
        op_width = longer(op_width, (int)strlen(text));
    }
    fprintf(file, "%-*s  %-*s  %-20s %13s %17s\n", name_width, "layer", op_width, "op", "output",
            "parameters", "multiply-adds");
    for (int i = 0; i < table->rows; i++)
        print_row(file, &table->row[i], name_width, op_width);
    fprintf(file, "%s trainable parameters, %s not trainable, %s multiply-adds a sample\n",
            grouped((double)total->trainable, text), grouped((double)total->not_trainable, more),
            grouped(total->multiply_adds, work));
}

static weft_status summarize(const weft_graph *graph, FILE *file, weft_summary *summary)
{
    if (graph->error.status != WEFT_OK)
        return graph->error.status;
    summary_table table = {.graph = graph, .pool = weft_pool_begin(graph->context)};
    weft_status status = fill(&table) ? WEFT_OK : WEFT_ERROR_MEMORY;
    *summary = (weft_summary){0};
    for (int i = 0; status == WEFT_OK && i < table.rows; i++) {
        summary->trainable += table.row[i].trainable;
        summary->not_trainable += table.row[i].not_trainable;
        summary->multiply_adds += table.row[i].multiply_adds;
    }
    if (status == WEFT_OK && file != NULL)
        print(file, &table, summary);
    weft_pool_release(&table.pool);
    return status;
}

weft_status weft_summarize(const weft_graph *graph, weft_summary *summary)
{
    return summarize(graph, NULL, summary);
}

weft_status weft_print_summary(const weft_graph *graph, FILE *file)
{
    weft_summary summary;
    weft_status status = summarize(graph, file, &summary);
    return status == WEFT_OK && ferror(file) ? WEFT_ERROR_IO : status;
}
