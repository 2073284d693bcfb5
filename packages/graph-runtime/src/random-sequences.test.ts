import { checkRandomSequences } from './testing/random-sequences.js';

checkRandomSequences('cpu', 1000);
