import { passDemands } from './demands.ts';
import type { RewriteAction } from './plan.ts';
import type { RewriteOptions } from './rewrite-content.ts';

const sampleMax = 20;

/** What a pass would do. */
export interface RewritePlan {
  readonly contents: number;
  readonly bytes: number;
  /** Some of the objects, as `bucket/key`. */
  readonly sample: readonly string[];
  /** Whether there was more than is looked at for a plan. */
  readonly isPartial: boolean;
}

/** Says what a pass would write anew. */
export async function planPass(
  options: Pick<RewriteOptions, 'store' | 'encryption'>,
  action: RewriteAction,
  bucket: string | null,
): Promise<RewritePlan> {
  const plan = { contents: 0, bytes: 0, sample: [] as string[] };
  let isPartial = true;
  for await (const { demands, isLast } of passDemands(options, { action, bucket, after: '' })) {
    for (const version of demands) {
      plan.contents++;
      plan.bytes += version.sizeBytes;
      if (plan.sample.length < sampleMax) plan.sample.push(`${version.bucket}/${version.key}`);
    }
    isPartial = !isLast;
  }
  return { ...plan, isPartial };
}
