// Side streams: what they copy on the CPU, what they refuse, and the order of native calls on a stand-in for the addon.

import { DisposedError, LimenError, type NativeBinding } from '@limen/cuda-kernels';
import { afterEach, describe, expect, test, vi } from 'vitest';

import { CudaBackend } from './backends/cuda-backend.js';
import { fromArray, zeros } from './create.js';
import { add } from './ops/add.js';
import { record } from './record.js';
import { allocateHostBuffer, openSideStream, requireNoCapture } from './side-stream.js';
import { Storage } from './storage.js';
import { Tensor } from './tensor.js';

const native = vi.hoisted((): { binding: unknown } => ({ binding: undefined }));
vi.mock('@limen/cuda-kernels', async (importOriginal) => {
  const original = await importOriginal<{ loadNative(): unknown }>();
  return {
    ...original,
    loadNative: () => (native.binding === undefined ? original.loadNative() : { binding: native.binding, reason: '' }),
  };
});
afterEach(() => (native.binding = undefined));

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    return LimenError.isInstance(error) ? error.code : String(error);
  }
  return undefined;
}

describe('a side stream on the CPU', () => {
  test('copies host bytes into a tensor and a tensor into host bytes', async () => {
    using stream = openSideStream('cpu');
    using host = allocateHostBuffer('cpu', 8);
    using tensor = fromArray([1, 2, 3, 4], [4], { dtype: 'i8' });
    using half = tensor.slice(0, 1, 3);
    stream.followOps();
    stream.download(half, host.bytes.subarray(4, 6));
    expect([...host.bytes]).toEqual([0, 0, 0, 0, 2, 3, 0, 0]);
    stream.upload(half, host.bytes.subarray(5, 7));
    stream.holdOps();
    await stream.reached();
    expect([...tensor.storage.bytes]).toEqual([1, 3, 0, 4]);
    expect(host.pinned).toBe(false);
  });

  test('refuses bytes that do not fill the tensor, and a tensor with gaps', () => {
    using stream = openSideStream('cpu');
    using tensor = zeros([4, 4]);
    using column = tensor.slice(1, 0, 1);
    expect(codeOf(() => stream.download(tensor, new Uint8Array(63)))).toBe('SHAPE_MISMATCH');
    expect(codeOf(() => stream.upload(column, new Uint8Array(16)))).toBe('SHAPE_MISMATCH');
  });

  test('refuses work while a capture is under way, which goes on unharmed', () => {
    using stream = openSideStream('cpu');
    using x = fromArray([1, 2], [2]);
    using y = zeros([2]);
    const codes: (string | undefined)[] = [];
    using recording = record('cpu', () => {
      codes.push(
        codeOf(() => stream.run(() => undefined)),
        codeOf(() => stream.followOps()),
        codeOf(() => stream.upload(x, new Uint8Array(8))),
        codeOf(() => openSideStream('cpu')),
        codeOf(() => allocateHostBuffer('cpu', 8)),
        codeOf(() => requireNoCapture('cpu', 'swapping')),
      );
      add({ a: x, b: x }, { out: y });
    });
    expect(codes).toEqual(new Array(6).fill('CAPTURE_VIOLATION'));
    recording.replay();
    expect([...y.storage.bytes.slice(0, 4)]).toEqual([0, 0, 0, 64]); // 2 as f32
  });

  test('a host buffer cannot be used after it was given back', () => {
    const host = allocateHostBuffer('cpu', 8);
    host[Symbol.dispose]();
    expect(() => host.bytes).toThrow(DisposedError);
    expect(codeOf(() => allocateHostBuffer('cpu', -1))).toBe('INVALID_ARGUMENT');
  });
});

/** Records the native calls that order work; handles count up from 1, the backend's stream is the first. */
function useStandIn(): { calls: string[]; finish: (() => void)[] } {
  const calls: string[] = [];
  const finish: (() => void)[] = [];
  let [streams, events, addresses] = [0, 0, 4096];
  const binding: Partial<NativeBinding> = {
    cudaStatus: () => ({
      compiled: true,
      deviceCount: 1,
      errorCode: 0,
      errorName: '',
      errorMessage: '',
      driverVersion: 13000,
      runtimeVersion: 13000,
    }),
    ops: () => [
      { name: 'add', backend: 'cuda', usesWorkspace: false },
      { name: 'sample', backend: 'cuda', usesWorkspace: true },
    ],
    createStream: () => (streams += 1),
    destroyStream: (_device, stream) => void calls.push(`destroy stream ${stream}`),
    createEvent: () => (events += 1),
    destroyEvent: (_device, event) => void calls.push(`destroy event ${event}`),
    recordEvent: (_device, event, stream) => void calls.push(`event ${event} after stream ${stream}`),
    waitEvent: (_device, stream, event) => void calls.push(`stream ${stream} waits for event ${event}`),
    synchronizeEvent: (_device, event) => {
      calls.push(`host waits for event ${event}`);
      return new Promise((resolve) => finish.push(resolve));
    },
    allocate: (_device, bytes) => (addresses += bytes),
    free: () => undefined,
    memoryInfo: () => ({ freeBytes: 1e9, totalBytes: 1e9 }),
    allocatePinned: (bytes) => new ArrayBuffer(bytes),
    freePinned: (buffer) => void calls.push(`free pinned ${buffer.byteLength}`),
    opWorkspace: () => 64,
    runOp: (op, _device, stream) => void calls.push(`op ${op} on stream ${stream}`),
    copyToDevice: (_device, address, source, stream) =>
      void calls.push(`up ${source.byteLength} to ${address} on stream ${stream}`),
    copyToPinned: (_device, address, _target, offset, bytes, stream) =>
      void calls.push(`down ${bytes} from ${address} to +${offset} on stream ${stream}`),
    beginCapture: () => undefined,
    abortCapture: () => undefined,
  };
  native.binding = binding;
  return { calls, finish };
}

function tensorAt(address: number, elements: number): Tensor {
  const storage = new Storage('cuda:0', { address, byteLength: 4 * elements, release: () => undefined });
  return new Tensor(storage, 'f32', [elements]);
}

function callOf(name: string, tensor: Tensor) {
  const declaration = { ...add.declaration, name, kernel: name };
  return { declaration, tensors: [tensor, tensor, tensor], attributes: {}, packedAttributes: new Float64Array() };
}

describe('a side stream on a GPU', () => {
  test('runs ops and copies on a stream of its own, ordered with the ops by events alone', () => {
    const { calls } = useStandIn();
    const backend = new CudaBackend('cuda:0');
    using stream = backend.openSideStream();
    using host = backend.allocateHost(32);
    using tensor = tensorAt(4096, 4);
    stream.followOps();
    stream.run(() => backend.run(callOf('add', tensor)));
    stream.download(tensor, host.bytes.subarray(8, 24));
    backend.run(callOf('add', tensor));
    stream.upload(tensor, host.bytes.subarray(0, 16));
    stream.holdOps();
    expect(calls).toEqual([
      'event 1 after stream 1',
      'stream 2 waits for event 1',
      'op 0 on stream 2',
      'down 16 from 4096 to +8 on stream 2',
      'op 0 on stream 1',
      'up 16 to 4096 on stream 2',
      'event 1 after stream 2',
      'stream 1 waits for event 1',
    ]);
  });

  test('marks at the call and waits for one mark at a time', async () => {
    const { calls, finish } = useStandIn();
    const stream = new CudaBackend('cuda:0').openSideStream();
    const reached: string[] = [];
    const first = stream.reached().then(() => reached.push('first'));
    const second = stream.reached().then(() => reached.push('second'));
    await Promise.resolve();
    expect(calls).toEqual(['event 2 after stream 2', 'event 3 after stream 2', 'host waits for event 2']);
    finish[0]?.();
    await first;
    expect(reached).toEqual(['first']);
    await vi.waitFor(() => expect(calls.at(-1)).toBe('host waits for event 3'));
    finish[1]?.();
    await second;
    void stream.reached(); // takes event 2 or 3 again rather than a new one
    expect(calls.at(-1)).toMatch(/^event [23] after stream 2$/);
  });

  test('refuses ops that need memory, since memory is handed out in the order of the ops', () => {
    const { calls } = useStandIn();
    const backend = new CudaBackend('cuda:0');
    using stream = backend.openSideStream();
    using tensor = tensorAt(4096, 4);
    expect(codeOf(() => stream.run(() => backend.allocate(64)))).toBe('INVALID_ARGUMENT');
    expect(codeOf(() => stream.run(() => backend.run(callOf('sample', tensor))))).toBe('INVALID_ARGUMENT');
    expect(calls).toEqual([]);
    backend.run(callOf('sample', tensor)); // the stream of the ops is chosen again after the error
    expect(calls).toEqual(['op 1 on stream 1']);
  });

  test('refuses everything while a capture is under way', () => {
    const { calls } = useStandIn();
    const backend = new CudaBackend('cuda:0');
    using stream = backend.openSideStream();
    using tensor = tensorAt(4096, 4);
    backend.beginRecording();
    for (const action of [
      () => stream.followOps(),
      () => stream.holdOps(),
      () => stream.run(() => undefined),
      () => stream.upload(tensor, new Uint8Array(16)),
      () => stream.download(tensor, new Uint8Array(16)),
      () => void stream.reached(),
    ]) {
      expect(codeOf(action)).toBe('CAPTURE_VIOLATION');
    }
    backend.abortRecording();
    expect(calls).toEqual([]);
  });

  test('gives stream, events and page-locked memory back, each once', async () => {
    const { calls, finish } = useStandIn();
    const backend = new CudaBackend('cuda:0');
    const stream = backend.openSideStream();
    const host = backend.allocateHost(32);
    const wait = stream.reached();
    stream[Symbol.dispose]();
    stream[Symbol.dispose]();
    host[Symbol.dispose]();
    host[Symbol.dispose]();
    expect(() => stream.followOps()).toThrow(DisposedError);
    await vi.waitFor(() => expect(finish).toHaveLength(1));
    finish[0]?.();
    await wait;
    await vi.waitFor(() => expect(calls).toContain('destroy event 2'));
    expect(calls.filter((call) => /destroy|free/.test(call))).toEqual([
      'destroy stream 2',
      'destroy event 1',
      'free pinned 32',
      'destroy event 2',
    ]);
  });
});
