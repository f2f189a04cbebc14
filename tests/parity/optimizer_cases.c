/* Five steps of each optimizer that PyTorch has, with and without decay and clipping, the learning rate changed
 * on the way. Its NAdam of version 1 multiplies by a momentum twice, and is not here. */
#include "parity.h"

static weft_value loss(parity_builder *b)
{
    weft_value x = parity_input(b, "x", weft_shape_of(7, 6));
    weft_value hidden = weft_tanh(weft_matmul(x, parity_variable(b, "w", weft_shape_of(6, 5))));
    weft_value y = weft_add(weft_matmul(hidden, parity_variable(b, "u", weft_shape_of(5, 3))),
                            parity_variable(b, "b", weft_shape_of(3)));
    return weft_mean_squared_error(y, parity_input(b, "t", weft_shape_of(7, 3)));
}

#define CASE(name, options, torch, ...)                                                            \
    {                                                                                              \
        name, loss, "F.mse_loss((x @ w).tanh() @ u + b, t)",                                       \
            &(const parity_optimizer){options, torch, __VA_ARGS__}, .mode = WEFT_TRAIN             \
    }
#define OPTIONS(...)                                                                               \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define FIVE .steps = 5

/* Of an optimizer's options and the beginning of PyTorch's: with and without decay, and norms clipped. */
#define DECAY(name, torch, decay, ...)                                                             \
    CASE(name, OPTIONS(__VA_ARGS__, .weight_decay = decay),                                        \
         "torch.optim." torch ", weight_decay=" #decay ")", FIVE),                                 \
        CASE(name ", norm clipped",                                                                \
             OPTIONS(__VA_ARGS__, .weight_decay = decay, .clip_norm = 0.25),                       \
             "torch.optim." torch ", weight_decay=" #decay ")",                                    \
             "torch.nn.utils.clip_grad_norm_(p, 0.25)", FIVE)
#define VARIANTS(name, torch, ...)                                                                 \
    DECAY(name, torch, 0, __VA_ARGS__), DECAY(name ", decay", torch, 0.1, __VA_ARGS__)

const parity_case parity_optimizer_cases[] = {
    VARIANTS("SGD", "SGD(p, 0.5", .learning_rate = 0.5),
    VARIANTS("momentum", "SGD(p, 0.5, 0.9", .learning_rate = 0.5, .momentum = 0.9),
    VARIANTS("Nesterov", "SGD(p, 0.5, 0.5, nesterov=True", .learning_rate = 0.5, .momentum = 0.5,
             .nesterov = true),
    VARIANTS("Adam", "Adam(p, 0.1", .kind = WEFT_ADAM, .learning_rate = 0.1),
    VARIANTS("AdamW", "AdamW(p, 0.1, eps=1e-3", .kind = WEFT_ADAM, .learning_rate = 0.1,
             .decoupled = true, .epsilon = 1e-3),
    VARIANTS("AMSGrad", "Adam(p, 0.1, (0.9, 0.5), amsgrad=True", .kind = WEFT_ADAM,
             .learning_rate = 0.1, .amsgrad = true, .beta2 = 0.5),
    VARIANTS("AdaGrad", "Adagrad(p, 0.1", .kind = WEFT_ADAGRAD, .learning_rate = 0.1),
    VARIANTS("AdaGrad, not from 0", "Adagrad(p, 0.1, initial_accumulator_value=0.25, eps=1e-3",
             .kind = WEFT_ADAGRAD, .learning_rate = 0.1, .initial_accumulator = 0.25,
             .epsilon = 1e-3),
    VARIANTS("AdaDelta", "Adadelta(p", .kind = WEFT_ADADELTA),
    VARIANTS("AdaDelta, of few steps", "Adadelta(p, 1.0, 0.75, 1e-3", .kind = WEFT_ADADELTA,
             .rho = 0.75, .epsilon = 1e-3),
    VARIANTS("RMSProp", "RMSprop(p", .kind = WEFT_RMSPROP),
    VARIANTS("RMSProp, momentum", "RMSprop(p, 0.01, 0.9, momentum=0.75", .kind = WEFT_RMSPROP,
             .momentum = 0.75, .rho = 0.9),
    VARIANTS("RMSProp, centered", "RMSprop(p, eps=1e-3, centered=True", .kind = WEFT_RMSPROP,
             .centered = true, .epsilon = 1e-3),
    VARIANTS("RMSProp, centered, momentum", "RMSprop(p, alpha=0.9, momentum=0.5, centered=True",
             .kind = WEFT_RMSPROP, .centered = true, .momentum = 0.5, .rho = 0.9),
    CASE("elements clipped", OPTIONS(.learning_rate = 0.5, .momentum = 0.5, .clip_value = 0.03125),
         "torch.optim.SGD(p, 0.5, 0.5)", "torch.nn.utils.clip_grad_value_(p, 0.03125)", FIVE),
    CASE(
        "each norm clipped",
        OPTIONS(.kind = WEFT_ADAM, .learning_rate = 0.1, .clip_each_norm = 0.0625, .epsilon = 1e-3),
        "torch.optim.Adam(p, 0.1, eps=1e-3)",
        "[torch.nn.utils.clip_grad_norm_([q], 0.0625) for q in p]", FIVE),
    CASE("maximum norms", OPTIONS(.learning_rate = 0.5), "torch.optim.SGD(p, 0.5)", FIVE,
         .constrain = &(const weft_constrain_options){.bound = 1},
         .after = "[q.copy_(torch.renorm(q, 2, 1, 1)) for q in p if q.dim() == 2]"),
    CASE("unit norms", OPTIONS(.learning_rate = 0.5), "torch.optim.SGD(p, 0.5)", FIVE,
         .constrain = &(const weft_constrain_options){.kind = WEFT_UNIT_NORM},
         .after = "[q.div_(q.norm(dim=0) + 1e-7) for q in p if q.dim() == 2]"),
    {0},
};
