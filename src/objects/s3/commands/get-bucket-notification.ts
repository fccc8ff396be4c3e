import type { S3Command } from '../command.ts';
import { writeNotifications } from '../notifications/rules.ts';

export const getBucketNotificationConfiguration: S3Command = {
  name: 'GetBucketNotificationConfiguration',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['notification'],
  alsoTakes: [],
  action: 's3:GetBucketNotification',
  handle: ({ bucket }) =>
    Promise.resolve({ status: 200, body: writeNotifications(bucket.settings.notifications ?? []) }),
};
