import { opCases } from '@limen/tensor/testing';

import { kvAppend } from './kv-append.js';

export default opCases(kvAppend, {
  test: [
    { shapes: { k: [1, 1, 1, 1], keyPages: [1, 1, 1, 1], pageTable: [1, 1] }, values: { pageTable: 0, positions: 0 } },
    // Ragged heads; a skipped token; a sequence whose pages are out of order.
    {
      shapes: { k: [2, 3, 2, 11], keyPages: [5, 4, 2, 11], pageTable: [2, 2] },
      values: { pageTable: [3, 1, 0, 4], positions: [3, 4, 5, 0, -1, 7] },
    },
    // A decode step of whole vectors, then a prefill that crosses pages.
    {
      shapes: { k: [3, 1, 4, 128], keyPages: [6, 16, 4, 128], pageTable: [3, 2] },
      values: { pageTable: [5, 0, 1, 2, 4, 3], positions: [0, 31, 16] },
    },
    {
      shapes: { k: [1, 20, 2, 64], keyPages: [4, 8, 2, 64], pageTable: [1, 4] },
      values: { pageTable: [2, 3, 0, 1], positions: Array.from({ length: 20 }, (_, index) => index + 5) },
    },
    // Past the table, and pages that do not exist: nothing is written.
    {
      shapes: { k: [1, 3, 1, 8], keyPages: [2, 2, 1, 8], pageTable: [1, 3] },
      values: { pageTable: [7, -1, 1], positions: [0, 2, 6] },
    },
    { shapes: { k: [0, 1, 1, 8], keyPages: [2, 2, 1, 8], pageTable: [0, 1] } },
    // Rotation, of queries too: halves; neighbours of a part of the channels; other positions to rotate by than to store.
    {
      shapes: { k: [2, 3, 2, 128], q: [2, 3, 5, 128], keyPages: [5, 4, 2, 128], pageTable: [2, 2] },
      attributes: { rotary: 'half' },
      values: { pageTable: [3, 1, 0, 4], positions: [3, 4, 5, 0, -1, 7] },
    },
    {
      shapes: {
        k: [1, 2, 1, 20],
        q: [1, 2, 3, 20],
        keyPages: [2, 16, 1, 20],
        pageTable: [1, 2],
        rotaryPositions: [1, 2],
      },
      attributes: { rotary: 'half', base: 500, rotaryDimensions: 12 },
      values: { pageTable: [1, 0], positions: [9, 30], rotaryPositions: [1000, 7] },
    },
    {
      shapes: { k: [2, 1, 2, 128], q: [2, 1, 32, 128], keyPages: [4, 16, 2, 128], pageTable: [2, 2] },
      attributes: { rotary: 'interleaved', rotaryDimensions: 64 },
      values: { pageTable: [3, 1, 0, 2], positions: [17, 31] },
    },
    {
      shapes: { k: [1, 2, 3, 10], keyPages: [2, 4, 3, 10], pageTable: [1, 2] },
      attributes: { rotary: 'interleaved' },
      values: { pageTable: [1, 0], positions: [3, 4] },
    },
    {
      shapes: { k: [1, 2, 1, 256], q: [1, 2, 1, 256], keyPages: [1, 16, 1, 256], pageTable: [1, 1] },
      attributes: { rotary: 'half' },
      values: { pageTable: [0], positions: [3, 4] },
    },
  ],
  rejects: [
    {
      shapes: { k: [1, 1, 2, 8], keyPages: [2, 2, 1, 8], pageTable: [1, 1] },
      values: { pageTable: 0, positions: 0 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { k: [1, 1, 1, 8], v: [1, 2, 1, 8], keyPages: [2, 2, 1, 8], pageTable: [1, 1] },
      values: { pageTable: 0, positions: 0 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { k: [1, 1, 1, 8], keyPages: [2, 2, 1, 8], pageTable: [1, 1] },
      values: { pageTable: 0, positions: 0 },
      inputDTypes: { keyPages: 'f16' },
      throws: 'UNSUPPORTED_DTYPE',
    },
    {
      shapes: { k: [1, 1, 1, 8], keyPages: [2, 2, 1, 8], pageTable: [1, 1] },
      values: { pageTable: 0, positions: 0 },
      inputDTypes: { positions: 'f32' },
      throws: 'UNSUPPORTED_DTYPE',
    },
    {
      shapes: { k: [1, 1, 1, 264], keyPages: [2, 2, 1, 264], pageTable: [1, 1] },
      values: { pageTable: 0, positions: 0 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { k: [1, 1, 1, 8], keyPages: [2, 2, 1, 8], pageTable: [1, 1] },
      attributes: { rotary: 'half', rotaryDimensions: 3 },
      values: { pageTable: 0, positions: 0 },
      throws: 'SHAPE_MISMATCH',
    },
  ],
  bench: [
    {
      shapes: { k: [64, 1, 32, 128], keyPages: [64, 16, 32, 128], pageTable: [64, 1] },
      values: { pageTable: Array.from({ length: 64 }, (_, index) => index), positions: 3 },
    },
    {
      shapes: { k: [1, 640, 32, 128], keyPages: [40, 16, 32, 128], pageTable: [1, 40] },
      values: {
        pageTable: Array.from({ length: 40 }, (_, index) => index),
        positions: Array.from({ length: 640 }, (_, index) => index),
      },
    },
  ],
  bytesMoved: ({ shapes: { k = [] } }) => 4 * 2 * k.reduce((product, size) => product * size, 1),
  // Stored exactly where nothing turns; a rotated channel may round the other way.
  tolerance: { f32: 1e-6, f16: 1e-3, bf16: 8e-3 },
});
