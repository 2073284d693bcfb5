// One line per op.

export { attentionDecodePaged } from './attention-decode-paged.js';
export { kvAppend } from './kv-append.js';
export { gatherPages } from './gather-pages.js';
export { scatterPages } from './scatter-pages.js';
