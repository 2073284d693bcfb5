// Whether GPU tests can run here.

import { cudaUnavailableReason } from '../src/device.js';

const reason = cudaUnavailableReason();
if (reason !== undefined) console.log(`skipped: ${reason}`);

/** True where there is no device; the reason has been printed. */
export const withoutGpu = reason !== undefined;
