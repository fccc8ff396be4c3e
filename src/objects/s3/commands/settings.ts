import type { BucketSettings } from '../../bucket.ts';
import type { S3Context } from '../command.ts';

type Optional =
  | 'lockRule'
  | 'cors'
  | 'policy'
  | 'lifecycle'
  | 'notifications'
  | 'tags'
  | 'isAccessBlocked'
  | 'encryption';

/** Changes settings of the bucket of the request. `change` may run again, and may throw to refuse what stands then. */
export async function changeSettings(
  { gateway, bucket, actor }: S3Context,
  change: (settings: BucketSettings) => BucketSettings,
): Promise<void> {
  await gateway.buckets.update(bucket.name, change, actor);
}

/** Takes one of them away, if it is there. */
export async function removeSetting(context: S3Context, name: Optional): Promise<void> {
  await changeSettings(context, (settings) => {
    const { [name]: _removed, ...others } = settings;
    return others;
  });
}
