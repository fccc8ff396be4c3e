import { objectError } from '../errors.ts';
import type { XmlElement } from './command.ts';
import { expectElement, wordIn } from './xml/find.ts';

/**
 * The public access block. There are no ACLs to block, and a public policy is either refused and without effect, or neither,
 * so that the four switches of AWS are one here
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html).
 */
const switches = ['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets'];

export const accessBlockXmlBytesMax = 16_384;

/** Whether public access is blocked. Throws `MalformedXML`, and `InvalidRequest` for a block of some of it. */
export function parseAccessBlock(root: XmlElement): boolean {
  expectElement(root, 'PublicAccessBlockConfiguration', switches);
  const values = switches.map(
    (name) => wordIn(root, name, ['true', 'false', 'TRUE', 'FALSE'])?.toLowerCase() === 'true',
  );
  const isBlocked = values.includes(true);
  if (isBlocked && values.includes(false)) {
    throw objectError('InvalidRequest', {}, `${switches.join(', ')} are set together here: all true, or all false.`);
  }
  return isBlocked;
}

export function writeAccessBlock(isBlocked: boolean): XmlElement {
  const children = switches.map((name) => ({ name, text: String(isBlocked) }));
  return { name: 'PublicAccessBlockConfiguration', children };
}
