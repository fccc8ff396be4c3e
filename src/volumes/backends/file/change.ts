import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { FencedContext, ImageAttachment, ImageFacts } from '../backend.ts';
import { hasAttachmentToRemove, refuseOtherAttachment, refuseShrinking } from '../image-rules.ts';
import { growFile } from './create.ts';
import { changeRecord, findLive, findToChange, readFacts } from './image.ts';
import type { Layout } from './layout.ts';

export async function resize(
  layout: Layout,
  { fence }: FencedContext,
  image: string,
  sizeBytes: bigint,
): Promise<ImageFacts> {
  const standing = await findLive(layout, image, fence);
  refuseShrinking(standing, sizeBytes);
  await changeRecord(layout, standing, fence);
  if (sizeBytes > standing.sizeBytes) await growFile(layout.imageFile('live', image), sizeBytes);
  return await readFacts(layout, image);
}

export async function attach(
  layout: Layout,
  { fence }: FencedContext,
  image: string,
  { attachmentId, nodeId, generation, mode }: ImageAttachment,
): Promise<ImageFacts> {
  const attachment = { attachmentId, nodeId, generation, mode };
  const standing = await findLive(layout, image, fence);
  refuseOtherAttachment(standing, attachment);
  await changeRecord(layout, standing, fence, { attachment });
  return await readFacts(layout, image);
}

export async function detach(
  layout: Layout,
  { fence }: FencedContext,
  image: string,
  named: { readonly attachmentId: string; readonly generation: number; readonly force: boolean },
): Promise<void> {
  const standing = await findToChange(layout, image, fence);
  if (standing === null) return;
  if (standing.attachment !== null && named.force) {
    const message =
      'The file backend cannot cut off clients: stop the node that uses the image, then detach without force.';
    throw new HoldfastError('unsupported', message, { capability: 'fence' });
  }
  hasAttachmentToRemove(standing, named);
  await changeRecord(layout, standing, fence, { attachment: null });
}
