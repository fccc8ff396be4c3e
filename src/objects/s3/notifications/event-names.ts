/**
 * Which events a rule can name; pure
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html).
 */
const families: Readonly<Record<string, readonly string[]>> = {
  's3:ObjectCreated': ['Put', 'Post', 'Copy', 'CompleteMultipartUpload'],
  's3:ObjectRemoved': ['Delete', 'DeleteMarkerCreated'],
  's3:ObjectTagging': ['Put', 'Delete'],
  's3:LifecycleExpiration': ['Delete', 'DeleteMarkerCreated'],
};

/** A family by itself, without members. */
const transitionName = 's3:LifecycleTransition';

/** Sent to every target of a configuration when it is set, whether a rule names it or not. */
export const testEventName = 's3:TestEvent';

/** Whether a rule may name it: what never happens here would be waited for in vain. */
export function isEventName(name: string): boolean {
  if (name === testEventName || name === transitionName) return true;
  return Object.entries(families).some(
    ([family, members]) => name === `${family}:*` || members.some((member) => name === `${family}:${member}`),
  );
}

/** Whether a rule that names `name` is about an event called `happened`, such as `s3:ObjectCreated:Put`. */
export function isNamed(name: string, happened: string): boolean {
  return name.endsWith(':*') ? happened.startsWith(name.slice(0, -1)) : name === happened;
}

/** Whether something can happen that both names are about. */
export function haveCommonEvent(one: string, other: string): boolean {
  return isNamed(one, other) || isNamed(other, one);
}

/** What an event of ours is called in S3, such as `s3:ObjectCreated:Copy`; `null` for what S3 does not tell. */
export function eventNameOf(type: string, cause: unknown): string | null {
  if (type === 'object.created') return `s3:ObjectCreated:${createdBy[String(cause)] ?? 'Put'}`;
  if (type === 'object.tagged') return `s3:ObjectTagging:${cause === 'delete' ? 'Delete' : 'Put'}`;
  if (type === 'object.transitioned') return transitionName;
  const family = cause === 'lifecycle' ? 's3:LifecycleExpiration' : 's3:ObjectRemoved';
  if (type === 'object.deleted') return `${family}:Delete`;
  return type === 'object.marked_deleted' ? `${family}:DeleteMarkerCreated` : null;
}

const createdBy: Readonly<Record<string, string>> = {
  put: 'Put',
  post: 'Post',
  copy: 'Copy',
  complete: 'CompleteMultipartUpload',
};
