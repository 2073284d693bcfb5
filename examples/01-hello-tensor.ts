// A tensor, an op, and an error that says what to do. Run with a device ('cuda'), or on the CPU.

import { fromArray, LimenError, read, rmsNorm } from '@limen/tensor';

const device = process.argv[2] ?? 'cpu';

// `using` frees the memory at the end of the block. Numbers are rounded to the type: bf16 keeps about three digits.
using x = fromArray([1, 2, 3, 4, 10, 20, 30, 40], [2, 4], { dtype: 'bf16', device });
using weight = fromArray([1, 1, 1, 1], [4], { dtype: 'bf16', device });

// On CUDA an op returns before its work is done; `read` waits for it. Both rows become the same row.
using y = rmsNorm({ x, weight });
console.log(`${y.dtype}[${y.shape.join(', ')}] on ${y.device}`, await read(y));

// Ops check their arguments. The error has a stable code, and its text names the argument and the fix.
using wrong = fromArray([1, 1], [2], { dtype: 'bf16', device });
try {
  rmsNorm({ x, weight: wrong });
} catch (error) {
  if (!LimenError.isInstance(error)) throw error;
  console.log(error.code, '\n', error.message);
}
