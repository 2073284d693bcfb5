import { limenPackage } from '../../tools/tsup/preset.js';

export default limenPackage();
