// Who frees what: whoever makes a tensor disposes it, views keep their memory alive, and a report names what was lost.

import { DisposedError, fromArray, leakReport, read, rmsNorm, scoped, trackLeaks } from '@limen/tensor';

const device = process.argv[2] ?? 'cpu';
trackLeaks(true); // as LIMEN_LEAKS=1 does: remember where each tensor was made

// A view shares memory and owns a reference of its own: the numbers outlive the tensor they came from.
const matrix = fromArray([1, 2, 3, 4, 5, 6], [2, 3], { device });
using lastRow = matrix.slice(0, 1);
matrix.dispose();
console.log('the view still reads', await read(lastRow));

// After dispose, use is an error with a type, never a wrong number.
try {
  await read(matrix);
} catch (error) {
  console.log(error instanceof DisposedError, String(error));
}

// `scoped` disposes everything it owns but the result.
using normalised = scoped((scope) => {
  const weight = scope.own(fromArray([1, 1, 1], [3], { device }));
  const once = scope.own(rmsNorm({ x: lastRow, weight }));
  return rmsNorm({ x: once, weight });
});
console.log('kept', await read(normalised));

// What is alive now: the view's memory and the result. A leak would be in this list, with its creation site.
for (const { byteLength, createdAt } of leakReport()) {
  console.log(
    byteLength,
    'bytes',
    createdAt
      ?.split('\n')
      .find((line) => line.includes('02-ownership'))
      ?.trim(),
  );
}
