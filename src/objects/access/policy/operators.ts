import { parseTime } from '../../s3/times.ts';
import { parseAddressBlock } from './addresses.ts';
import { matchesWildcard } from './wildcard.ts';

/**
 * How conditions compare
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html).
 */
export interface Operator {
  /** Whether it holds when no value matches, and so also when the request has no such key. */
  readonly isNegated: boolean;
  /** What a value of the policy matches; `null` when the value is not of the operator's type. */
  compile(value: string): ((actual: string) => boolean) | null;
}

type Compile = Operator['compile'];

const equals: Compile = (value) => (actual) => actual === value;
const equalsIgnoringCase: Compile = (value) => (actual) => actual.toLowerCase() === value.toLowerCase();
const like: Compile = (value) => (actual) => matchesWildcard(value, actual);
const isAddress: Compile = (value) => {
  const block = parseAddressBlock(value);
  return block === null ? null : (actual) => block.contains(actual);
};
const isBoolean: Compile = (value) => {
  const wanted = value.toLowerCase();
  return wanted === 'true' || wanted === 'false' ? (actual) => actual.toLowerCase() === wanted : null;
};

/** Compares what `read` makes of both sides; what it cannot read in the request matches nothing. */
function ordered(read: (text: string) => number | null, compare: (actual: number, wanted: number) => boolean): Compile {
  return (value) => {
    const wanted = read(value);
    if (wanted === null) return null;
    return (text) => {
      const actual = read(text);
      return actual !== null && compare(actual, wanted);
    };
  };
}

function readNumber(text: string): number | null {
  return /^-?\d{1,15}(?:\.\d{1,15})?$/.test(text) ? Number(text) : null;
}

/** ISO 8601, or seconds since the epoch; as milliseconds. */
function readDate(text: string): number | null {
  return /^\d{1,11}$/.test(text) ? Number(text) * 1000 : parseTime(text);
}

function orderedOperators(prefix: string, read: (text: string) => number | null): readonly [string, Operator][] {
  const operator = (
    name: string,
    compare: (a: number, b: number) => boolean,
    isNegated = false,
  ): [string, Operator] => [prefix + name, { isNegated, compile: ordered(read, compare) }];
  return [
    operator('Equals', (actual, wanted) => actual === wanted),
    operator('NotEquals', (actual, wanted) => actual === wanted, true),
    operator('LessThan', (actual, wanted) => actual < wanted),
    operator('LessThanEquals', (actual, wanted) => actual <= wanted),
    operator('GreaterThan', (actual, wanted) => actual > wanted),
    operator('GreaterThanEquals', (actual, wanted) => actual >= wanted),
  ];
}

export const operators: ReadonlyMap<string, Operator> = new Map([
  ['StringEquals', { isNegated: false, compile: equals }],
  ['StringNotEquals', { isNegated: true, compile: equals }],
  ['StringEqualsIgnoreCase', { isNegated: false, compile: equalsIgnoringCase }],
  ['StringNotEqualsIgnoreCase', { isNegated: true, compile: equalsIgnoringCase }],
  ['StringLike', { isNegated: false, compile: like }],
  ['StringNotLike', { isNegated: true, compile: like }],
  ['IpAddress', { isNegated: false, compile: isAddress }],
  ['NotIpAddress', { isNegated: true, compile: isAddress }],
  ['Bool', { isNegated: false, compile: isBoolean }],
  ...orderedOperators('Numeric', readNumber),
  ...orderedOperators('Date', readDate),
]);
