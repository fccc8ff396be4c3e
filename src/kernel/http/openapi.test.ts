import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import Type from 'typebox';
import { type Endpoint, endpoint } from './contract.ts';
import { openApiDocument } from './openapi.ts';

const create = endpoint({
  id: 'createThing',
  method: 'POST',
  path: '/api/v1/things',
  summary: 'Create a thing',
  tag: 'things',
  role: 'operator',
  body: Type.Object({ name: Type.String() }),
  status: 202,
  reply: Type.Object({ id: Type.String() }),
  isIdempotent: true,
});
const change = endpoint({
  id: 'changeThing',
  method: 'PUT',
  alsoMethod: 'POST',
  path: '/api/v1/things/{thing}',
  summary: 'Change a thing',
  tag: 'things',
  role: 'operator',
  params: Type.Object({ thing: Type.String() }),
  query: Type.Object({ force: Type.Optional(Type.Boolean({ description: 'Even so.' })) }),
  body: Type.Object({ note: Type.Optional(Type.String()) }),
  status: 204,
  reply: Type.Unknown(),
});
const watch = endpoint({
  id: 'watchThings',
  method: 'GET',
  path: '/api/v1/things',
  summary: 'Follow things',
  tag: 'things',
  role: 'public',
  status: 200,
  reply: Type.Object({ seq: Type.Integer() }),
  media: 'sse',
});

/** The parts of a document that the tests look at. */
interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly security: unknown;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

interface Operation {
  readonly operationId: string;
  readonly security?: readonly unknown[];
  readonly parameters?: readonly Readonly<Record<string, unknown>>[];
  readonly requestBody?: { readonly required: boolean };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}

function documentOf(...endpoints: readonly Endpoint[]): Document {
  // Through JSON, as readers get it.
  return JSON.parse(JSON.stringify(openApiDocument(endpoints, '1.2.3'))) as Document;
}

describe('the API document', () => {
  const document = documentOf(create, change, watch);
  const at = (path: string, method: string) => document.paths[`/api/v1/things${path}`]![method]!;

  test('is OpenAPI 3.1 of this version, with a path for every endpoint', () => {
    assert.match(document.openapi, /^3\.1\./);
    assert.equal(document.info.version, '1.2.3');
    const operations = Object.entries(document.paths).map(([path, methods]) => [path, Object.keys(methods)]);
    assert.deepEqual(operations, [
      ['/api/v1/things', ['post', 'get']],
      ['/api/v1/things/{thing}', ['put', 'post']],
    ]);
  });

  test('names every operation once, also one with two methods', () => {
    const ids = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map((one) => one.operationId),
    );
    assert.deepEqual(ids, ['createThing', 'watchThings', 'changeThing', 'changeThing_post']);
  });

  test('tells parameters by place, and the key of what is idempotent', () => {
    assert.deepEqual(at('/{thing}', 'put').parameters, [
      { name: 'thing', in: 'path', required: true, schema: { type: 'string' } },
      { name: 'force', in: 'query', required: false, description: 'Even so.', schema: { type: 'boolean' } },
    ]);
    assert.deepEqual(
      at('', 'post').parameters?.map(({ name, in: place, required }) => [name, place, required]),
      [['Idempotency-Key', 'header', false]],
    );
    assert.equal(at('', 'get').parameters, undefined);
  });

  test('tells whether a body and a token are needed', () => {
    assert.equal(at('', 'post').requestBody?.required, true);
    assert.equal(at('/{thing}', 'put').requestBody?.required, false);
    assert.equal(at('', 'get').requestBody, undefined);
    assert.deepEqual(document.security, [{ token: [] }]);
    assert.deepEqual(at('', 'get').security, []);
    assert.equal(at('', 'post').security, undefined);
  });

  test('tells each answer with its media type, and every error alike', () => {
    assert.deepEqual(Object.keys(at('', 'post').responses), ['202', 'default']);
    assert.deepEqual(Object.keys(at('', 'get').responses['200']!.content!), ['text/event-stream']);
    assert.equal(at('/{thing}', 'put').responses['204']!.content, undefined);
    const schema = { $ref: '#/components/schemas/Error' };
    assert.deepEqual(at('', 'get').responses['default']!.content, { 'application/json': { schema } });
    assert.ok('Error' in document.components.schemas);
  });

  test('without endpoints is still a document', () => assert.deepEqual(documentOf().paths, {}));
});
