// Public exports of @limen/graph-runtime.

export { bucketSizes, decodeBucketSizes, doublingBucketSizes, prefillBucketSizes, smallestBucket } from './bucket-sizes.js';
export { LatencyHistory } from './latency-history.js';
export { PerformanceMonitor, type StepFigures, type StepRecord } from './performance-monitor.js';
export { prometheusText, type PrometheusFamily, type PrometheusSample } from './prometheus-text.js';
