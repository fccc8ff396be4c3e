import type { BucketEncryption } from '../bucket.ts';
import type { XmlElement } from './command.ts';
import { childOf, expectElement, malformed, requiredText, textIn } from './xml/find.ts';
import { leaf } from './xml/writer.ts';

/**
 * How a bucket encrypts what nobody says otherwise of, as XML
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ServerSideEncryptionConfiguration.html); pure.
 */

export const encryptionXmlBytesMax = 16_384;
const byDefault = 'ApplyServerSideEncryptionByDefault';

/** Throws `MalformedXML`. */
export function parseBucketEncryption(root: XmlElement): BucketEncryption {
  const rule = childOf(expectElement(root, 'ServerSideEncryptionConfiguration', ['Rule']), 'Rule');
  if (rule === undefined) throw malformed('ServerSideEncryptionConfiguration needs a Rule.');
  expectElement(rule, 'Rule', [byDefault, 'BucketKeyEnabled']);
  const wish = childOf(rule, byDefault);
  if (wish === undefined) throw malformed(`Rule needs ${byDefault}.`);
  expectElement(wish, byDefault, ['SSEAlgorithm', 'KMSMasterKeyID']);
  const algorithm = requiredText(wish, 'SSEAlgorithm');
  const keyId = textIn(wish, 'KMSMasterKeyID') ?? null;
  if (algorithm === 'aws:kms') return { kind: 'kms', keyId };
  if (algorithm !== 'AES256') throw malformed('SSEAlgorithm is AES256 or aws:kms.');
  if (keyId !== null) throw malformed('KMSMasterKeyID is for aws:kms only.');
  return { kind: 'aes256' };
}

export function writeBucketEncryption(encryption: BucketEncryption): XmlElement {
  const wish =
    encryption.kind === 'aes256'
      ? [leaf('SSEAlgorithm', 'AES256')]
      : [
          leaf('SSEAlgorithm', 'aws:kms'),
          ...(encryption.keyId === null ? [] : [leaf('KMSMasterKeyID', encryption.keyId)]),
        ];
  const children = [{ name: byDefault, children: wish }, leaf('BucketKeyEnabled', 'false')];
  return { name: 'ServerSideEncryptionConfiguration', children: [{ name: 'Rule', children }] };
}
