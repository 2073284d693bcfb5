// One line per op.

export { attentionDecodePaged } from './attention-decode-paged.js';
export { kvAppend } from './kv-append.js';
