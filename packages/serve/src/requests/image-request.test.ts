import { describe, expect, it } from 'vitest';

import { FakeModel } from '../testing/fake-model.js';
import { validateImageRequest } from './image-request.js';

const model = new FakeModel();
const accept = (body: object) => validateImageRequest({ prompt: 'a cat', ...body }, model);

describe('validateImageRequest', () => {
  it('draws one PNG by default', () => {
    const { request, format, stream } = accept({});
    expect(request).toMatchObject({ prompt: 'a cat', count: 1, previews: 0 });
    expect({ format, stream }).toEqual({ format: 'png', stream: false });
  });

  it("takes the model's size and refuses others, saying which one it draws", () => {
    accept({ size: '16x16' });
    accept({ size: 'auto' });
    for (const size of ['1024x1024', '16X16', 16, '']) {
      expect(() => accept({ size })).toThrow(expect.objectContaining({ param: 'size' }));
    }
    expect(() => accept({ size: '1024x1024' })).toThrow('draws 16x16 only');
  });

  it('refuses addresses in place of pictures, and unknown formats', () => {
    expect(() => accept({ response_format: 'url' })).toThrow(expect.objectContaining({ param: 'response_format' }));
    expect(() => accept({ output_format: 'gif' })).toThrow(expect.objectContaining({ param: 'output_format' }));
    expect(() => accept({ background: 'transparent' })).toThrow(expect.objectContaining({ param: 'background' }));
  });

  it('needs a prompt with something in it', () => {
    for (const prompt of [undefined, null, '', 3, ['a']]) {
      expect(() => accept({ prompt })).toThrow(expect.objectContaining({ param: 'prompt' }));
    }
  });

  it('shows unfinished pictures only in a stream', () => {
    expect(accept({ partial_images: 2 }).request.previews).toBe(0);
    expect(accept({ partial_images: 2, stream: true }).request.previews).toBe(2);
  });

  it('refuses another model', () => {
    expect(() => accept({ model: 'dall-e-3' })).toThrow(expect.objectContaining({ status: 404, param: 'model' }));
  });
});
