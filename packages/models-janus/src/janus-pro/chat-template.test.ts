// A real template, and templates written to stop a server.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { ChatTemplateError } from '../errors/chat-template-error.js';
import { ChatTemplate, findChatTemplate } from './chat-template.js';
import { conversationPrompt } from './prompt.js';

// The logic of the template that transformers ships with Janus.
const janus = `{%- for message in messages %}{%- if message.role == 'user' %}<|User|>: {% elif message.role == 'assistant' %}<|Assistant|>: {% else %}{{ message.role | capitalize }}: {% endif -%}
{%- for item in message['content'] %}
{%- if item.type == 'image' %}{{ '' if loop.first else '\\n' }}<image_placeholder>{{ '' if loop.last else '\\n' }}
{%- elif item.type == 'text' %}{%- set text = item['text'] -%}
{%- if loop.first %}{% set text = text.lstrip() %}{% endif -%}{%- if loop.last %}{% set text = text.rstrip() %}{% endif -%}
{{ ' ' ~ text if not loop.first and message['content'][loop.index0 - 1].type == 'text' else text }}
{%- endif %}{%- endfor %}
{%- if not loop.last or add_generation_prompt %}{{ '\\n\\n' if message.role == 'user' else eos_token }}{% endif -%}
{%- endfor %}{%- if add_generation_prompt %}<|Assistant|>:{% endif -%}`;

function outcome(source: string, variables: Readonly<Record<string, unknown>> = {}): string {
  try {
    ChatTemplate.compile(source).render(variables);
  } catch (error) {
    if (error instanceof ChatTemplateError)
      return error.details.limit === undefined ? error.code : `${error.code} ${String(error.details.limit)}`;
    throw error;
  }
  return 'ACCEPTED';
}

const doubled = (times: number) => '{% set a = [a, a] %}'.repeat(times);

describe('ChatTemplate', () => {
  it('renders a conversation as the built-in format does', () => {
    const text = (value: string) => ({ type: 'text', text: value }) as const;
    const messages = [
      { role: 'user', content: [{ type: 'image' }, text('What is it?')] },
      { role: 'assistant', content: [text('A disc.')] },
      { role: 'user', content: [text('a'), text('b')] },
    ] as const;
    const rendered = ChatTemplate.compile(janus).render({
      messages,
      add_generation_prompt: true,
      eos_token: '<｜end▁of▁sentence｜>',
    });
    expect(rendered).toBe(conversationPrompt(messages, { system: '' }));
  });

  it('offers what templates use: ranges, namespaces, filters, constants', () => {
    const source =
      "{% set ns = namespace(n=0) %}{% for i in range(1, 7, 2) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }} {{ [1, 2] | join(', ') }} {{ 'a-b' | replace('-', '+') }} {{ {'k': none} | tojson(indent=1) }} {{ range(3, 0, -1) | list }}";
    expect(ChatTemplate.compile(source).render({})).toBe('9 1, 2 a+b {\n "k": null\n} [3, 2, 1]');
    expect(
      ChatTemplate.compile('{{ messages[0]["content"] }}{{ strftime_now is defined }}').render({
        messages: [{ content: 'x' }],
      }),
    ).toBe('xfalse');
  });

  it('is found in its own file, in tokenizer_config.json, or not at all', () => {
    const folder = mkdtempSync(join(tmpdir(), 'limen-template-'));
    const write = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const render = (files: Parameters<typeof findChatTemplate>[0]) => findChatTemplate(files)?.render({});
    const chatTemplate = write('chat_template.jinja', 'file');
    const tokenizerConfig = write('one.json', '{"chat_template":"one"}');
    expect(render({ chatTemplate, tokenizerConfig })).toBe('file');
    expect(render({ tokenizerConfig })).toBe('one');
    const several = '{"chat_template":[{"name":"tools","template":"x"},{"name":"default","template":"several"}]}';
    expect(render({ tokenizerConfig: write('several.json', several) })).toBe('several');
    expect(render({ tokenizerConfig: write('none.json', '{}') })).toBeUndefined();
    expect(render({})).toBeUndefined();
    rmSync(folder, { recursive: true });
  });

  it('passes on what a template raises', () => {
    expect(outcome("{{ raise_exception('roles must alternate') }}")).toBe('CHAT_TEMPLATE_RAISED');
    expect(() => ChatTemplate.compile("{{ raise_exception('roles must alternate') }}").render({})).toThrow(
      'roles must alternate',
    );
  });

  it.each([
    ['a huge range', '{% for i in range(100000000) %}{% endfor %}', 'CHAT_TEMPLATE_LIMIT range'],
    ['a huge range downwards', '{{ range(0, -100000000, -1) }}', 'CHAT_TEMPLATE_LIMIT range'],
    ['a range without end', '{{ range(0, 10, 0) }}', 'CHAT_TEMPLATE_FAILED'],
    ['a range of fractions', '{{ range(0, 1, 0.0000001) }}', 'CHAT_TEMPLATE_FAILED'],
    ['a range of nothing', '{{ range() }}', 'CHAT_TEMPLATE_FAILED'],
    [
      'nested loops',
      '{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}',
      'CHAT_TEMPLATE_LIMIT',
    ],
    [
      'nested empty loops',
      '{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}',
      'CHAT_TEMPLATE_LIMIT',
    ],
    ['a macro that calls itself', '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}', 'CHAT_TEMPLATE_FAILED'],
    [
      'a macro that calls itself twice',
      '{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}',
      'CHAT_TEMPLATE_LIMIT',
    ],
    ['a text that doubles', `{% set s = 'x' %}${'{% set s = s ~ s %}'.repeat(60)}{{ s }}`, 'CHAT_TEMPLATE_LIMIT'],
    ['a text that doubles by +', `{% set s = 'x' %}${'{% set s = s + s %}'.repeat(60)}{{ s }}`, 'CHAT_TEMPLATE_LIMIT'],
    [
      'a text that doubles in a namespace',
      `{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}`,
      'CHAT_TEMPLATE_LIMIT',
    ],
    ['a list that doubles', `{% set a = [1] %}${'{% set a = a + a %}'.repeat(60)}`, 'CHAT_TEMPLATE_LIMIT'],
    ['a list that nests itself twice', `{% set a = [1] %}${doubled(60)}{{ a }}`, 'CHAT_TEMPLATE_LIMIT'],
    [
      'a list that nests itself twice, as JSON',
      `{% set a = [1] %}${doubled(60)}{{ a | tojson }}`,
      'CHAT_TEMPLATE_LIMIT',
    ],
    ['a list that nests itself twice, compared', `{% set a = [1] %}${doubled(60)}{{ a == '' }}`, 'CHAT_TEMPLATE_LIMIT'],
    [
      'an object that nests itself twice',
      `{% set a = {'k': 1} %}${"{% set a = {'k': a, 'l': a} %}".repeat(60)}{{ a }}`,
      'CHAT_TEMPLATE_LIMIT',
    ],
    ['a namespace in a list', '{% set ns = namespace(x=1) %}{% set a = [ns, ns] %}', 'CHAT_TEMPLATE_NOT_ALLOWED'],
    ['a namespace in itself', '{% set ns = namespace(x=1) %}{% set ns.x = ns %}{{ ns }}', 'CHAT_TEMPLATE_NOT_ALLOWED'],
    [
      'much output',
      "{% for i in range(9999) %}{{ 'x' * 1 if false else 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy' }}{% endfor %}",
      'CHAT_TEMPLATE_LIMIT',
    ],
    ['a huge indent', "{{ 'a\\nb' | indent(1000000000) }}", 'CHAT_TEMPLATE_NOT_ALLOWED'],
    ['a computed indent', "{{ 'a\\nb' | indent(10 ** 9) }}", 'CHAT_TEMPLATE_NOT_ALLOWED'],
    ['a huge indent by name', "{{ 'a\\nb' | indent(width=1000000000) }}", 'CHAT_TEMPLATE_NOT_ALLOWED'],
    ['a huge indent of a block', '{% filter indent(1000000000) %}a\nb{% endfilter %}', 'CHAT_TEMPLATE_NOT_ALLOWED'],
    ['a huge indent of JSON', '{{ [1] | tojson(indent=1000000000) }}', 'CHAT_TEMPLATE_NOT_ALLOWED'],
    ['arguments from a list', '{% set w = [1000000000] %}{{ "a\\nb" | indent(*w) }}', 'CHAT_TEMPLATE_NOT_ALLOWED'],
    ['a growing replacement', "{% set s = 'aaaaaaaa' %}{{ s.replace('a', s) }}", 'CHAT_TEMPLATE_NOT_ALLOWED'],
    [
      'a growing replacement by filter',
      "{% set s = 'aaaaaaaa' %}{{ s | replace('a', s) }}",
      'CHAT_TEMPLATE_NOT_ALLOWED',
    ],
    ['a replacement under another name', "{% set r = 'aaaa'.replace %}{{ r('a', 'b') }}", 'CHAT_TEMPLATE_NOT_ALLOWED'],
    ['a replacement under a key', "{{ 'aaaa'['replace']('a', messages) }}", 'CHAT_TEMPLATE_NOT_ALLOWED'],
    ['a replacement under a computed key', "{{ 'aaaa'['rep' ~ 'lace']('a', 'b') }}", 'CHAT_TEMPLATE_NOT_ALLOWED'],
    [
      'a replacement fetched by a computed key',
      "{% set k = 'rep' ~ 'lace' %}{% set r = 'aaaa'[k] %}{{ r('a', 'b') }}",
      'CHAT_TEMPLATE_NOT_ALLOWED',
    ],
    ['a joining by a long text', "{% set s = 'aaaa' %}{{ [1, 2] | join(s) }}", 'CHAT_TEMPLATE_NOT_ALLOWED'],
    ['an endless power', '{{ 9 ** 9 ** 9 ** 9 }}', 'CHAT_TEMPLATE_FAILED'],
    ['an unknown filter', '{{ 1 | shell }}', 'CHAT_TEMPLATE_FAILED'],
    ['a call of the constructor', "{{ ''.constructor.constructor('return process')() }}", 'CHAT_TEMPLATE_FAILED'],
    ['a walk to the prototype', '{{ messages.__proto__.x() }}', 'CHAT_TEMPLATE_FAILED'],
    ['a break outside of a loop', '{% break %}', 'CHAT_TEMPLATE_FAILED'],
    ['an open block', '{% for i in x %}', 'CHAT_TEMPLATE_INVALID'],
    ['deep brackets', `{{ ${'('.repeat(30_000)}1${')'.repeat(30_000)} }}`, 'CHAT_TEMPLATE_INVALID'],
    ['many comments that do not end', '{#'.repeat(32_000), 'CHAT_TEMPLATE_INVALID'],
    ['a template beyond the limit', 'x'.repeat(65_537), 'CHAT_TEMPLATE_TOO_LARGE'],
  ])('stops %s', (_, source, expected) => {
    expect(outcome(source)).toMatch(new RegExp(`^${expected}`, 'u'));
  });

  it('tells which limit was exceeded', () => {
    const unhurried = (source: string) => () => ChatTemplate.compile(source, { milliseconds: 60_000 }).render({});
    expect(unhurried(`{% set s = 'x' %}${'{% set s = s ~ s %}'.repeat(60)}`)).toThrow(
      'expected at most 1048576 valueSize',
    );
    expect(unhurried(`{% set a = [1] %}${doubled(60)}`)).toThrow('expected at most 1048576 valueSize');
    expect(unhurried('{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}')).toThrow(
      'expected at most 100000 steps',
    );
  });

  it('counts time and work, and its limits can be narrowed', () => {
    const loop = '{% for i in range(100) %}{{ i }}{% endfor %}';
    const limit = (name: string, value: number) => () => ChatTemplate.compile(loop, { [name]: value }).render({});
    for (const name of ['milliseconds', 'steps', 'work', 'range', 'valueSize']) {
      expect(limit(name, name === 'milliseconds' ? -1 : 50), name).toThrow(ChatTemplateError);
    }
    expect(ChatTemplate.compile(loop).render({})).toHaveLength(190);
  });
});
