import { opCases } from '@limen/tensor/testing';

import { decodeLayersCases } from '../testing/decode-layers-cases.js';
import { decodeLayersInt8 } from './decode-layers-int8.js';

export default opCases(decodeLayersInt8, decodeLayersCases({ low: -127, high: 128 }, { low: 0.0005, high: 0.001 }));
