// Graphs of many functions and sizes on one device: one memory pool, one budget, one log.

import { DisposedError } from '@limen/cuda-kernels';
import {
  CaptureViolationError,
  InvalidArgumentError,
  openRecordingPool,
  openSideStream,
  parseDevice,
  type RecordingPool,
  requireNoCapture,
  type SideStream,
  synchronize,
} from '@limen/tensor';

import type { Bucket, BucketStatistics } from './bucket.js';
import type { BucketedDeclaration, InputDeclarations, OutputDeclarations } from './bucket-declaration.js';
import { BucketedFunction } from './bucketed-function.js';
import type { CapturedGraph } from './captured-graph.js';
import { EventLog } from './event-log.js';
import { Parameter, type ParameterOptions } from './parameter.js';
import type { RuntimeServices } from './runtime-services.js';

/** How graphs are kept. */
export interface GraphRuntimeOptions {
  /** `'cpu'`, `'cuda'`, `'cuda:N'`. */
  readonly device: string;
  /**
   * Most bytes that the inputs of graphs and the memory they work in may take; default: no bound. Beyond it the graphs
   * used longest ago are evicted. While a capture is under way it may be exceeded by what is captured. What the driver
   * takes for the graphs themselves is reported, not counted: it comes in pieces that outlive a graph.
   */
  readonly byteBudget?: number;
  /** Replays on a stream of its own, beside the ops, and ordered with them by events; default false. */
  readonly sideStream?: boolean;
  /** Events to remember; default 1024. */
  readonly eventCapacity?: number;
}

/** Facts about a runtime. */
export interface GraphRuntimeStatistics {
  readonly device: string;
  readonly byteBudget: number;
  /** Bytes held now, as the budget counts them: `poolBytes` and inputs. */
  readonly bytes: number;
  /** Bytes of the memory that all graphs work in. */
  readonly poolBytes: number;
  /** Bytes that the driver took for graphs, as far as they can be seen. */
  readonly driverBytes: number;
  /** Graphs that exist. */
  readonly graphs: number;
  readonly requests: number;
  readonly replays: number;
  readonly eagerRuns: number;
  /** Replays over requests, 0 to 1; 0 before any. */
  readonly hitRate: number;
  readonly captures: number;
  readonly captureMilliseconds: number;
  readonly evictions: number;
  /** Requests that no bucket holds, by reason. */
  readonly unbucketed: Readonly<Record<string, number>>;
  readonly buckets: readonly BucketStatistics[];
}

interface Member extends Disposable {
  readonly name: string;
  readonly members: Iterable<Bucket>;
  readonly unbucketed: Readonly<Record<string, number>>;
  invalidate(reason: string): void;
}

/**
 * Captures functions of tensors in buckets, and replays them.
 *
 * @example
 * using runtime = GraphRuntime.create({ device: 'cuda', byteBudget: 256 * 2 ** 20 });
 * const double = runtime.bucketed('double', {
 *   axes: { rows: [1, 2, 4, 8] },
 *   inputs: { x: { shape: ['rows', 256] } },
 *   outputs: { y: ['rows', 256] },
 *   step: ({ x }) => ({ y: affine({ x }, { scale: 2 }) }),
 * });
 * using result = double.run({ x });
 * const y = await read(result.outputs.y);
 */
export class GraphRuntime implements Disposable {
  readonly device: string;
  /** What happened to graphs. */
  readonly events: EventLog;
  readonly #pool: RecordingPool;
  readonly #side: SideStream | undefined;
  readonly #functions: Member[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #underWay = new Set<Promise<void>>();
  readonly #services: RuntimeServices;
  #byteBudget: number;
  #evictions = 0;
  #uses = 0;
  #replaysAhead = false;
  #turn: NodeJS.Immediate | undefined;
  #disposed = false;

  private constructor({ device, byteBudget = Infinity, sideStream = false, eventCapacity }: GraphRuntimeOptions) {
    this.device = parseDevice(device);
    this.#byteBudget = checkedBudget(byteBudget);
    this.events = new EventLog(eventCapacity);
    this.#pool = openRecordingPool(device);
    this.#side = sideStream ? openSideStream(device) : undefined;
    this.#services = {
      device: this.device,
      pool: this.#pool,
      events: this.events,
      isCapturing: () => isCapturing(this.device),
      nextUse: () => ++this.#uses,
      replay: (graph) => this.#replay(graph),
      join: () => this.join(),
      makeRoomFor: (bucket) => this.#makeRoomFor(bucket),
      evictAllBut: (bucket) => this.#evictAllBut(bucket),
      schedule: (capture) => this.#schedule(capture),
      track: (work) => this.#track(work),
    };
  }

  /**
   * @returns the caller disposes it, and with it every function made by it
   * @throws {DeviceNotAvailableError} there is no such device
   * @throws {InvalidArgumentError} the budget is not positive
   */
  static create(options: GraphRuntimeOptions): GraphRuntime {
    return new GraphRuntime(options);
  }

  /**
   * Declares a function of tensors and the sizes to capture it for.
   *
   * @param name - for errors, events and statistics
   * @throws {InvalidArgumentError} an axis has no sizes, or a shape names an unknown axis
   */
  bucketed<
    const Axis extends string,
    const Inputs extends InputDeclarations<NoInfer<Axis>>,
    const Outputs extends OutputDeclarations<NoInfer<Axis>>,
  >(name: string, declaration: BucketedDeclaration<Axis, Inputs, Outputs>): BucketedFunction<Axis, Inputs, Outputs> {
    if (this.#disposed) throw new DisposedError('graph runtime', 'asked for a function');
    const made = new BucketedFunction(name, declaration, this.#services);
    this.#functions.push(made);
    return made;
  }

  /** A value that functions read and the host changes between calls; no graph is captured anew. The caller disposes it. */
  parameter(values: ArrayLike<number>, options: ParameterOptions = {}): Parameter {
    return new Parameter(this.device, values, options, () => this.join());
  }

  /**
   * Drops every graph, because something that they were captured with has changed: a weight that is not listed under
   * `weights`, or a JavaScript value that a step uses.
   */
  invalidate(reason: string): void {
    for (const member of this.#functions) member.invalidate(reason);
  }

  /** Changes the budget, and evicts at once what no longer fits. */
  setByteBudget(bytes: number): void {
    this.#byteBudget = checkedBudget(bytes);
    for (const bucket of this.#buckets()) if (bucket.state === 'over-budget') bucket.reset();
    while (this.#bytes() > this.#byteBudget && this.#evictOldest(undefined));
  }

  /**
   * Lets ops called from now on wait for the replays so far. Needed only with a side stream, and only before writing to
   * tensors that graphs read and the runtime does not know, such as weights.
   */
  join(): void {
    if (!this.#replaysAhead) return;
    this.#replaysAhead = false;
    this.#side?.holdOps();
  }

  /** Resolves when no capture waits in the background and no comparison is under way. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0 || this.#waiting.length > 0) {
      await Promise.all(this.#underWay);
      if (this.#waiting.length > 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /**
   * Replays every graph on what its inputs hold, and notes in the statistics how long one replay takes. Results of
   * earlier calls stay as they are. Other work on the device at the same time makes the figures larger.
   */
  async timeGraphs({ replays = 10 }: { readonly replays?: number } = {}): Promise<void> {
    for (const bucket of [...this.#buckets()]) {
      const held = bucket.graph;
      if (held === undefined) continue;
      this.join();
      await synchronize(this.device);
      if (bucket.graph !== held) continue; // evicted meanwhile
      const start = performance.now();
      for (let count = 0; count < replays; count++) this.#replay(held.graph);
      this.join();
      await synchronize(this.device);
      bucket.replayMilliseconds = (performance.now() - start) / replays;
    }
  }

  statistics(): GraphRuntimeStatistics {
    const buckets = Array.from(this.#buckets(), ({ statistics }) => statistics);
    const sum = (fact: (bucket: BucketStatistics) => number) => buckets.reduce((total, each) => total + fact(each), 0);
    const unbucketed: Record<string, number> = {};
    for (const member of this.#functions) {
      for (const [reason, times] of Object.entries(member.unbucketed)) {
        unbucketed[reason] = (unbucketed[reason] ?? 0) + times;
      }
    }
    const beyond = Object.values(unbucketed).reduce((total, times) => total + times, 0);
    const requests = sum((bucket) => bucket.requests) + beyond;
    const replays = sum((bucket) => bucket.replays);
    return {
      device: this.device,
      byteBudget: this.#byteBudget,
      bytes: this.#bytes(),
      poolBytes: this.#pool.bytes,
      driverBytes: sum((bucket) => bucket.driverBytes),
      graphs: buckets.filter(({ nodeCount }) => nodeCount > 0).length,
      requests,
      replays,
      eagerRuns: sum((bucket) => bucket.eagerRuns) + beyond,
      hitRate: requests === 0 ? 0 : replays / requests,
      captures: sum((bucket) => bucket.captures),
      captureMilliseconds: sum((bucket) => bucket.captureMilliseconds),
      evictions: this.#evictions,
      unbucketed,
      buckets,
    };
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.#turn !== undefined) clearImmediate(this.#turn);
    this.#waiting.length = 0;
    for (const member of this.#functions) member[Symbol.dispose]();
    this.#side?.[Symbol.dispose]();
  }

  *#buckets(): Iterable<Bucket> {
    for (const member of this.#functions) yield* member.members;
  }

  #bytes(): number {
    let bytes = this.#pool.bytes;
    for (const bucket of this.#buckets()) bytes += bucket.ownBytes;
    return bytes;
  }

  #replay(graph: CapturedGraph<unknown>): void {
    const side = this.#side;
    if (side === undefined) {
      graph.replay();
      return;
    }
    side.followOps();
    side.run(() => void graph.replay());
    this.#replaysAhead = true;
  }

  #makeRoomFor(bucket: Bucket): void {
    const alone = bucket.aloneBytes;
    while (alone <= this.#byteBudget && this.#bytes() > this.#byteBudget && this.#evictOldest(bucket));
    if (this.#bytes() <= this.#byteBudget) return;
    this.join();
    const text = `needs ${alone} bytes, the budget is ${this.#byteBudget}`;
    // Alone it would fit: results that are still held keep the memory of graphs that are gone. That passes.
    if (alone <= this.#byteBudget) bucket.fail(`${text}, of which results hold a part`);
    else bucket.drop('over-budget');
    this.events.add('over-budget', bucket.functionName, bucket.name, text);
  }

  #evictAllBut(bucket: Bucket): boolean {
    let evicted = false;
    while (this.#evictOldest(bucket)) evicted = true;
    return evicted;
  }

  /** Drops the graph used longest ago, but not `spared`; false when there is none. */
  #evictOldest(spared: Bucket | undefined): boolean {
    let oldest: Bucket | undefined;
    for (const bucket of this.#buckets()) {
      if (bucket === spared || bucket.graph === undefined) continue;
      if (oldest === undefined || bucket.lastUse < oldest.lastUse) oldest = bucket;
    }
    if (oldest === undefined) return false;
    this.join();
    const bytes = oldest.aloneBytes;
    oldest.drop('none');
    oldest.evictions++;
    this.#evictions++;
    this.events.add('evicted', oldest.functionName, oldest.name, `${bytes} bytes, the longest unused`);
    return true;
  }

  #schedule(capture: () => void): void {
    this.#waiting.push(capture);
    this.#turn ??= setImmediate(() => this.#takeTurn());
  }

  #takeTurn(): void {
    this.#turn = undefined;
    this.#waiting.shift()?.();
    if (this.#waiting.length > 0) this.#turn = setImmediate(() => this.#takeTurn());
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
  }
}

function isCapturing(device: string): boolean {
  try {
    requireNoCapture(device);
    return false;
  } catch (error) {
    if (error instanceof CaptureViolationError) return true;
    throw error;
  }
}

function checkedBudget(bytes: number): number {
  if (bytes > 0) return bytes;
  throw new InvalidArgumentError(
    `GraphRuntime: byteBudget is not allowed: expected a positive number of bytes, got ${bytes}. Leave it out for no bound.`,
    { byteBudget: bytes },
  );
}
