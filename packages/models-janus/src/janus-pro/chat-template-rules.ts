// What a chat template may not contain. Most limits are kept while it runs; these few built-in functions would allocate
// before anyone can look, so their arguments must stand in the template and be small.

import { ChatTemplateError } from '../errors/chat-template-error.js';

/** A node of the template's syntax tree. */
export interface TemplateNode {
  readonly type: string;
  readonly [field: string]: unknown;
}

const longestText = 64;
const largestNumber = 64;
const multiplying = new Set(['replace', 'indent', 'tojson', 'join']);

/**
 * Checks a whole template.
 * @throws {ChatTemplateError} a function that multiplies text is called with anything but small constants
 */
export function checkTemplate(root: TemplateNode): void {
  // A list instead of recursion: a template can be nested as deeply as it is long.
  const open: unknown[] = [root];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (Array.isArray(value)) for (const item of value) open.push(item ?? null);
    else if (value instanceof Map) for (const [key, item] of value) open.push(key, item);
    else if (isNode(value)) {
      checkNode(value);
      const allowedCallee = value.type === 'CallExpression' ? value.callee : undefined;
      for (const field of Object.values(value)) if (field !== allowedCallee || !isNode(field)) open.push(field ?? null);
      // The callee was checked with its arguments; only what it is a member of is left.
      if (isNode(allowedCallee))
        open.push(
          allowedCallee.type === 'MemberExpression' ? [allowedCallee.object, allowedCallee.property] : allowedCallee,
        );
    }
  }
}

function checkNode(node: TemplateNode): void {
  if (node.type === 'CallExpression' && isNode(node.callee) && node.callee.type === 'MemberExpression') {
    const name = memberName(node.callee);
    if (name === undefined) refuse('a call of a computed member');
    if (multiplying.has(name)) checkArguments(name, node.args);
  }
  if (node.type === 'MemberExpression' && multiplying.has(memberName(node) ?? ''))
    refuse(`"${String(memberName(node))}" without a call`);
  if (node.type !== 'FilterExpression' && node.type !== 'FilterStatement') return;
  const { filter } = node;
  if (!isNode(filter) || filter.type !== 'CallExpression' || !isNode(filter.callee)) return;
  const name = String(filter.callee.value);
  if (multiplying.has(name)) checkArguments(name, filter.args);
}

function checkArguments(name: string, values: unknown): void {
  for (const value of Array.isArray(values) ? (values as unknown[]) : []) {
    const argument = isNode(value) && value.type === 'KeywordArgumentExpression' ? value.value : value;
    if (!isSmallConstant(argument))
      refuse(`"${name}" with an argument that is no constant of at most ${longestText} characters`);
  }
}

function isSmallConstant(value: unknown): boolean {
  if (!isNode(value)) return false;
  if (value.type === 'StringLiteral') return String(value.value).length <= longestText;
  if (value.type === 'IntegerLiteral') return Number(value.value) <= largestNumber;
  if (value.type === 'Identifier')
    return ['true', 'false', 'none', 'True', 'False', 'None'].includes(String(value.value));
  if (value.type === 'TupleLiteral' || value.type === 'ArrayLiteral') {
    return Array.isArray(value.value) && value.value.length <= 2 && value.value.every(isSmallConstant);
  }
  return false;
}

function memberName(node: TemplateNode): string | undefined {
  const { property } = node;
  if (!isNode(property)) return undefined;
  if (node.computed === true) return property.type === 'StringLiteral' ? String(property.value) : undefined;
  return String(property.value);
}

function isNode(value: unknown): value is TemplateNode {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
}

function refuse(what: string): never {
  throw new ChatTemplateError(
    'CHAT_TEMPLATE_NOT_ALLOWED',
    `chat template: ${what} is not allowed: it could make text without bound.`,
    { what },
  );
}
