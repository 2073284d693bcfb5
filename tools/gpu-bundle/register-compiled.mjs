// Lets Node run the repository's TypeScript where no TypeScript compiler is: registers the hooks in compiled-source.mjs.

import { register } from 'node:module';

register('./compiled-source.mjs', import.meta.url);
