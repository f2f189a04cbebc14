/* weft: computation graphs with reverse-mode differentiation for convolutional networks. */
#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H
#include "weft/check.h"
#include "weft/context.h"
#include "weft/dot.h"
#include "weft/convolution.h"
#include "weft/data.h"
#include "weft/dense.h"
#include "weft/graph.h"
#include "weft/layers.h"
#include "weft/normalization.h"
#include "weft/op.h"
#include "weft/optim.h"
#include "weft/padding.h"
#include "weft/pooling.h"
#include "weft/program.h"
#include "weft/safetensors.h"
#include "weft/schedule.h"
#include "weft/state.h"
#include "weft/summary.h"
#include "weft/types.h"
#endif
