import { limenPackage } from '../../tools/tsup/preset.js';

export default limenPackage({ entry: ['src/index.ts', 'src/testing/index.ts'] });
