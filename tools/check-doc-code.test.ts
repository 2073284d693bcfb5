import { expect, test } from 'vitest';
import { checkDocCode, readCodeBlocks } from './check-doc-code.mjs';
import { plantRepository } from './lib/planted-repository.js';

const page = (code: string) => `# Page\n\nText.\n\n\`\`\`ts\n${code}\n\`\`\`\n`;
const compilerOptions = { target: 'ES2023', module: 'NodeNext', moduleResolution: 'NodeNext', strict: true, types: [] };
const base = { 'tsconfig.base.json': JSON.stringify({ compilerOptions }) };

test('accepts code that compiles beside its page', () => {
  using repository = plantRepository({
    ...base,
    'packages/tensor/src/size.ts': 'export const size = 3;\n',
    'packages/tensor/README.md': page(
      "import { size } from './src/size.js';\nconst twice: number = size * 2;\nvoid twice;",
    ),
  });
  expect(checkDocCode(repository.root)).toEqual([]);
});

test('refuses a name that does not exist, with the line of the page', () => {
  using repository = plantRepository({
    ...base,
    'packages/tensor/src/size.ts': 'export const size = 3;\n',
    'packages/tensor/README.md': page("import { size } from './src/size.js';\nsize.toWords();"),
  });
  expect(checkDocCode(repository.root)).toEqual([expect.stringMatching(/^packages\/tensor\/README\.md:7: .*toWords/)]);
});

test('leaves blocks alone that import nothing', () => {
  expect(readCodeBlocks('a.md', page('const part = 1;'))).toEqual([]);
});
