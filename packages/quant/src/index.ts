// Public exports of @limen/quant.

export { ErrorReport, measureError } from './error-report.js';
export type { ErrorMeasures, ErrorReportEntry, ErrorReportEntryJson, ErrorReportJson } from './error-report.js';
export { packInt8Channel, unpackInt8Channel, type Int8ChannelArrays } from './int8-channel.js';
export { linearInt8 } from './ops/linear-int8.js';
export { normLinearInt8 } from './ops/norm-linear-int8.js';
export { quantizeInt8 } from './ops/quantize-int8.js';
export { dequantizeWeights, quantizationError, quantizeWeights } from './quantize-weights.js';
export { QuantizedTensor, type QuantizedParts } from './quantized-tensor.js';
export { int8Channel, schemeNamed, schemes, storedBytes, storedShapes } from './scheme.js';
export type { QuantizationScheme, SchemeName, StoredShapes } from './scheme.js';

export { NotFiniteError } from './errors/not-finite-error.js';
export { UnknownSchemeError } from './errors/unknown-scheme-error.js';
