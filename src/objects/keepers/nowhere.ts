import type { KnownBackend } from '../backends/registry.ts';
import type { BucketSettings } from '../bucket.ts';
import { fitsLabels } from '../placement.ts';

/**
 * Why no backend takes one more copy, in a sentence that is the same for all contents of the same trouble, so that they can
 * be counted by it. Told is what the last of them fails at.
 */
export function whyNowhere(
  backends: readonly Pick<
    KnownBackend,
    'name' | 'state' | 'labels' | 'isOpenFor' | 'isOver' | 'objectBytesMax' | 'backend'
  >[],
  holders: readonly string[],
  settings: Pick<BucketSettings, 'requiredLabels'>,
  size: { readonly sizeBytes: number; readonly storedBytes: number },
): string {
  const others = backends.filter(({ name, state }) => state === 'active' && !holders.includes(name));
  if (others.length === 0) return 'There is no other active backend that has no copy yet.';
  const fitting = others.filter((one) => fitsLabels(one, settings.requiredLabels));
  if (fitting.length === 0) return 'No other backend carries the labels that the bucket requires.';
  const working = fitting.filter((one) => one.isOpenFor('write'));
  if (working.length === 0) return 'No other backend that would fit can be reached.';
  const allowed = working.filter((one) => !one.isOver('requests') && !one.isOver('ingress'));
  if (allowed.length === 0) return 'All other backends that would fit have reached a monthly limit.';
  const large = allowed.filter(({ objectBytesMax, backend }) => {
    const { blobBytesMax } = backend.capabilities;
    return (
      (objectBytesMax === null || size.sizeBytes <= objectBytesMax) &&
      (blobBytesMax === null || size.storedBytes <= blobBytesMax)
    );
  });
  if (large.length === 0) return 'No other backend that would fit takes objects so large.';
  return 'No other backend that would fit has room.';
}
