import type { S3Command } from '../command.ts';

export const getBucketRequestPayment: S3Command = {
  name: 'GetBucketRequestPayment',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['requestPayment'],
  alsoTakes: [],
  action: 's3:GetBucketRequestPayment',
  handle: async () => ({
    status: 200,
    body: { name: 'RequestPaymentConfiguration', children: [{ name: 'Payer', text: 'BucketOwner' }] },
  }),
};
