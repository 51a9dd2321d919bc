// SPDX-License-Identifier: Apache-2.0
// The feed gives the PEs their work: in stream mode all entries, in skip mode the columns whose activations count.
#ifndef ESE_FEED_H
#define ESE_FEED_H

#include "skip.h"
#include "stream.h"

namespace ese {

template <class C> using Feed = std::conditional_t<Shape<C>::skips, SkipFeed<C>, StreamFeed<C>>;

} // namespace ese

#endif
