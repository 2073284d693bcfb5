// One cold start, in a process of its own: imports, addon, device, weights, first token. Prints when each was reached, in
// milliseconds since the epoch, as one line of JSON. Started by start.ts with the folder, the device and the dtype.

const reached: Record<string, number> = {};
const mark = (phase: string) => {
  reached[phase] = performance.timeOrigin + performance.now();
};
mark('process');

// Imported here and not above, so that their time is seen.
const { loadModel } = await import('@limen/models-janus');
const { stepRunner } = await import('@limen/graph-runtime');
const { empty, synchronize } = await import('@limen/tensor');
const { loadNative } = await import('@limen/cuda-kernels');
mark('imports');

const [folder = '', device = 'cuda', dtype = 'auto'] = process.argv.slice(2);
loadNative();
mark('addon');
empty([1], { device }).dispose();
await synchronize(device);
mark('device');

let bytes = 0;
using model = await loadModel(folder, {
  device,
  dtype: dtype as 'auto' | 'bf16',
  stepRunner,
  onProgress({ status, total }) {
    if (status !== 'initiate') return;
    bytes = total;
    mark('files');
  },
});
await synchronize(device);
mark('weights');

const question = [{ role: 'user', content: 'What is this?' }] as const;
const [answer] = await model.chatBatch([{ messages: question, maxNewTokens: 1 }]);
mark('token');
console.log(JSON.stringify({ reached, bytes, token: answer?.tokens[0] }));
