import { objectError } from '../../errors.ts';
import type { S3Command } from '../command.ts';
import { notificationXmlBytesMax, parseNotifications } from '../notifications/rules.ts';
import { changeSettings, removeSetting } from './settings.ts';

export const putBucketNotificationConfiguration: S3Command = {
  name: 'PutBucketNotificationConfiguration',
  method: 'PUT',
  resource: 'bucket',
  selectedBy: ['notification'],
  alsoTakes: [],
  action: 's3:PutBucketNotification',
  handle: async (context) => {
    const notifications = parseNotifications(await context.xml(notificationXmlBytesMax));
    for (const name of new Set(notifications.map(({ target }) => target))) {
      if (await context.hasNotificationTarget(name)) continue;
      const message = `Unable to validate the destination: there is no notification target ${name}.`;
      throw objectError('InvalidArgument', { argument: 'NotificationConfiguration', value: name }, message);
    }
    // An empty configuration ends all notifications.
    if (notifications.length === 0) await removeSetting(context, 'notifications');
    else await changeSettings(context, (settings) => ({ ...settings, notifications }));
    return { status: 200 };
  },
};
