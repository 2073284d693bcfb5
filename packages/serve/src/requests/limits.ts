// Every bound on a request in one table. All of them are checked before anything is decoded, allocated or queued.

export const limits = {
  /** Body of a request, bytes. */
  bodyBytes: 32 * 2 ** 20,
  /** Nesting of JSON. */
  jsonDepth: 64,
  /** Turns of a conversation. */
  messages: 1024,
  /** Pictures in a conversation. */
  images: 8,
  /** One encoded picture, bytes. */
  imageBytes: 20 * 2 ** 20,
  /** Texts that end an answer, and their length in characters. */
  stops: 4,
  stopCharacters: 512,
  /** Characters of text per token of context; no tokenizer makes fewer tokens of so much text that would fit. */
  charactersPerToken: 16,
  /** Pictures drawn by a request. */
  drawings: 8,
  partialImages: 3,
  guidance: 100,
  temperature: 2,
  topK: 1_000_000,
  /** Pictures use `seed + index`, so the bound leaves room below 2^53. */
  seed: 2 ** 52,
} as const;
