/* Runs ops in their plain form, in one piece: run_f64 in float64 programs, run_f32 in float32 ones, and
 * where an op has no float32 form at all, run_f64 on copies of its operands in double. */
#include "base/error.h"
#include "base/memory.h"
#include "base/tensor.h"
#include "graph/ir.h"

typedef struct plain_args {
    const weft_op *op;
    const void *attributes;
    weft_mode mode;
    void (*run)(const weft_operands *operands);
    int inputs, outputs;
    weft_tensor *tensor;  /* inputs, outputs */
    weft_tensor *copy;    /* the same, dense and in double, when run needs copies */
    int64_t *copy_offset; /* bytes, in the workspace; -1: used as it is */
} plain_args;

static weft_operands operands_of(const plain_args *args, const weft_call *call,
                                 const weft_tensor *tensor)
{
    return (weft_operands){
        .attributes = args->attributes,
        .inputs = args->inputs,
        .input = tensor,
        .outputs = args->outputs,
        .output = tensor + args->inputs,
        .mode = args->mode,
        .info = call->info,
    };
}

/* The tensors of the arguments are the program's own, so one program runs once at a time. */
static void set_data(const plain_args *args, const weft_call *call)
{
    for (int i = 0; i < args->inputs + args->outputs; i++)
        args->tensor[i].data = call->operand[i];
}

static void run_direct(const weft_call *call, int64_t piece)
{
    (void)piece;
    const plain_args *args = call->args;
    set_data(args, call);
    weft_operands operands = operands_of(args, call, args->tensor);
    args->run(&operands);
}

static void to_double(const weft_tensor *from, const weft_tensor *to)
{
    for (int64_t i = 0, n = weft_tensor_elements(from); i < n; i++)
        ((double *)to->data)[i] = (double)((const float *)from->data)[weft_tensor_offset(from, i)];
}

static void to_float(const weft_tensor *from, const weft_tensor *to)
{
    for (int64_t i = 0, n = weft_tensor_elements(from); i < n; i++)
        ((float *)to->data)[weft_tensor_offset(to, i)] = (float)((const double *)from->data)[i];
}

static bool is_written(const plain_args *args, int operand)
{
    return operand >= args->inputs || (operand < 32 && args->op->writes & WEFT_INPUT(operand));
}

static bool is_read(const plain_args *args, int operand)
{
    return operand < args->inputs &&
           (operand >= 32 || !(args->op->shape_only & WEFT_INPUT(operand)));
}

static void run_on_copies(const weft_call *call, int64_t piece)
{
    (void)piece;
    const plain_args *args = call->args;
    int count = args->inputs + args->outputs;
    char *workspace = call->operand[count];
    set_data(args, call);
    for (int i = 0; i < count; i++) {
        bool copied = args->copy_offset[i] >= 0;
        args->copy[i].data = copied ? workspace + args->copy_offset[i] : args->tensor[i].data;
        if (copied && is_read(args, i))
            to_double(&args->tensor[i], &args->copy[i]);
    }
    weft_operands operands = operands_of(args, call, args->copy);
    args->run(&operands);
    for (int i = 0; i < count; i++)
        if (args->copy_offset[i] >= 0 && is_written(args, i))
            to_float(&args->copy[i], &args->tensor[i]);
}

/* Lays out dense double copies of all float32 operands; returns the bytes of workspace. An output that
 * is a written variable's new value shares that variable's copy. */
static int64_t lay_out_copies(plain_args *args)
{
    int64_t bytes = 0;
    for (int i = 0; i < args->inputs + args->outputs; i++) {
        args->copy[i] = args->tensor[i];
        args->copy_offset[i] = -1;
        if (args->tensor[i].dtype != WEFT_FLOAT32)
            continue;
        weft_tensor *copy = &args->copy[i];
        *copy = weft_tensor_make(WEFT_FLOAT64, weft_shape_make(copy->rank, copy->extent));
        if (i == args->inputs && args->op->writes) {
            args->copy_offset[i] = args->copy_offset[__builtin_ctz(args->op->writes)];
            continue;
        }
        args->copy_offset[i] = bytes;
        bytes += weft_aligned(weft_tensor_elements(copy) * 8);
    }
    return bytes;
}

weft_status weft_select_plain(weft_ir *ir, weft_pool *pool, weft_ir_node *node)
{
    size_t count = (size_t)(node->inputs + node->outputs);
    plain_args *args = weft_pool_allocate(pool, sizeof(*args));
    weft_tensor *tensor = weft_pool_array(pool, 2 * count, sizeof(*tensor));
    int64_t *offset = weft_pool_array(pool, count, sizeof(*offset));
    if (!args || !tensor || !offset)
        return weft_ir_out_of_memory(ir);
    weft_ir_operands(ir, node, tensor);
    *args = (plain_args){
        .op = node->op,
        .attributes = node->attributes,
        .mode = ir->options->mode,
        .run =
            ir->real == WEFT_FLOAT32 && node->op->run_f32 ? node->op->run_f32 : node->op->run_f64,
        .inputs = node->inputs,
        .outputs = node->outputs,
        .tensor = tensor,
        .copy = tensor + count,
        .copy_offset = offset,
    };
    if (!args->run)
        return weft_error_set(ir->error, WEFT_ERROR_UNSUPPORTED,
                              "compile: %s \"%s\" cannot run: the op has no run_f64",
                              node->op->name, node->name);
    bool copies = ir->real == WEFT_FLOAT32 && !node->op->run_f32;
    node->workspace_bytes = copies ? lay_out_copies(args) : 0;
    node->algorithm = copies ? "plain" : NULL;
    node->phase[0] = (weft_phase){copies ? run_on_copies : run_direct, 1};
    node->phase_args[0] = args;
    node->phases = 1;
    return WEFT_OK;
}

bool weft_is_plain(const weft_ir_node *node)
{
    return node->phases == 1 &&
           (node->phase[0].run == run_on_copies || node->phase[0].run == run_direct);
}
