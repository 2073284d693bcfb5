// The limen command on the test checkpoint, as its users run it.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { makeCase } from '@limen/janus-tiny';
import { loadImage } from '@limen/models-janus';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { decodeSixels } from '../src/testing/decode-sixel.js';
import { limen, paths, startLimen } from './run-limen.js';

const timeLimit = 180_000;

describe('limen', { timeout: timeLimit }, () => {
  let folder = '';
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'limen-cli-'))));
  afterAll(() => rm(folder, { recursive: true }));

  it('says what it can do, with and without a command', async () => {
    const { code, output } = await limen(['--help']);
    expect(code).toBe(0);
    for (const name of ['describe', 'draw', 'serve', 'doctor', 'demo'])
      expect(output).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
    expect((await limen(['draw', '--help'])).output).toContain('Examples:');
  });

  it('describes a picture, equally each time', async () => {
    const parameters = ['describe', paths.picture, 'What is it?', '--max-tokens', '4', '--device', 'cpu', '--json'];
    const [first, second] = [await limen(parameters), await limen(parameters)];
    expect(first.code).toBe(0);
    const answer = JSON.parse(first.output) as { text: string; usage: { completionTokens: number }; device: string };
    expect(answer).toMatchObject({ usage: { completionTokens: 4 }, device: 'cpu' });
    expect(JSON.parse(second.output)).toHaveProperty('text', answer.text);
    expect(first.errors).toMatch(/^No model is named, .*(coloured shapes|weights are random).*--model FOLDER\.$/m);
  });

  it('draws numbered pictures from one seed', async () => {
    const output = join(folder, 'drawing.png');
    const parameters = ['--model', paths.checkpoint, '--device', 'cpu', '--seed', '3'];
    const result = await limen(['draw', 'a cat', '-o', output, '--count', '2', ...parameters]);
    expect(result.code).toBe(0);
    const files = result.output.trim().split('\n');
    expect(files).toEqual([join(folder, 'drawing-1.png'), join(folder, 'drawing-2.png')]);
    const [one, two] = await Promise.all(files.map((file) => readFile(file)));
    expect(one?.subarray(1, 4).toString()).toBe('PNG');
    expect(one?.equals(two ?? one)).toBe(false);
  });

  it('shows pictures where it is told to, beside the words and not among them', async () => {
    const parameters = ['--model', paths.checkpoint, '--device', 'cpu', '--pictures'];
    const output = join(folder, 'shown.png');
    const drawn = await limen(['draw', 'a cat', '-o', output, ...parameters, 'sixel']);
    expect(drawn.output).toBe(`${output}\n`);
    expect(decodeSixels(/\u001bP[^\u001b]*\u001b\\/.exec(drawn.errors)?.[0] ?? '')).toMatchObject({ width: 256 });
    const described = await limen(['describe', output, '--show', '--max-tokens', '1', ...parameters, 'kitty']);
    expect(described.errors).toContain('\u001b_Ga=T,q=2,f=24,o=z,s=256,v=256,m=');
    expect(described.output).not.toContain('\u001b');
    const silent = await limen(['describe', output, '--show', '--max-tokens', '1', ...parameters, 'auto']);
    expect(silent.errors).not.toContain('\u001b');
  });

  it('demonstrates a case: words and answers beside the right ones, a drawing, and where the time went', async () => {
    const output = join(folder, 'new-folder', 'demo.png');
    const parameters = ['--model', paths.checkpoint, '--device', 'cpu', '--max-tokens', '3', '--seed', '2'];
    const { code, output: text, errors } = await limen(['demo', ...parameters, '-o', output]);
    expect(code).toBe(0);
    expect((await readFile(output)).subarray(1, 4).toString()).toBe('PNG');
    const { image, description, questions, drawPrompt } = makeCase('test', 2);
    const picture = join(folder, 'new-folder', 'limen-picture.png');
    expect([...(await loadImage(picture)).data]).toEqual([...image.data]);
    expect(text).toContain(`${picture}, 64 × 64 pixels\nModel: `);
    expect(text).toContain(`Right: ${description}\n`);
    expect(questions.filter((asked) => text.includes(`\n${asked.text}\nModel: `))).toHaveLength(2);
    expect(text).toContain(`Drawing "${drawPrompt}"\nWrote ${output}, 16 × 16 pixels\n`);
    for (const stage of ['Load', 'Read the picture', 'Picture and prompt', 'Decode words', 'Draw', 'Decode pixels']) {
      expect(text).toMatch(new RegExp(`^${stage}.* s .*%`, 'm'));
    }
    expect(text).toContain('tokens/s');
    expect(text + errors).not.toContain('\u001b');
  });

  it('demonstrates a picture and a prompt of somebody else, as one line of JSON', async () => {
    const own = ['--image', paths.picture, '--prompt', 'a cat', '-o', join(folder, 'own.png'), '--json'];
    const parameters = ['--model', paths.checkpoint, '--device', 'cpu', '--max-tokens', '3'];
    const { code, output } = await limen(['demo', ...own, ...parameters]);
    expect(code).toBe(0);
    expect(JSON.parse(output)).toMatchObject({
      model: 'janus-a',
      picture: paths.picture,
      answers: [],
      prompt: 'a cat',
      size: [16, 16],
      times: { codes: 16, tokens: 3, previews: 0 },
    });
  });

  it('examines the machine without its addon, and says how to get it', async () => {
    const { code, output } = await limen(['doctor', '--json'], { LIMEN_NATIVE: 'off' });
    expect([0, 3]).toContain(code);
    const { findings } = JSON.parse(output) as { findings: { name: string; state: string; command?: string }[] };
    const addon = findings.find(({ name }) => name === 'Native addon');
    expect(addon).toMatchObject({ state: 'note', command: 'unset LIMEN_NATIVE' });
  });

  it('serves clients until it is told to end, and ends with 0', async () => {
    const child = startLimen(['serve', '--port', '0', '--device', 'cpu', '--model', paths.checkpoint]);
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    let errors = '';
    const address = await new Promise<string>((resolve, reject) => {
      child.stderr?.setEncoding('utf8').on('data', (part: string) => {
        errors += part;
        const found = /OpenAI clients: (\S+)\)/.exec(errors)?.[1];
        if (found !== undefined) resolve(found);
      });
      void ended.then(() => reject(new RangeError(errors)));
    });
    const client = new OpenAI({ baseURL: address, apiKey: 'none', maxRetries: 0 });
    const completion = await client.chat.completions.create({
      model: 'janus-a',
      messages: [{ role: 'user', content: 'hello' }],
      max_tokens: 2,
    });
    expect(completion.usage?.completion_tokens).toBe(2);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(errors).toContain('Stopped.');
  });

  it('ends with 5 when its port is taken', async () => {
    const { createServer } = await import('node:net');
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as { port: number };
    const { code, errors } = await limen(['serve', '--port', String(port), '--device', 'cpu']);
    holder.close();
    expect(code).toBe(5);
    expect(errors).toMatch(/^limen: .*EADDRINUSE/m);
  });
});
