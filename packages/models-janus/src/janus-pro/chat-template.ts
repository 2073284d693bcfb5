// Renders the chat template that a checkpoint brings. A template is a program by a stranger, so it runs in an interpreter
// that counts: steps, sizes of values, length of ranges and time. Templates are never taken from requests.

import { readFileSync } from 'node:fs';

import * as library from '@huggingface/jinja';

import { ChatTemplateError } from '../errors/chat-template-error.js';
import { checkTemplate, type TemplateNode } from './chat-template-rules.js';
import { readJsonFile } from './config-fields.js';

/** Limits on one rendering. */
export interface ChatTemplateLimits {
  /** Characters of the template itself. */
  readonly templateCharacters: number;
  /** Evaluated nodes. */
  readonly steps: number;
  /** Characters of any one value, nested ones included, with 16 for every element; also of the result. */
  readonly valueSize: number;
  /** Sum of the sizes of all values met. */
  readonly work: number;
  /** Elements of a range. */
  readonly range: number;
  readonly milliseconds: number;
}

/** Generous for any real template, small enough to do no harm. */
export const chatTemplateLimits: ChatTemplateLimits = Object.freeze({
  templateCharacters: 65_536,
  steps: 100_000,
  valueSize: 2 ** 20,
  work: 50_000_000,
  range: 10_000,
  milliseconds: 200,
});

interface RuntimeValue {
  readonly type: string;
  readonly value: unknown;
}

interface Environment {
  set(name: string, value: unknown): void;
}

// The library's declarations do not resolve under NodeNext; this is the part of them in use.
const { Environment, Interpreter, parse, tokenize } = library as unknown as {
  readonly Environment: new () => Environment;
  readonly Interpreter: new (environment: Environment) => {
    run(program: TemplateNode): RuntimeValue;
    evaluate(node: TemplateNode | undefined, environment: Environment): RuntimeValue;
  };
  tokenize(source: string, options: { readonly lstrip_blocks: boolean; readonly trim_blocks: boolean }): unknown[];
  parse(tokens: unknown[]): TemplateNode;
};

const elementSize = 16;

/**
 * Finds the chat template of a checkpoint; most Janus-Pro folders have none, and the built-in format serves.
 *
 * @param files - paths of chat_template.jinja and tokenizer_config.json, as far as they exist
 * @throws {ChatTemplateError} there is one, and it cannot be used
 */
export function findChatTemplate(files: {
  readonly chatTemplate?: string;
  readonly tokenizerConfig?: string;
}): ChatTemplate | undefined {
  if (files.chatTemplate !== undefined) return ChatTemplate.compile(readFileSync(files.chatTemplate, 'utf8'));
  const settings = files.tokenizerConfig === undefined ? undefined : readJsonFile(files.tokenizerConfig);
  const field = (value: unknown, name: string) =>
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
  const found = field(settings, 'chat_template');
  // Several templates are a list of { name, template }; the one named "default" is for chats.
  const named = Array.isArray(found)
    ? field(
        found.find((entry) => field(entry, 'name') === 'default'),
        'template',
      )
    : found;
  return typeof named === 'string' ? ChatTemplate.compile(named) : undefined;
}

/** A checked template. */
export class ChatTemplate {
  private constructor(
    private readonly program: TemplateNode,
    private readonly limits: ChatTemplateLimits,
  ) {}

  /**
   * Parses and checks a template.
   *
   * @param source - chat_template.jinja, or `chat_template` of tokenizer_config.json
   * @throws {ChatTemplateError} it is too large, no valid template, or uses what is not allowed
   */
  static compile(source: string, limits: Partial<ChatTemplateLimits> = {}): ChatTemplate {
    const all = { ...chatTemplateLimits, ...limits };
    if (source.length > all.templateCharacters) {
      throw new ChatTemplateError(
        'CHAT_TEMPLATE_TOO_LARGE',
        `chat template: too large: expected at most ${all.templateCharacters} characters, got ${source.length}.`,
      );
    }
    let program: TemplateNode;
    try {
      program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
    } catch (error) {
      throw new ChatTemplateError(
        'CHAT_TEMPLATE_INVALID',
        `chat template: cannot be parsed: ${reasonOf(error)}.`,
        {},
        { cause: error },
      );
    }
    checkTemplate(program);
    return new ChatTemplate(program, all);
  }

  /**
   * Renders a conversation.
   *
   * @param variables - plain data: `messages`, `add_generation_prompt`, `bos_token`, …
   * @throws {ChatTemplateError} a limit is exceeded, or the template raises an error
   */
  render(variables: Readonly<Record<string, unknown>>): string {
    const budget = new Budget(this.limits);
    try {
      const environment = new Environment();
      const names: Readonly<Record<string, unknown>> = {
        ...variables,
        ...{ true: true, false: false, none: null, True: true, False: false, None: null },
        raise_exception: (reason: unknown) => {
          throw new ChatTemplateError(
            'CHAT_TEMPLATE_RAISED',
            `chat template: refuses the conversation: ${String(reason).slice(0, 200)}`,
          );
        },
        range: (...bounds: readonly unknown[]) => boundedRange(bounds, this.limits.range),
      };
      for (const [name, value] of Object.entries(names)) environment.set(name, value);
      return String(new CountingInterpreter(environment, budget).run(this.program).value);
    } catch (error) {
      if (ChatTemplateError.isInstance(error)) throw error;
      throw new ChatTemplateError(
        'CHAT_TEMPLATE_FAILED',
        `chat template: failed: ${reasonOf(error)}.`,
        {},
        { cause: error },
      );
    }
  }
}

class CountingInterpreter extends Interpreter {
  constructor(
    environment: Environment,
    private readonly budget: Budget,
  ) {
    super(environment);
  }

  override evaluate(node: TemplateNode | undefined, environment: Environment): RuntimeValue {
    this.budget.step(node?.type === 'For');
    const value = super.evaluate(node, environment);
    this.budget.admit(value);
    // Methods are reached by name only, where the rules can see which: messages[key] may be data, never a function.
    if (value.type === 'FunctionValue' && node?.type === 'MemberExpression' && node.computed === true) {
      throw new ChatTemplateError(
        'CHAT_TEMPLATE_NOT_ALLOWED',
        'chat template: a computed member is a function, which is not allowed.',
      );
    }
    return value;
  }
}

/** Counts what a template uses and stops it when a limit is reached. */
class Budget {
  private steps = 0;
  private work = 0;
  private readonly end: number;
  // Values do not change once made (namespaces do, and are counted anew), so each is measured once: a list of a list of a
  // list … that holds itself twice at every level is found out by its sum, without being walked.
  private readonly sizes = new WeakMap<RuntimeValue, number>();

  constructor(private readonly limits: ChatTemplateLimits) {
    this.end = performance.now() + limits.milliseconds;
  }

  /** @param isLoop - a loop with an empty body takes long without taking steps, so time is looked at before each */
  step(isLoop: boolean): void {
    this.steps++;
    if (this.steps > this.limits.steps) exceeded('steps', this.limits.steps);
    if ((isLoop || this.steps % 64 === 0) && performance.now() > this.end)
      exceeded('milliseconds', this.limits.milliseconds);
  }

  admit(value: RuntimeValue): void {
    const size = this.sizeOf(value);
    if (size > this.limits.valueSize) exceeded('valueSize', this.limits.valueSize);
    this.work += size;
    if (this.work > this.limits.work) exceeded('work', this.limits.work);
  }

  private sizeOf(value: RuntimeValue): number {
    const content = value.value;
    if (typeof content === 'string') return content.length;
    if (typeof content !== 'object' || content === null) return 1;
    const known = this.sizes.get(value);
    if (known !== undefined) return known;
    let size = 1;
    const items: Iterable<unknown> = content instanceof Map ? content.values() : Array.isArray(content) ? content : [];
    if (content instanceof Map) for (const key of content.keys()) size += String(key).length;
    for (const item of items) {
      const inner = item as RuntimeValue;
      if (inner.type === 'NamespaceValue') {
        throw new ChatTemplateError(
          'CHAT_TEMPLATE_NOT_ALLOWED',
          'chat template: a namespace inside another value is not allowed.',
        );
      }
      size += elementSize + this.sizeOf(inner);
      if (size > this.limits.valueSize) exceeded('valueSize', this.limits.valueSize);
    }
    if (value.type !== 'NamespaceValue') this.sizes.set(value, size);
    return size;
  }
}

function boundedRange(bounds: readonly unknown[], limit: number): number[] {
  const [first, second, step = 1] = bounds;
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  if (!Number.isInteger(start) || !Number.isInteger(stop) || !Number.isInteger(step) || step === 0) {
    throw new ChatTemplateError(
      'CHAT_TEMPLATE_FAILED',
      'chat template: range takes one to three integers and a step other than 0.',
    );
  }
  const length = Math.max(0, Math.ceil(((stop as number) - (start as number)) / (step as number)));
  if (length > limit) exceeded('range', limit);
  return Array.from({ length }, (_, index) => (start as number) + index * (step as number));
}

function exceeded(limit: keyof ChatTemplateLimits, value: number): never {
  throw new ChatTemplateError(
    'CHAT_TEMPLATE_LIMIT',
    `chat template: exceeds a limit: expected at most ${value} ${limit}.`,
    { limit, value },
  );
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message || error.name : String(error)).slice(0, 200);
}
