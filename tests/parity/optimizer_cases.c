/* Five steps of each optimizer that PyTorch has, with and without decay and clipping. Its NAdam of version 1
 * multiplies by a momentum twice, and is not here. */
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

const parity_case parity_optimizer_cases[] = {
    CASE("SGD", OPTIONS(.learning_rate = 0.5, .weight_decay = 0.1),
         "torch.optim.SGD(p, 0.5, weight_decay=0.1)", FIVE),
    CASE("momentum, norm clipped",
         OPTIONS(.learning_rate = 0.5, .momentum = 0.9, .clip_norm = 0.25),
         "torch.optim.SGD(p, 0.5, 0.9)", "torch.nn.utils.clip_grad_norm_(p, 0.25)", FIVE),
    CASE("Nesterov, elements clipped",
         OPTIONS(.learning_rate = 0.5, .momentum = 0.5, .nesterov = true, .weight_decay = 0.1,
                 .clip_value = 0.03125),
         "torch.optim.SGD(p, 0.5, 0.5, weight_decay=0.1, nesterov=True)",
         "torch.nn.utils.clip_grad_value_(p, 0.03125)", FIVE),
    CASE("Adam", OPTIONS(.kind = WEFT_ADAM, .learning_rate = 0.1), "torch.optim.Adam(p, 0.1)",
         FIVE),
    CASE("Adam, decay", OPTIONS(.kind = WEFT_ADAM, .learning_rate = 0.1, .weight_decay = 0.1),
         "torch.optim.Adam(p, 0.1, weight_decay=0.1)", FIVE),
    CASE("AdamW, each norm clipped",
         OPTIONS(.kind = WEFT_ADAM, .learning_rate = 0.1, .weight_decay = 0.1, .decoupled = true,
                 .clip_each_norm = 0.0625, .epsilon = 1e-3),
         "torch.optim.AdamW(p, 0.1, eps=1e-3, weight_decay=0.1)",
         "[torch.nn.utils.clip_grad_norm_([q], 0.0625) for q in p]", FIVE),
    CASE("AMSGrad",
         OPTIONS(.kind = WEFT_ADAM, .learning_rate = 0.1, .amsgrad = true, .beta2 = 0.5,
                 .weight_decay = 0.1),
         "torch.optim.Adam(p, 0.1, (0.9, 0.5), weight_decay=0.1, amsgrad=True)", FIVE),
    CASE("AdaGrad", OPTIONS(.kind = WEFT_ADAGRAD, .learning_rate = 0.1),
         "torch.optim.Adagrad(p, 0.1)", FIVE),
    CASE("AdaGrad, decay",
         OPTIONS(.kind = WEFT_ADAGRAD, .learning_rate = 0.1, .weight_decay = 0.1,
                 .initial_accumulator = 0.25, .epsilon = 1e-3, .clip_norm = 0.25),
         "torch.optim.Adagrad(p, 0.1, 0, 0.1, 0.25, 1e-3)",
         "torch.nn.utils.clip_grad_norm_(p, 0.25)", FIVE),
    CASE("AdaDelta", OPTIONS(.kind = WEFT_ADADELTA), "torch.optim.Adadelta(p)", FIVE),
    CASE("AdaDelta, decay",
         OPTIONS(.kind = WEFT_ADADELTA, .rho = 0.75, .epsilon = 1e-3, .weight_decay = 0.1),
         "torch.optim.Adadelta(p, 1.0, 0.75, 1e-3, 0.1)", FIVE),
    CASE("RMSProp", OPTIONS(.kind = WEFT_RMSPROP), "torch.optim.RMSprop(p)", FIVE),
    CASE("RMSProp, momentum, decay",
         OPTIONS(.kind = WEFT_RMSPROP, .momentum = 0.75, .rho = 0.9, .weight_decay = 0.1),
         "torch.optim.RMSprop(p, 0.01, 0.9, momentum=0.75, weight_decay=0.1)", FIVE),
    CASE("RMSProp, centered",
         OPTIONS(.kind = WEFT_RMSPROP, .centered = true, .epsilon = 1e-3, .clip_norm = 0.25),
         "torch.optim.RMSprop(p, eps=1e-3, centered=True)",
         "torch.nn.utils.clip_grad_norm_(p, 0.25)", FIVE),
    CASE("RMSProp, centered, momentum",
         OPTIONS(.kind = WEFT_RMSPROP, .centered = true, .momentum = 0.5, .rho = 0.9),
         "torch.optim.RMSprop(p, alpha=0.9, momentum=0.5, centered=True)", FIVE),
    {0},
};
