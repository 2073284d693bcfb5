// A function of tensors that runs as a graph in the smallest bucket that holds a request, and eagerly where it cannot.

import { DisposedError } from '@limen/cuda-kernels';
import type { Tensor } from '@limen/tensor';
import { fromArray, OutOfMemoryError, ShapeMismatchError } from '@limen/tensor';

import { allBuckets, type AxisBuckets, type AxisSizes, bucketName, checkedAxes, fitAxes } from './axes.js';
import { bindSizes, dataInputs, resolveShape } from './bind-sizes.js';
import type {
  BucketedDeclaration,
  GivenInputs,
  InputDeclarations,
  OutputDeclarations,
  StepInputs,
  StepOutputs,
} from './bucket-declaration.js';
import { Bucket, type BucketGraph, type BucketStatistics } from './bucket.js';
import { BucketInputs, corner, generatedValues, onDevice } from './bucket-inputs.js';
import { BucketedResult } from './bucketed-result.js';
import { capture } from './capture.js';
import { checkDeclaration, outputProblem, requireBucket } from './declaration-checks.js';
import { disposeTensors } from './result-tensors.js';
import type { RuntimeServices } from './runtime-services.js';
import { compareOutputs } from './verification.js';
import { WeightWatch } from './weight-watch.js';

type Given = Readonly<Record<string, Tensor | ArrayLike<number>>>;
type Tensors = Readonly<Record<string, Tensor>>;

/** Runs one declared function. `GraphRuntime.bucketed` makes it. */
export class BucketedFunction<
  Axis extends string,
  Inputs extends InputDeclarations<Axis>,
  Outputs extends OutputDeclarations<Axis>,
> implements Disposable {
  readonly name: string;
  readonly #declaration: BucketedDeclaration<Axis, Inputs, Outputs>;
  readonly #axes: Readonly<Record<Axis, AxisBuckets>>;
  readonly #runtime: RuntimeServices;
  readonly #weights: WeightWatch;
  readonly #buckets = new Map<string, Bucket>();
  readonly #unbucketed = new Map<string, number>();
  #disposed = false;

  constructor(name: string, declaration: BucketedDeclaration<Axis, Inputs, Outputs>, runtime: RuntimeServices) {
    this.name = name;
    this.#declaration = declaration;
    this.#axes = checkedAxes(declaration.axes);
    this.#runtime = runtime;
    this.#weights = new WeightWatch(declaration.weights);
    checkDeclaration(name, declaration);
    if (declaration.mode === 'ahead') this.prepare();
  }

  /** Facts about every bucket that was asked for. */
  get buckets(): readonly BucketStatistics[] {
    return Array.from(this.#buckets.values(), ({ statistics }) => statistics);
  }

  /** Calls that no bucket holds, by reason. */
  get unbucketed(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#unbucketed);
  }

  /** @internal Every bucket, for the runtime's accounts. */
  get members(): Iterable<Bucket> {
    return this.#buckets.values();
  }

  /**
   * Runs the function on a request. On CUDA returns at once.
   *
   * @param given - a tensor of any device, or the values row-major, for every input that is no mask; they stay the caller's
   * @param sizes - extents that the inputs leave open
   * @returns the caller disposes it
   * @throws {ShapeMismatchError} an input or output differs from its declaration
   * @throws {InvalidArgumentError} an input is missing, or an axis stays open
   * @throws {DisposedError} the function or its runtime was disposed
   * @throws what an eager run of the step throws
   */
  run(given: GivenInputs<Inputs>, sizes: Partial<AxisSizes<Axis>> = {}): BucketedResult<Outputs> {
    if (this.#disposed) throw new DisposedError(`bucketed function ${this.name}`, 'called');
    const values = given as Given;
    const needed = bindSizes(this.name, this.#axes, this.#declaration.inputs, values, sizes);
    if (this.#runtime.isCapturing())
      return this.#eager(values, needed, undefined, this.#count('inside another capture'));
    this.#recaptureChangedWeights();
    const fit = fitAxes(this.#axes, needed);
    if ('axis' in fit) {
      const reason = this.#count(`larger than every bucket of ${fit.axis}`);
      if (this.#unbucketed.get(reason) === 1) {
        const text = `${reason}: needs ${fit.needed}, the largest is ${fit.largest}`;
        this.#runtime.events.add('fallback', this.name, '', text);
      }
      return this.#eager(values, needed, undefined, reason);
    }
    const bucket = this.#bucketOf(fit.bucket);
    bucket.requests++;
    bucket.lastUse = this.#runtime.nextUse();
    this.#startCapture(bucket);
    const { graph } = bucket;
    if (graph === undefined || bucket.state === 'verifying') {
      return this.#eager(values, needed, bucket, this.#whyEager(bucket));
    }
    return this.#replay(bucket, graph, values, needed);
  }

  /**
   * Captures now, whatever the mode: one bucket, or all of them, the largest first. With verification the first call of
   * each still compares.
   *
   * @returns how many were captured; statistics and events say why others were not
   * @throws {InvalidArgumentError} the bucket is none of the declared ones, or all are asked for and an axis is `'exact'`
   */
  prepare(bucket?: AxisSizes<Axis>): number {
    if (bucket !== undefined) requireBucket(this.name, this.#axes, bucket);
    let captured = 0;
    for (const sizes of bucket === undefined ? allBuckets(this.#axes) : [bucket]) {
      const member = this.#bucketOf(sizes);
      if (member.graph !== undefined) continue;
      member.lastUse = this.#runtime.nextUse();
      this.#capture(member);
      if (member.graph !== undefined) captured++;
    }
    return captured;
  }

  /** Drops every graph, because what they were captured with has changed; the next calls capture anew. */
  invalidate(reason: string): void {
    this.#runtime.join();
    for (const bucket of this.#buckets.values()) bucket.reset();
    this.#runtime.events.add('invalidated', this.name, '', reason);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#runtime.join();
    for (const bucket of this.#buckets.values()) bucket.drop('none');
  }

  /** Counts a call that no bucket takes. */
  #count(reason: string): string {
    this.#unbucketed.set(reason, (this.#unbucketed.get(reason) ?? 0) + 1);
    return reason;
  }

  #bucketOf(sizes: AxisSizes): Bucket {
    const key = bucketName(sizes);
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      bucket = new Bucket(this.name, sizes);
      this.#buckets.set(key, bucket);
    }
    return bucket;
  }

  #recaptureChangedWeights(): void {
    if (this.#weights.changed()) this.invalidate('weights were replaced');
  }

  #startCapture(bucket: Bucket): void {
    const { mode = 'lazy', maxFailures = 3 } = this.#declaration;
    if (mode === 'never' || !bucket.mayCapture(maxFailures)) return;
    if (mode !== 'background') {
      this.#capture(bucket);
      return;
    }
    bucket.state = 'queued';
    this.#runtime.schedule(() => {
      if (bucket.state === 'queued' && !this.#disposed) this.#capture(bucket);
    });
  }

  #capture(bucket: Bucket): void {
    const { verifyFirstReplay = true } = this.#declaration;
    const { events } = this.#runtime;
    try {
      this.#recaptureChangedWeights();
      bucket.hold(this.#captureWithRoom(bucket), verifyFirstReplay ? 'unverified' : 'captured');
    } catch (error) {
      bucket.fail(error instanceof Error ? error.message : String(error));
      events.add('capture-failed', this.name, bucket.name, bucket.lastFailure ?? '');
      return;
    }
    const { nodeCount, captureMilliseconds, aloneBytes } = { ...bucket.statistics, aloneBytes: bucket.aloneBytes };
    const text = `${nodeCount} nodes, ${aloneBytes} bytes, ${captureMilliseconds.toFixed(1)} ms`;
    events.add('captured', this.name, bucket.name, text);
    this.#runtime.makeRoomFor(bucket);
  }

  /** Captures, and once more with every other graph gone when the device is full. */
  #captureWithRoom(bucket: Bucket): BucketGraph {
    try {
      return this.#captureOnce(bucket);
    } catch (error) {
      if (!isOutOfMemory(error) || !this.#runtime.evictAllBut(bucket)) throw error;
      return this.#captureOnce(bucket);
    }
  }

  #captureOnce(bucket: Bucket): BucketGraph {
    const { device, pool } = this.#runtime;
    const { warmUps = 1, inputs: declarations } = this.#declaration;
    const inputs = new BucketInputs(device, declarations, bucket.sizes);
    try {
      const name = `${this.name} ${bucket.name}`;
      const call = () => this.#call(inputs.tensors, bucket.sizes);
      return { inputs, graph: capture(device, call, { name, warmUps, pool }) };
    } catch (error) {
      inputs[Symbol.dispose]();
      throw error;
    }
  }

  #replay(bucket: Bucket, held: BucketGraph, given: Given, sizes: AxisSizes<Axis>): BucketedResult<Outputs> {
    const { inputs, graph } = held;
    this.#runtime.join();
    bucket.lastResult?.[Symbol.dispose]();
    bucket.lastResult = undefined;
    inputs.fill(given, sizes);
    let views: Tensors;
    try {
      this.#runtime.replay(graph);
      views = this.#cut(graph.result as Tensors, sizes);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      bucket.fail(reason);
      this.#runtime.events.add('replay-failed', this.name, bucket.name, reason);
      return this.#eager(given, sizes, bucket, this.#whyEager(bucket));
    }
    if (bucket.state === 'unverified') return this.#verify(bucket, held, views, sizes);
    bucket.replays++;
    const result = this.#result('graph', sizes, bucket, views);
    bucket.lastResult = result;
    return result;
  }

  /** The replay has run; the same inputs run eagerly, and the caller gets that result while the two are compared. */
  #verify(bucket: Bucket, held: BucketGraph, views: Tensors, sizes: AxisSizes<Axis>): BucketedResult<Outputs> {
    this.#runtime.join();
    const { tolerance = 0 } = this.#declaration;
    let eager: Tensors;
    try {
      const made = this.#call(held.inputs.tensors, bucket.sizes);
      eager = this.#cut(made, sizes);
      disposeTensors(made);
    } catch (error) {
      disposeTensors(views);
      throw error;
    }
    bucket.state = 'verifying';
    bucket.eagerRuns++;
    const comparison = compareOutputs(views, eager, tolerance)
      .catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
      .then((difference) => this.#concludeVerification(bucket, held, difference));
    disposeTensors(views);
    this.#runtime.track(comparison);
    return this.#result({ fallback: 'first replay is compared' }, sizes, bucket, eager);
  }

  #concludeVerification(bucket: Bucket, held: BucketGraph, difference: string | undefined): void {
    if (bucket.graph !== held) return; // evicted or invalidated meanwhile
    const { events } = this.#runtime;
    if (difference === undefined) {
      bucket.state = 'captured';
      bucket.failures = 0;
      bucket.lastFailure = undefined;
      events.add('verified', this.name, bucket.name, 'the first replay equals an eager run');
      return;
    }
    this.#runtime.join();
    bucket.fail(difference);
    events.add('verification-failed', this.name, bucket.name, difference);
  }

  /** Runs the request as it is, without padding. */
  #eager(given: Given, sizes: AxisSizes<Axis>, bucket: Bucket | undefined, reason: string): BucketedResult<Outputs> {
    const { device } = this.#runtime;
    const { inputs: declarations } = this.#declaration;
    const inputs: Record<string, Tensor> = {};
    try {
      for (const [name, declaration] of dataInputs(declarations)) {
        const value = given[name];
        if (value !== undefined) inputs[name] = onDevice(value, declaration, sizes, device);
      }
      for (const { name, shape, dtype, values } of generatedValues(declarations, sizes, sizes)) {
        inputs[name] = fromArray(values, shape, { dtype, device });
      }
      const outputs = this.#call(inputs, sizes);
      if (bucket !== undefined) bucket.eagerRuns++;
      return this.#result({ fallback: reason }, sizes, bucket, outputs);
    } finally {
      disposeTensors(inputs);
    }
  }

  #result(
    ran: BucketedResult<Outputs>['ran'],
    sizes: AxisSizes,
    bucket: Bucket | undefined,
    outputs: Tensors,
  ): BucketedResult<Outputs> {
    const facts = { ran, sizes, bucket: bucket?.sizes };
    return new BucketedResult<Outputs>(facts, outputs as StepOutputs<Outputs>, () => this.#runtime.join());
  }

  /** Runs the step; returns the declared outputs, which are the caller's to dispose. */
  #call(inputs: Tensors, sizes: AxisSizes): Tensors {
    const made: Readonly<Record<string, unknown>> = this.#declaration.step(inputs as StepInputs<Inputs>, sizes);
    // A step may return an input as it is. Inputs have an owner already.
    const given = new Set<unknown>(Object.values(inputs));
    const outputs = Object.fromEntries(
      Object.entries(made).map(([name, tensor]) => [name, given.has(tensor) ? (tensor as Tensor).clone() : tensor]),
    );
    const declared = Object.entries(this.#declaration.outputs);
    const problem = outputProblem(declared, outputs, sizes);
    if (problem === undefined) return outputs as Tensors;
    disposeTensors(outputs);
    throw new ShapeMismatchError(`${this.name}: ${problem} Declare what the step returns.`);
  }

  #cut(outputs: Tensors, sizes: AxisSizes): Tensors {
    const entries = Object.entries(this.#declaration.outputs).map(([name, shape]) => {
      const tensor = outputs[name];
      return [name, tensor === undefined ? undefined : corner(tensor, resolveShape(shape, sizes))];
    });
    return Object.fromEntries(entries) as Tensors;
  }

  #whyEager({ state }: Bucket): string {
    if (this.#declaration.mode === 'never') return 'capture is off';
    if (state === 'failed') return 'capture failed';
    if (state === 'over-budget') return 'the graph does not fit the byte budget';
    return state === 'verifying' ? 'first replay is compared' : 'not captured yet';
  }
}

function isOutOfMemory(error: unknown): boolean {
  if (error instanceof OutOfMemoryError) return true;
  return error instanceof Error && error.cause !== undefined && isOutOfMemory(error.cause);
}
