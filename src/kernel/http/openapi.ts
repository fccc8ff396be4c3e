import type { TSchema } from 'typebox';
import type { Endpoint } from './contract.ts';
import { errorSchema } from './schemas.ts';

/** The OpenAPI 3.1 document of these endpoints (https://spec.openapis.org/oas/v3.1.1). */
export function openApiDocument(endpoints: readonly Endpoint[], version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const endpoint of endpoints) {
    const path = (paths[endpoint.path.replaceAll('+}', '}')] ??= {});
    path[endpoint.method.toLowerCase()] = operation(endpoint, endpoint.id);
    if (endpoint.alsoMethod !== undefined) {
      path[endpoint.alsoMethod.toLowerCase()] = operation(
        endpoint,
        `${endpoint.id}_${endpoint.alsoMethod.toLowerCase()}`,
      );
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast',
      version,
      description: 'A self-hosted control plane for durable data. What takes time answers 202 with an operation.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { Error: plain(errorSchema) },
    },
  };
}

const mediaTypes = { sse: 'text/event-stream', text: 'text/plain', bytes: '*/*' } as const;

function operation(endpoint: Endpoint, operationId: string): Record<string, unknown> {
  const { summary, tag, role, params, query, body, status, reply, media, isIdempotent } = endpoint;
  const parameters = [...parametersOf(params, 'path'), ...parametersOf(query, 'query')];
  if (isIdempotent === true) {
    const description = 'The same key again gives the first answer; with another request it is a conflict.';
    parameters.push({
      name: 'Idempotency-Key',
      in: 'header',
      required: false,
      description,
      schema: { type: 'string', maxLength: 255 },
    });
  }
  const type = media === undefined ? 'application/json' : mediaTypes[media];
  const content = { [type]: { schema: plain(reply) } };
  return {
    operationId,
    summary,
    tags: [tag],
    description: role === 'public' ? 'Needs no token.' : `Needs the role ${role}.`,
    ...(role === 'public' ? { security: [] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(endpoint.requestMedia === 'bytes' && endpoint.method === 'PUT'
      ? { requestBody: { required: true, content: { '*/*': { schema: { type: 'string', format: 'binary' } } } } }
      : {}),
    ...(body === undefined
      ? {}
      : { requestBody: { required: isRequired(body), content: { 'application/json': { schema: plain(body) } } } }),
    responses: {
      [status]: { description: status === 202 ? 'Accepted' : 'Success', ...(status === 204 ? {} : { content }) },
      default: {
        description: 'An error',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

function parametersOf(schema: TSchema | undefined, place: 'path' | 'query'): Record<string, unknown>[] {
  const { properties = {}, required = [] } = plain(schema ?? {}) as {
    properties?: Record<string, Record<string, unknown>>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...property }]) => ({
    name,
    in: place,
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: property,
  }));
}

function isRequired(schema: TSchema): boolean {
  return ((plain(schema) as { required?: string[] }).required ?? []).length > 0;
}

/** A schema without the hidden properties that the type builder puts on it. */
function plain(schema: unknown): unknown {
  return JSON.parse(JSON.stringify(schema));
}
