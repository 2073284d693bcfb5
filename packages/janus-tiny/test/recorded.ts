// What the trained model computes for one request, recorded once in f32. Small faults show here before they show in answers.

/** Columns of the logits that are compared. */
export const columns = [0, 37, 101, 255] as const;

/** For `makeCase('test', 424242).drawPrompt`. */
export const recorded = {
  promptIds: [
    504, 510, 25, 220, 32, 433, 419, 257, 323, 375, 360, 267, 259, 344, 296, 333, 257, 325, 385, 358, 267, 259, 307,
    471, 329, 257, 420, 305, 198, 198, 511, 25, 507,
  ],
  textLogits: [0.21357, -0.30203, 0.036345, -0.67642],
  imageLogits: [-19.163233, -17.23476, -27.751553, -20.328041],
  /** First 16 hex digits of the SHA-256 of all 256 codes, joined by commas. */
  codesHash: '1c6c3bd441373811',
};
