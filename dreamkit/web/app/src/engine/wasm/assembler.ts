/**
 * Writes functions in WebAssembly with its vectors of four numbers, which JavaScript does not have. An expression is
 * the code that leaves its value on the stack; addresses are in bytes.
 *
 * Opcodes: https://webassembly.github.io/spec/core/appendix/index-instructions.html
 */

export type Code = readonly number[];

/** The types of numbers: whole ones (addresses and counters), fractions, and four fractions. */
export const [I32, F32, V128] = [0x7f, 0x7d, 0x7b];
export type Type = typeof I32;

const VECTOR = 0xfd;

/** A whole number in as few bytes as it needs. */
function short(value: number, signed = false): Code {
  const bytes: number[] = [];
  for (;;) {
    const low = value & 0x7f;
    value = signed ? value >> 7 : value >>> 7;
    const ends = signed ? (value === 0 && !(low & 0x40)) || (value === -1 && low & 0x40) : value === 0;
    if (ends) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

const operation = (...opcode: number[]) => (...operands: Code[]): Code => [...operands.flat(), ...opcode];
const vector = (opcode: number) => operation(VECTOR, ...short(opcode));
const reading = (...opcode: number[]) => (address: Code, offset = 0): Code =>
  [...address, ...opcode, 0, ...short(offset)];
const writing = (...opcode: number[]) => (address: Code, value: Code, offset = 0): Code =>
  [...address, ...value, ...opcode, 0, ...short(offset)];

export const whole = (value: number): Code => [0x41, ...short(value, true)];
export const fraction = (value: number): Code => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)];

const [addTwo, multiplyTwo] = [operation(0x6a), operation(0x6c)];
export const add = (...values: Code[]): Code => values.reduce((sum, each) => addTwo(sum, each));
export const multiply = (...values: Code[]): Code => values.reduce((product, each) => multiplyTwo(product, each));
export const subtract = operation(0x6b);
export const divide = operation(0x6d);
export const remainder = operation(0x6f);
export const isLess = operation(0x48);
export const isZero = operation(0x45);
/** The first where the third is true, else the second. */
export const choose = operation(0x1b);
export const smaller = (a: Code, b: Code): Code => choose(a, b, isLess(a, b));
export const larger = (a: Code, b: Code): Code => choose(b, a, isLess(a, b));

export const vectors = {
  load: reading(VECTOR, 0x00),
  /** Four times the number at an address. */
  loadEach: reading(VECTOR, 0x09),
  store: writing(VECTOR, 0x0b),
  each: vector(0x13),
  zero: [VECTOR, 0x0c, ...new Uint8Array(16)] as Code,
  isEqual: vector(0x41),
  isGreater: vector(0x44),
  and: vector(0x4e),
  andNot: vector(0x4f),
  add: vector(0xe4),
  subtract: vector(0xe5),
  multiply: vector(0xe6),
  divide: vector(0xe7),
  max: vector(0xe9),
  root: vector(0xe3),
};

/** A parameter or another variable. */
export interface Variable {
  get: Code;
  set(value: Code): Code;
}

/** A function without a result, as it is written. */
export class Routine {
  private readonly variables: Type[] = [];
  private readonly body: number[] = [];

  constructor(private readonly parameters: Type[]) {}

  /** The parameter of this number, from 0. */
  parameter(index: number): Variable {
    return { get: [0x20, ...short(index)], set: (value) => [...value, 0x21, ...short(index)] };
  }

  variable(type: Type = I32): Variable {
    return this.parameter(this.parameters.length + this.variables.push(type) - 1);
  }

  do(...code: Code[]): void {
    for (const each of code) for (const byte of each) this.body.push(byte);
  }

  /** Counts from `from` up to `to`, which does not count. */
  repeat(counter: Variable, from: Code, to: Code, step: number, body: () => void): void {
    this.do(counter.set(from), [0x02, 0x40], isZero(isLess(counter.get, to)), [0x0d, 0], [0x03, 0x40]);
    body();
    this.do(counter.set(add(counter.get, whole(step))), isLess(counter.get, to), [0x0d, 0, 0x0b, 0x0b]);
  }

  when(condition: Code, body: () => void): void {
    this.do(condition, [0x04, 0x40]);
    body();
    this.do([0x0b]);
  }

  /** A module that exports this function as `run` and computes in a memory that it is given. */
  module(isShared: boolean): Uint8Array<ArrayBuffer> {
    const list = (items: Code[]): Code => [...short(items.length), ...items.flat()];
    const sized = (code: Code): Code => [...short(code.length), ...code];
    const text = (name: string): Code => sized([...name].map((letter) => letter.charCodeAt(0)));
    const section = (id: number, items: Code[]): Code => [id, ...sized(list(items))];
    const limits = isShared ? [3, 0, ...short(65536)] : [0, 0];
    const variables = list(this.variables.map((type) => [1, type]));
    return Uint8Array.from([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, [[0x60, ...list(this.parameters.map((type) => [type])), 0]]),
      ...section(2, [[...text("tensors"), ...text("memory"), 2, ...limits]]),
      ...section(3, [[0]]),
      ...section(7, [[...text("run"), 0, 0]]),
      ...section(10, [sized([...variables, ...this.body, 0x0b])]),
    ]);
  }
}
