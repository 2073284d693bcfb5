// Texts of the tokens that structure a prompt. Their ids differ between releases, so they are always looked up by text.

/** Texts of the special tokens, the same in every release of Janus-Pro. */
export const janusTokens = Object.freeze({
  bos: '<｜begin▁of▁sentence｜>',
  eos: '<｜end▁of▁sentence｜>',
  pad: '<｜▁pad▁｜>',
  beginOfImage: '<begin_of_image>',
  endOfImage: '<end_of_image>',
  imagePlaceholder: '<image_placeholder>',
  user: '<|User|>',
  assistant: '<|Assistant|>',
});
