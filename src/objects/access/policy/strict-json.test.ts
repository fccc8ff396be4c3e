import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { doubledName } from './strict-json.ts';

describe('a name of JSON', () => {
  test('is found when it stands twice in one object', () => {
    const cases: [string, string][] = [
      ['{"a":1,"a":2}', 'a'],
      ['{"a":1,"\\u0061":2}', 'a'],
      ['[{"b":{}},{"b":[{"x":1,"y":{"x":1},"x":2}]}]', 'x'],
      ['{"a":"a","b":{"c":["c","c"]},"b":1}', 'b'],
      ['{"a\\"":1 , "a\\"" : 2}', 'a"'],
      ['{"":1,"":2}', ''],
    ];
    for (const [text, name] of cases) assert.equal(doubledName(text), name, text);
  });

  test('may stand in several objects, and as a value', () => {
    const cases = [
      '1',
      '"a"',
      '[]',
      '{}',
      '{"a":"a","b":["a","a",{"a":"b"}],"c":{"a":{"a":1}}}',
      '{"a":"{\\"a\\":1,"}',
    ];
    for (const text of cases) assert.equal(doubledName(text), null, text);
    fc.assert(
      fc.property(fc.json(), (text) => {
        assert.equal(doubledName(JSON.stringify(JSON.parse(text))), null);
      }),
    );
  });

  test('is found wherever it was put', () => {
    const name = fc.string();
    const value = fc.jsonValue();
    fc.assert(
      fc.property(name, value, value, fc.dictionary(fc.string(), value), (doubled, one, other, others) => {
        const [first, last] = [one, other].map((each) => `${JSON.stringify(doubled)}:${JSON.stringify(each)}`);
        const between = Object.entries(others).filter(([key]) => key !== doubled);
        const middle = between.map(([key, each]) => `${JSON.stringify(key)}:${JSON.stringify(each)}`);
        assert.equal(doubledName(`[1,{${[first, ...middle, last].join(' , ')}}]`), doubled);
      }),
    );
  });
});
