// Public exports of @limen/graph-runtime.

export {
  bucketSizes,
  decodeBucketSizes,
  doublingBucketSizes,
  findBucket,
  prefillBucketSizes,
  smallestBucket,
} from './bucket-sizes.js';
export { type AxisBuckets, type AxisSizes } from './axes.js';
export type {
  BucketedDeclaration,
  CaptureMode,
  DataInput,
  GivenInputs,
  InputDeclaration,
  InputDeclarations,
  MaskInput,
  OutputDeclarations,
  ShapePart,
  SizeInput,
  StepInputs,
  StepOutputs,
} from './bucket-declaration.js';
export type { BucketState, BucketStatistics } from './bucket.js';
export { BucketedFunction } from './bucketed-function.js';
export { BucketedResult, type CallFacts } from './bucketed-result.js';
export { canCapture, type CaptureVerdict } from './can-capture.js';
export { capture, type CaptureOptions } from './capture.js';
export { CapturedGraph } from './captured-graph.js';
export {
  CapturedStep,
  type CapturedStepOptions,
  type CapturedStepStatistics,
  type CaptureState,
  stepRunner,
} from './captured-step.js';
export { CaptureError } from './errors/capture-error.js';
export type { DeviceSources, MemoryFigures } from './device-figures.js';
export { EventLog, type GraphEvent, type GraphEventKind } from './event-log.js';
export { GraphRuntime, type GraphRuntimeOptions, type GraphRuntimeStatistics } from './graph-runtime.js';
export { LatencyHistory } from './latency-history.js';
export { Parameter, type ParameterOptions } from './parameter.js';
export { PerformanceMonitor, type PerformanceMonitorOptions, type StepRecord } from './performance-monitor.js';
export type { PerformanceReport, StepFigures } from './performance-report.js';
export { prometheusText, type PrometheusFamily, type PrometheusSample } from './prometheus-text.js';
export { type StaticInput, StaticInputs } from './static-inputs.js';
export { Autotuner, type AutotunerOptions, type SizedStep, type Tuned } from './autotune/autotuner.js';
export { type BucketSizeChoice, chooseBucketSizes, type ChosenBucketSizes } from './autotune/choose-bucket-sizes.js';
export { type Machine, machineOf } from './autotune/machine.js';
export { timeStep, type TimingOptions } from './autotune/time-step.js';
