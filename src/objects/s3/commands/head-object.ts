import type { ContentPart } from '../../object.ts';
import { requireCustomerKey } from '../../encryption/encryption.ts';
import type { S3Command } from '../command.ts';
import { answerFailedReading, checkReading, headOf, parseReading, rangeOf } from '../reading.ts';
import { findSubject } from './subject.ts';

const partsMax = 10_000;

export const headObject: S3Command = {
  name: 'HeadObject',
  method: 'HEAD',
  resource: 'object',
  selectedBy: [],
  alsoTakes: ['versionId', 'partNumber'],
  action: ({ query }) => (query.has('versionId') ? 's3:GetObjectVersion' : 's3:GetObject'),
  handle: async (context) => {
    const { gateway } = context;
    const reading = parseReading(context);
    try {
      const { version, isStale } = await findSubject(context);
      checkReading(reading, version);
      requireCustomerKey(version.attributes.encryption, reading.customerKey);
      const parts: readonly ContentPart[] =
        reading.partNumber === null ? [] : await gateway.objects.parts(version, { after: 0, limit: partsMax });
      const reply = headOf(context, reading, version, { range: rangeOf(reading, version, parts), parts });
      // As for a GET: there may be something newer.
      if (isStale) reply.headers['x-holdfast-stale'] = 'true';
      return reply;
    } catch (error) {
      return answerFailedReading(context, error);
    }
  },
};
