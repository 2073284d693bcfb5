// What the CUDA backend refuses, against a stand-in for the addon: no device is needed to see the errors.

import { LimenError, type NativeBinding } from '@limen/cuda-kernels';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import { UnsupportedOpError } from '../errors/unsupported-op-error.js';
import { gelu } from '../ops/gelu.js';
import { Storage } from '../storage.js';
import { Tensor } from '../tensor.js';
import { CudaBackend } from './cuda-backend.js';

const native = vi.hoisted((): { load: { binding: unknown; reason: string } } => ({
  load: { binding: null, reason: '' },
}));
vi.mock('@limen/cuda-kernels', async (importOriginal) => ({
  ...(await importOriginal<object>()),
  loadNative: () => native.load,
}));

const healthy = { compiled: true, deviceCount: 1, errorCode: 0, errorName: 'cudaSuccess', errorMessage: 'no error' };

/** What the stand-in was asked to do, in order. */
const calls: string[] = [];
let driverShare = 0;

function useStandIn(status: Partial<typeof healthy> = {}): void {
  let next = 4096;
  let free = 1e9;
  let streams = 0;
  calls.length = 0;
  const binding: Partial<NativeBinding> = {
    cudaStatus: () => ({ ...healthy, driverVersion: 13000, runtimeVersion: 13000, ...status }),
    ops: () => [{ name: 'rms_norm', backend: 'cuda', usesWorkspace: false }],
    createStream: () => ++streams,
    allocate: (_device, bytes) => (next += bytes),
    free: () => undefined,
    memoryInfo: () => ({ freeBytes: free, totalBytes: 1e9 }),
    beginCapture: () => undefined,
    abortCapture: () => undefined,
    endCapture: () => 71,
    graphNodeCount: () => 3,
    instantiateGraph: () => ((free -= driverShare), 72),
    destroyGraph: (graph) => void calls.push(`destroy graph ${graph}`),
    destroyGraphExecutable: (executable) => void calls.push(`destroy executable ${executable}`),
    launchGraph: (_device, executable, stream) => void calls.push(`launch ${executable} on stream ${stream}`),
    createEvent: () => 9,
    destroyEvent: () => undefined,
    destroyStream: () => undefined,
    recordEvent: (_device, _event, stream) => void calls.push(`mark stream ${stream}`),
    waitEvent: (_device, stream) => void calls.push(`stream ${stream} waits`),
  };
  native.load = { binding, reason: '' };
}

function thrownBy(action: () => unknown): LimenError {
  try {
    action();
  } catch (error) {
    if (LimenError.isInstance(error)) return error;
    throw error;
  }
  throw new LimenError('NOTHING_THROWN', 'the call went through.');
}

beforeEach(() => useStandIn());

describe('a device', () => {
  test.each<[string, string, () => void]>([
    [
      'cuda:0',
      'the native addon could not be loaded: no built addon was found.',
      () => (native.load = { binding: null, reason: 'no built addon was found' }),
    ],
    ['cuda:0', 'the native addon was built without CUDA.', () => useStandIn({ compiled: false })],
    [
      'cuda:0',
      'the CUDA runtime found no usable GPU (cudaErrorNoDevice: none).',
      () => useStandIn({ deviceCount: 0, errorName: 'cudaErrorNoDevice', errorMessage: 'none' }),
    ],
    ['cuda:3', 'this machine has 1 CUDA device(s), the highest is cuda:0.', () => useStandIn()],
  ])('%s is refused because %s', (device, reason, prepare) => {
    prepare();
    const error = thrownBy(() => new CudaBackend(device as 'cuda:0'));
    expect(error).toMatchObject({ code: 'DEVICE_NOT_AVAILABLE', details: { device, reason } });
    expect(error.message).toMatch(/ Run `limen doctor` for details, or use device 'cpu'\.$/);
  });
});

describe('an op', () => {
  test('without a kernel is UNSUPPORTED_OP with the kernel’s name and two ways on', () => {
    const backend = new CudaBackend('cuda:0');
    const call = { declaration: gelu.declaration, tensors: [], attributes: {}, packedAttributes: new Float64Array() };
    const error = thrownBy(() => backend.run(call));
    expect(error).toBeInstanceOf(UnsupportedOpError);
    expect(error).toMatchObject({ code: 'UNSUPPORTED_OP', details: { op: 'gelu', kernel: 'gelu' } });
    expect(error.message).toBe(
      'gelu: kernel is missing: expected gelu for CUDA in this build of the addon, got none. ' +
        "Build the addon with it, or run the op on device 'cpu'.",
    );
  });
});

describe('a capture on a GPU', () => {
  test.each<[string, (backend: CudaBackend, tensor: Tensor) => unknown]>([
    ['copying from the host', (backend, tensor) => backend.upload(tensor, new Uint8Array(4))],
    ['starting another capture', (backend) => backend.beginRecording()],
    ['waiting for the device', (backend) => void backend.synchronize()],
  ])('refuses %s and can be given up', (what, action) => {
    const backend = new CudaBackend('cuda:0');
    backend.beginRecording();
    using tensor = new Tensor(
      new Storage('cuda:0', { address: 4096, byteLength: 4, release: () => undefined }),
      'f32',
      [1],
    );
    const error = thrownBy(() => action(backend, tensor));
    expect(error).toMatchObject({ code: 'CAPTURE_VIOLATION', details: { what, device: 'cuda:0' } });
    backend.abortRecording();
    expect(backend.isRecording).toBe(false);
  });
});

describe('a recording on a GPU', () => {
  const recorded = (backend: CudaBackend, bytes: readonly number[], pool = backend.openRecordingPool()) => {
    backend.beginRecording(pool);
    for (const each of bytes) backend.allocate(each).release();
    return backend.endRecording();
  };

  test('is launched on the stream of the ops, and inside SideStream.run on that one, between two events', () => {
    const backend = new CudaBackend('cuda:0');
    using side = backend.openSideStream();
    using recording = recorded(backend, []);
    recording.replay();
    side.followOps();
    side.run(() => recording.replay());
    side.holdOps();
    recording.replay();
    expect(calls).toEqual([
      'destroy graph 71',
      'launch 72 on stream 1',
      'mark stream 1',
      'stream 2 waits',
      'launch 72 on stream 2',
      'mark stream 2',
      'stream 1 waits',
      'launch 72 on stream 1',
    ]);
  });

  test('shares the memory of its pool, says what it uses, and gives it back with the last recording', () => {
    const backend = new CudaBackend('cuda:0');
    const pool = backend.openRecordingPool();
    const [large, small] = [recorded(backend, [8192, 4096], pool), recorded(backend, [1024], pool)];
    // One block: the second request came after the first had been given back.
    expect([large.privateBytes, small.privateBytes]).toEqual([8192, 8192]);
    expect(pool.bytes).toBe(large.privateBytes);
    expect(backend.pool.statistics().arenaBytes).toBe(pool.bytes);
    large[Symbol.dispose]();
    expect(pool.bytes).toBe(small.privateBytes);
    small[Symbol.dispose]();
    expect(backend.pool.statistics().arenaBytes).toBe(0);
    expect(calls.filter((call) => call === 'destroy executable 72')).toHaveLength(2);
  });

  test('reports what the driver took for it, but not what others took meanwhile', () => {
    driverShare = 100_000;
    using recording = recorded(new CudaBackend('cuda:0'), []);
    expect([recording.nodeCount, recording.driverBytes]).toEqual([3, 100_000]);
    driverShare = 5e8;
    useStandIn();
    using beside = recorded(new CudaBackend('cuda:0'), []);
    expect(beside.driverBytes).toBe(3 * 128 * 1024);
    driverShare = 0;
  });
});
