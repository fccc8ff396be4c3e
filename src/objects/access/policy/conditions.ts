import { conditionKey } from './condition-keys.ts';
import { type Operator, operators } from './operators.ts';
import { expectObject, malformedPolicy, quoted } from './refuse.ts';

/** One key that is compared. */
export interface Condition {
  /** Without its quantifier and `IfExists`. */
  readonly operator: string;
  /** As contexts have it. */
  readonly key: string;
  readonly values: readonly string[];
  /** Whether a request without the key passes although the comparison is a positive one. */
  readonly passesAbsent: boolean;
  /** Whether it holds for the value in the request, `undefined` when the request has no such key. */
  holds(actual: string | undefined): boolean;
}

/**
 * Reads the `Condition` of a statement. Operators and keys that are not known, and values that are not of their operator's
 * type, are refused: a condition that is not understood must not be taken for one that holds. Throws `MalformedPolicy`.
 */
export function parseConditions(value: unknown): readonly Condition[] {
  if (value === undefined) return [];
  const byOperator = Object.entries(expectObject(value, 'Condition', null));
  return byOperator.flatMap(([name, keys]) =>
    Object.entries(expectObject(keys, quoted(name), null)).map(([key, values]) => parseCondition(name, key, values)),
  );
}

function parseCondition(name: string, keyName: string, wanted: unknown): Condition {
  const key = conditionKey(keyName);
  if (key === null) throw malformedPolicy(`The condition key ${quoted(keyName)} is not known here.`);
  const values = expectValues(wanted, keyName);
  if (name === 'Null') return nullCondition(key, values);
  const [, quantifier, operator = '', ifExists] =
    /^(?:(ForAnyValue|ForAllValues):)?(\w+?)(IfExists)?$/.exec(name) ?? [];
  const known = operators.get(operator);
  if (known === undefined) throw malformedPolicy(`The condition operator ${quoted(name)} is not known.`);
  const isOptional = ifExists !== undefined || quantifier === 'ForAllValues';
  const isNeeded = quantifier === 'ForAnyValue' && ifExists === undefined;
  return comparison({ operator, known, key, values, isOptional, isNeeded });
}

/**
 * Every key here has one value, so a quantifier decides only what an absent key means: all of no values match
 * (`ForAllValues`), and there is not any that does (`ForAnyValue`).
 */
function comparison(parts: {
  readonly operator: string;
  readonly known: Operator;
  readonly key: string;
  readonly values: readonly string[];
  readonly isOptional: boolean;
  readonly isNeeded: boolean;
}): Condition {
  const { operator, known, key, values, isOptional, isNeeded } = parts;
  const matchers = values.map((value) => {
    const matcher = known.compile(value);
    if (matcher === null) throw malformedPolicy(`${quoted(value)} is no value for ${operator}.`);
    return matcher;
  });
  const passesAbsent = isOptional || (known.isNegated && !isNeeded);
  return {
    operator,
    key,
    values,
    passesAbsent,
    holds: (actual) =>
      actual === undefined ? passesAbsent : matchers.some((matches) => matches(actual)) !== known.isNegated,
  };
}

/** `"true"` wants the key to be absent. */
function nullCondition(key: string, values: readonly string[]): Condition {
  if (!values.every((value) => value === 'true' || value === 'false')) {
    throw malformedPolicy('The values of Null are true or false.');
  }
  return {
    operator: 'Null',
    key,
    values,
    passesAbsent: values.includes('true'),
    holds: (actual) => values.includes(actual === undefined ? 'true' : 'false'),
  };
}

/** Numbers and booleans may stand without quotes. */
function expectValues(value: unknown, key: string): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw malformedPolicy(`The condition on ${quoted(key)} has no value.`);
  return list.map((one) => {
    if (typeof one === 'string') return one;
    if (typeof one === 'number' || typeof one === 'boolean') return String(one);
    throw malformedPolicy(`The values of ${quoted(key)} are texts, numbers or booleans.`);
  });
}
