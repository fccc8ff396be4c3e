import type { S3Context } from './command.ts';

/** Whether the request asks to pass over governance retention, for which its caller needs an action of its own. */
export function isBypassing(context: S3Context): boolean {
  return context.header('x-amz-bypass-governance-retention')?.toLowerCase() === 'true';
}
