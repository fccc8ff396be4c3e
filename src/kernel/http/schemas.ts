import Type from 'typebox';

/** Schemas that several features use. */
export const idSchema = Type.String({ minLength: 1, maxLength: 300 });
export const timeSchema = Type.String({ description: 'RFC 3339, UTC', examples: ['2026-11-21T10:00:00.000Z'] });
export const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** A whole number of bytes. In requests also decimal text, for clients whose numbers end at 2^53. */
export const bytesInput = Type.Unsafe<number | string>({
  type: ['integer', 'string'],
  minimum: 0,
  pattern: '^[0-9]{1,19}$',
  description: 'A whole number of bytes; a number or decimal text.',
});
/** Replies carry exact integers, also beyond 2^53. */
export const bytesOutput = Type.Unsafe<bigint>({
  type: 'integer',
  format: 'int64',
  description: 'A whole number of bytes.',
});

/** Of what this product counts itself, which is within 2^53; also inside of unions, where the serializer knows no larger ones. */
export const countedBytes = Type.Integer({ format: 'int64', description: 'A whole number of bytes.' });

export const pageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100, description: 'Items a page.' })),
  cursor: Type.Optional(Type.String({ maxLength: 400, description: 'The `next_cursor` of the page before.' })),
};

/** A page of items with the cursor of the next one. */
export function pageOf<T extends Type.TSchema>(items: T) {
  return Type.Object({ items: Type.Array(items), next_cursor: nullable(Type.String()) });
}

export const errorCodes = [
  'INVALID_REQUEST',
  'NOT_FOUND',
  'CONFLICT',
  'BACKEND_ERROR',
  'INTERNAL_ERROR',
  'SERVICE_UNAVAILABLE',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'CLOUDSTACK_ERROR',
] as const;
export type ErrorCode = (typeof errorCodes)[number];

export const errorSchema = Type.Object({
  error: Type.String({ description: 'A sentence for people.' }),
  code: Type.Enum([...errorCodes]),
  details: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});
