// The limen command on the test checkpoint, as its users run it.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

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
    expect(first.errors).toContain('weights are random');
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

  it('demonstrates both and writes down where the time went', async () => {
    const output = join(folder, 'new-folder', 'demo.png');
    const { code, output: text } = await limen(['demo', '--device', 'cpu', '--max-tokens', '3', '-o', output]);
    expect(code).toBe(0);
    expect((await readFile(output)).subarray(1, 4).toString()).toBe('PNG');
    for (const stage of ['Load', 'Read the picture', 'Picture and prompt', 'Decode words', 'Draw', 'Decode pixels']) {
      expect(text).toMatch(new RegExp(`^${stage}.* s .*%`, 'm'));
    }
    expect(text).toContain('tokens/s');
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
