// A pickle machine that knows the opcodes torch.save uses and can call three things: rebuild a tensor, rebuild a
// parameter, make a dictionary. All else is refused, so that reading a checkpoint can only ever yield tensors.
// Opcodes: CPython Lib/pickletools.py, protocol 2.

import { TorchFileError } from '../../errors/torch-file-error.js';
import { UnsafePickleError } from '../../errors/unsafe-pickle-error.js';
import { allowedGlobals, PickleGlobal, PickleSequence, PickleStorage, type PickleValue } from './pickle-values.js';
import { rebuildTensor, tensorOfParameter } from './rebuild-tensor.js';

/**
 * Runs a pickle and returns the one value it builds.
 *
 * @param bytes - the whole pickle
 * @param file - its name, for errors
 * @throws {UnsafePickleError} an opcode, class or call outside the few that a state dict needs
 * @throws {TorchFileError} the pickle is damaged
 */
export function runPickle(bytes: Uint8Array, file: string): PickleValue {
  return new PickleMachine(bytes, file).run();
}

class PickleMachine {
  private position = 0;
  private opcodeAt = 0;
  private readonly view: DataView;
  private readonly stack: PickleValue[] = [];
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, PickleValue>();

  constructor(
    private readonly bytes: Uint8Array,
    private readonly file: string,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): PickleValue {
    for (;;) {
      this.opcodeAt = this.position;
      const opcode = this.byte();
      if (opcode === 0x2e) return this.stop();
      this.step(opcode);
    }
  }

  private step(opcode: number): void {
    const { stack } = this;
    switch (opcode) {
      case 0x80: // PROTO
        return this.protocol();
      case 0x7d: // EMPTY_DICT
        stack.push(new Map());
        return;
      case 0x5d: // EMPTY_LIST
        stack.push(new PickleSequence('list', []));
        return;
      case 0x29: // EMPTY_TUPLE
        return this.pushTuple([]);
      case 0x28: // MARK
        this.marks.push(stack.length);
        return;
      case 0x74: // TUPLE
        return this.pushTuple(this.popMarked());
      case 0x85: // TUPLE1
        return this.pushTuple(this.popSome(1));
      case 0x86: // TUPLE2
        return this.pushTuple(this.popSome(2));
      case 0x87: // TUPLE3
        return this.pushTuple(this.popSome(3));
      case 0x4e: // NONE
        stack.push(null);
        return;
      case 0x88: // NEWTRUE
        stack.push(true);
        return;
      case 0x89: // NEWFALSE
        stack.push(false);
        return;
      case 0x4b: // BININT1
        stack.push(this.byte());
        return;
      case 0x4d: // BININT2
        stack.push(this.view.getUint16(this.take(2), true));
        return;
      case 0x4a: // BININT
        stack.push(this.view.getInt32(this.take(4), true));
        return;
      case 0x8a: // LONG1
        stack.push(this.long());
        return;
      case 0x47: // BINFLOAT
        stack.push(this.view.getFloat64(this.take(8), false));
        return;
      case 0x58: // BINUNICODE
        stack.push(this.text(this.view.getUint32(this.take(4), true)));
        return;
      case 0x71: // BINPUT
        this.memo.set(this.byte(), this.top());
        return;
      case 0x72: // LONG_BINPUT
        this.memo.set(this.view.getUint32(this.take(4), true), this.top());
        return;
      case 0x68: // BINGET
        return this.recall(this.byte());
      case 0x6a: // LONG_BINGET
        return this.recall(this.view.getUint32(this.take(4), true));
      case 0x63: // GLOBAL
        return this.global();
      case 0x51: // BINPERSID
        return this.persistent();
      case 0x52: // REDUCE
        return this.reduce();
      case 0x62: // BUILD
        return this.build();
      case 0x73: // SETITEM
        return this.setItems(this.popSome(2));
      case 0x75: // SETITEMS
        return this.setItems(this.popMarked());
      case 0x61: // APPEND
        return this.append(this.popSome(1));
      case 0x65: // APPENDS
        return this.append(this.popMarked());
      default:
        return this.refuse(`opcode 0x${opcode.toString(16).padStart(2, '0')}`);
    }
  }

  private protocol(): void {
    const version = this.byte();
    if (version !== 2) this.refuse(`protocol ${version}`);
  }

  private global(): void {
    const name = `${this.line()} ${this.line()}`;
    const found = allowedGlobals.get(name);
    if (found === undefined) return this.refuse(`class "${name.replace(' ', '.')}"`);
    this.stack.push(found);
  }

  // A storage is not in the pickle: a tuple names its type, its entry and its size.
  private persistent(): void {
    const id = this.pop();
    const items = id instanceof PickleSequence && id.kind === 'tuple' ? id.items : [];
    const [tag, type, key, , elements] = items;
    if (items.length !== 5 || tag !== 'storage' || !(type instanceof PickleGlobal) || type.dtype === undefined) {
      return this.refuse('a persistent id that is no storage');
    }
    if (typeof key !== 'string' || !/^[0-9]{1,12}$/u.test(key) || !isSize(elements)) {
      return this.malformed('a storage has a bad key or size');
    }
    this.stack.push(new PickleStorage(key, type.dtype, elements));
  }

  private reduce(): void {
    const [callee, argumentsTuple] = this.popSome(2);
    if (!(argumentsTuple instanceof PickleSequence) || argumentsTuple.kind !== 'tuple')
      return this.malformed('a call without arguments');
    const values = argumentsTuple.items;
    const role = callee instanceof PickleGlobal ? callee.role : undefined;
    if (role === 'ordered-dictionary' && values.length === 0) this.stack.push(new Map());
    else if (role === 'rebuild-tensor') this.stack.push(rebuildTensor(values, this.file));
    else if (role === 'rebuild-parameter') this.stack.push(tensorOfParameter(values, this.file));
    else
      this.refuse(
        callee instanceof PickleGlobal ? `a call of "${callee.name.replace(' ', '.')}"` : 'a call of a value',
      );
  }

  // A state dict carries version numbers as an attribute; attributes of dictionaries are dropped.
  private build(): void {
    this.pop();
    if (!(this.top() instanceof Map)) this.refuse('attributes of an object');
  }

  private setItems(items: readonly PickleValue[]): void {
    const target = this.top();
    if (!(target instanceof Map) || items.length % 2 !== 0) return this.malformed('items without a dictionary');
    for (let index = 0; index < items.length; index += 2) {
      const key = items[index];
      const value = items[index + 1];
      if ((typeof key !== 'string' && typeof key !== 'number') || value === undefined)
        return this.malformed('a key that is no text or number');
      target.set(key, value);
    }
  }

  private append(items: readonly PickleValue[]): void {
    const target = this.top();
    if (!(target instanceof PickleSequence) || target.kind !== 'list') return this.malformed('elements without a list');
    for (const item of items) target.items.push(item);
  }

  private stop(): PickleValue {
    const value = this.pop();
    if (this.stack.length > 0 || this.marks.length > 0) this.malformed('values are left over at the end');
    if (this.position !== this.bytes.byteLength) this.malformed('bytes follow the end');
    return value;
  }

  private long(): number {
    const length = this.byte();
    const start = this.take(length);
    if (length > 8) return this.malformed('an integer is too long');
    let value = 0n;
    for (let index = 0; index < length; index++)
      value |= BigInt(this.view.getUint8(start + index)) << BigInt(8 * index);
    const number = Number(BigInt.asIntN(8 * length, value));
    return Number.isSafeInteger(number) ? number : this.malformed('an integer is too large');
  }

  private text(length: number): string {
    const start = this.take(length);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
        this.bytes.subarray(start, start + length),
      );
    } catch {
      return this.malformed('a text is not UTF-8');
    }
  }

  private line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0 || end - this.position > 256) return this.malformed('a class name does not end');
    const text = this.text(end - this.position);
    this.position = end + 1;
    return text;
  }

  private byte(): number {
    return this.view.getUint8(this.take(1));
  }

  private take(length: number): number {
    const start = this.position;
    if (start + length > this.bytes.byteLength) this.malformed('the pickle is cut off');
    this.position = start + length;
    return start;
  }

  private recall(key: number): void {
    const value = this.memo.get(key);
    if (value === undefined) return this.malformed(`memo ${key} is empty`);
    this.stack.push(value);
  }

  private pushTuple(items: PickleValue[]): void {
    this.stack.push(new PickleSequence('tuple', items));
  }

  private popMarked(): PickleValue[] {
    const mark = this.marks.pop();
    return mark === undefined ? this.malformed('a mark is missing') : this.stack.splice(mark);
  }

  private popSome(count: number): PickleValue[] {
    if (this.stack.length - count < (this.marks.at(-1) ?? 0)) return this.malformed('the stack is empty');
    return this.stack.splice(this.stack.length - count);
  }

  private pop(): PickleValue {
    const [value] = this.popSome(1);
    return value === undefined ? this.malformed('the stack is empty') : value;
  }

  private top(): PickleValue {
    const value = this.stack.length > (this.marks.at(-1) ?? 0) ? this.stack.at(-1) : undefined;
    return value === undefined ? this.malformed('the stack is empty') : value;
  }

  private refuse(what: string): never {
    throw new UnsafePickleError(this.file, what, this.opcodeAt);
  }

  private malformed(problem: string): never {
    const text = `${this.file}: pickle is damaged: ${problem}, at byte ${this.opcodeAt}. Download it again.`;
    throw new TorchFileError('TORCH_PICKLE_MALFORMED', text, { file: this.file, offset: this.opcodeAt });
  }
}

function isSize(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
