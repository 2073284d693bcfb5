import { LimenError } from './limen-error.js';

/** A refusal or failure in native code that is no CUDA status: a wrong argument, an unsupported type, an unreadable file. */
export class NativeError extends LimenError {}
