// Pictures in requests are data: URLs. Nothing is ever fetched: a server that follows addresses from its callers can be
// sent to places that only it can reach.

import { RequestError } from '../errors/request-error.js';
import { describeValue, type Field } from './fields.js';
import { limits } from './limits.js';

const head = /^data:image\/(?:png|jpe?g|webp|gif);base64,/i;
const shown = 'data:image/png;base64,…';

/** Reads a data: URL into encoded bytes. Whether they are a picture is for the model's decoder to say. */
export const imageSource: Field<Uint8Array> = (value, path) => {
  if (typeof value !== 'string') throw refused(path, 'has the wrong type', describeValue(value));
  const scheme = /^([a-z][a-z0-9+.-]{0,15}):/i.exec(value)?.[1]?.toLowerCase();
  if (scheme !== 'data') {
    const got = scheme === undefined ? 'a text that is no URL' : `a URL of the kind ${scheme}:`;
    throw refused(path, 'is not a data: URL', got, 'remote_image_refused');
  }
  const start = head.exec(value)?.[0].length;
  if (start === undefined) throw refused(path, 'is not a picture in base64', `"${value.slice(0, 40)}"`);
  const encodedLength = value.length - start;
  const bytes = Math.floor((encodedLength / 4) * 3);
  // The length is known before anything is decoded.
  if (bytes > limits.imageBytes + 2) {
    throw new RequestError(
      `${path} is too large: expected at most ${limits.imageBytes} bytes, got about ${bytes}. Send a smaller picture.`,
      {
        param: path,
        code: 'image_too_large',
      },
    );
  }
  const decoded = Buffer.from(value.slice(start), 'base64');
  // Buffer skips what is not base64, so a wrong text shows in its length.
  const padding = value.endsWith('==') ? 2 : value.endsWith('=') ? 1 : 0;
  if (encodedLength === 0 || encodedLength % 4 !== 0 || decoded.length !== bytes - padding) {
    throw refused(path, 'is not valid base64', `${encodedLength} characters`);
  }
  return decoded;
};

function refused(path: string, problem: string, got: string, code = 'invalid_image_url'): RequestError {
  const advice = 'This server fetches nothing: send the bytes of the picture in the request.';
  return new RequestError(`${path} ${problem}: expected ${shown}, got ${got}. ${advice}`, { param: path, code });
}
