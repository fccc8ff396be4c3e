import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Ajv } from 'ajv';
import { type ErrorKind, HoldfastError } from '../errors/errors.ts';
import { kindOfStatus, renderError, validationError } from './errors.ts';
import { errorCodes } from './schemas.ts';

describe('an error over HTTP', () => {
  const catalogue: Readonly<Record<ErrorKind, readonly [number, string]>> = {
    invalid: [400, 'INVALID_REQUEST'],
    unauthorized: [401, 'UNAUTHORIZED'],
    forbidden: [403, 'FORBIDDEN'],
    not_found: [404, 'NOT_FOUND'],
    conflict: [409, 'CONFLICT'],
    unsupported: [422, 'BACKEND_ERROR'],
    overloaded: [429, 'SERVICE_UNAVAILABLE'],
    internal: [500, 'INTERNAL_ERROR'],
    backend: [502, 'BACKEND_ERROR'],
    unavailable: [503, 'SERVICE_UNAVAILABLE'],
  };

  for (const [kind, [status, code]] of Object.entries(catalogue) as [ErrorKind, readonly [number, string]][]) {
    test(`of the kind ${kind} is ${status} ${code}`, () => {
      const error = new HoldfastError(kind, 'It is so.', { field: 'size' });
      assert.deepEqual(renderError(error), {
        status,
        body: { error: 'It is so.', code, details: { field: 'size' } },
      });
      assert.ok((errorCodes as readonly string[]).includes(code));
      assert.equal(kindOfStatus(status), kind);
    });
  }

  test('of another status is about the request, or about what is in between', () => {
    assert.deepEqual([413, 418, 504].map(kindOfStatus), ['invalid', 'invalid', 'unavailable']);
  });

  test('without details has none', () => {
    assert.deepEqual(renderError(new HoldfastError('conflict', 'No.')).body, { error: 'No.', code: 'CONFLICT' });
  });

  test('of the HTTP server itself keeps its status', () => {
    const error = new HoldfastError('invalid', 'The body is too large.', { http_status: 413 });
    const { status, body } = renderError(error);
    assert.deepEqual([status, body.code], [413, 'INVALID_REQUEST']);
  });

  test('of a system behind us keeps its status and its code, when the catalogue has it', () => {
    const details = { http_status: 422, http_code: 'CLOUDSTACK_ERROR', cloudstack_error_code: 431 };
    const { status, body } = renderError(new HoldfastError('conflict', 'It said no.', details));
    const rest = { cloudstack_error_code: 431 };
    assert.deepEqual([status, body], [422, { error: 'It said no.', code: 'CLOUDSTACK_ERROR', details: rest }]);
    assert.equal(renderError(new HoldfastError('conflict', 'No.', { http_code: 'OWN' })).body.code, 'CONFLICT');
  });

  test('that is not ours tells nothing of the inside', () => {
    const thrown: readonly unknown[] = [new TypeError('secret at /srv/db'), 'secret', undefined, null, { secret: 1 }];
    for (const error of thrown) {
      const { status, body } = renderError(error);
      assert.deepEqual([status, body.code], [500, 'INTERNAL_ERROR']);
      assert.ok(!JSON.stringify(body).includes('secret'));
    }
  });

  test('does not show its cause', () => {
    const error = new HoldfastError('backend', 'The pool is full.', {}, new Error('secret'));
    assert.ok(!JSON.stringify(renderError(error)).includes('secret'));
  });

  test('does not say in its body what are headers of the answer', () => {
    const details = { bucket: 'b', reply_headers: { 'retry-after': '3' } };
    const { body } = renderError(new HoldfastError('unavailable', 'Slow down.', details));
    assert.deepEqual(body.details, { bucket: 'b' });
  });
});

describe('a failed validation', () => {
  const schema = {
    type: 'object',
    required: ['name'],
    additionalProperties: false,
    properties: {
      name: { type: 'string', minLength: 2, maxLength: 4, pattern: '^[a-z]+$' },
      size: { type: 'integer', minimum: 1, maximum: 9 },
      kind: { enum: ['a', 'b'] },
      tags: { type: 'object', maxProperties: 1 },
      inner: { type: 'object', required: ['x'], additionalProperties: false, properties: { x: { type: 'number' } } },
    },
  };
  const validate = new Ajv({ strict: false }).compile(schema);

  function failure(value: unknown): { message: string; details: Readonly<Record<string, unknown>> } {
    assert.equal(validate(value), false);
    const { kind, message, details } = validationError(validate.errors ?? [], 'body', value);
    assert.equal(kind, 'invalid');
    assert.match(message, /^[A-Z][^\n]*\.$/);
    return { message, details };
  }

  test('names a field that is missing or unknown, also inside another', () => {
    assert.deepEqual(failure({}), {
      message: 'The field "name" is missing in the body.',
      details: { field: 'name' },
    });
    assert.deepEqual(failure({ name: 'ab', inner: {} }), {
      message: 'The field "inner.x" is missing in the body.',
      details: { field: 'inner.x' },
    });
    assert.deepEqual(failure({ name: 'ab', inner: { x: 1, y: 2 } }), {
      message: 'Unknown field "inner.y" in the body.',
      details: { field: 'inner.y' },
    });
  });

  test('tells what was given and what is allowed', () => {
    const cases: readonly [Record<string, unknown>, Record<string, unknown>][] = [
      [{ size: 0 }, { field: 'size', provided_value: 0, minimum_value: 1 }],
      [{ size: 10 }, { field: 'size', provided_value: 10, maximum_value: 9 }],
      [{ name: 'a' }, { field: 'name', provided_value: 'a', minimum_length: 2 }],
      [{ name: 'abcde' }, { field: 'name', provided_value: 'abcde', maximum_length: 4 }],
      [{ name: 'AB' }, { field: 'name', provided_value: 'AB', pattern: '^[a-z]+$' }],
      [{ kind: 'c' }, { field: 'kind', provided_value: 'c', allowed_values: ['a', 'b'] }],
      [{ tags: { a: 1, b: 2 } }, { field: 'tags', provided_value: { a: 1, b: 2 }, maximum_length: 1 }],
      [{ size: 'x' }, { field: 'size', provided_value: 'x' }],
    ];
    for (const [fields, details] of cases) {
      assert.deepEqual(failure({ name: 'ab', ...fields }).details, details, JSON.stringify(fields));
    }
  });

  test('of the whole is about the body, and shows no more than a part of a long text', () => {
    assert.deepEqual(failure('x'.repeat(500)).details, { field: 'body', provided_value: `${'x'.repeat(200)}…` });
  });
});
