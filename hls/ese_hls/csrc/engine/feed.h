// What gives the PEs their work: entries in stream order, or columns of activations that count.
#ifndef ESE_FEED_H
#define ESE_FEED_H

#include "skip.h"
#include "stream.h"

namespace ese {

template <class C> using Feed = std::conditional_t<Shape<C>::skips, SkipFeed<C>, StreamFeed<C>>;

} // namespace ese

#endif
