/* Replacing nodes by simpler ones, before fusing. */
#ifndef WEFT_GRAPH_EXPAND_H
#define WEFT_GRAPH_EXPAND_H

#include "graph/fusion.h"
#include "graph/ir.h"

/* Lets every node whose op has weft_fusion.expand be replaced. Storages must be given already. */
weft_status weft_expand_all(weft_ir *ir);

#endif
