// One line per op.

export { attentionDecodePaged } from './attention-decode-paged.js';
export { kvAppend } from './kv-append.js';
export { gatherPages } from './gather-pages.js';
export { scatterPages } from './scatter-pages.js';
export { contiguousToPages } from './contiguous-to-pages.js';
export { convertPages } from './convert-pages.js';
export { decodeFromPages } from './decode-from-pages.js';
export { encodeToPages } from './encode-to-pages.js';
export { pagesToContiguous } from './pages-to-contiguous.js';
export { swapPageLayoutInPlace } from './swap-page-layout-in-place.js';
export { swapPageLayout } from './swap-page-layout.js';
export { transposeHeads } from './transpose-heads.js';
export { attentionDecodeQuantized } from './attention-decode-quantized.js';
export { kvAppendQuantized } from './kv-append-quantized.js';
export { attentionAppendPaged } from './attention-append-paged.js';
export { attentionAppendQuantized } from './attention-append-quantized.js';
