// Public exports of @limen/graph-runtime.

export {
  bucketSizes,
  decodeBucketSizes,
  doublingBucketSizes,
  findBucket,
  prefillBucketSizes,
  smallestBucket,
} from './bucket-sizes.js';
export {
  BucketedSteps,
  type BucketedStepsOptions,
  type BucketProgram,
  type BucketStatistics,
} from './bucketed-steps.js';
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
export { LatencyHistory } from './latency-history.js';
export { PerformanceMonitor, type StepFigures, type StepRecord } from './performance-monitor.js';
export { prometheusText, type PrometheusFamily, type PrometheusSample } from './prometheus-text.js';
export { type StaticInput, StaticInputs } from './static-inputs.js';
