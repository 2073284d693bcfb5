import { opCases } from '@limen/tensor/testing';

import { decodeLayersCases } from '../testing/decode-layers-cases.js';
import { decodeLayers } from './decode-layers.js';

export default opCases(decodeLayers, decodeLayersCases({ low: -0.1, high: 0.1 }));
