import type { ContentPart } from '../../object.ts';
import type { S3Command } from '../command.ts';
import { answerFailedReading, checkReading, headOf, parseReading, rangeOf } from '../reading.ts';
import { versionRef } from './subject.ts';

export const getObject: S3Command = {
  name: 'GetObject',
  method: 'GET',
  resource: 'object',
  selectedBy: [],
  alsoTakes: ['versionId', 'partNumber'],
  action: ({ query }) => (query.has('versionId') ? 's3:GetObjectVersion' : 's3:GetObject'),
  handle: async (context) => {
    const { gateway, signal } = context;
    const reading = parseReading(context);
    let parts: readonly ContentPart[] = [];
    try {
      const open = await gateway.objects.open({
        ...versionRef(context),
        signal,
        customerKey: reading.customerKey,
        needsParts: reading.partNumber !== null,
        check: (version) => checkReading(reading, version),
        range: (version, found) => {
          if (reading.partNumber !== null) parts = found;
          return rangeOf(reading, version, found);
        },
      });
      const { status, headers } = headOf(context, reading, open.version, { range: open.range, parts });
      // The store could not be asked whether there is something newer.
      if (open.isStale) headers['x-holdfast-stale'] = 'true';
      return { status, headers, body: open.content };
    } catch (error) {
      return answerFailedReading(context, error);
    }
  },
};
