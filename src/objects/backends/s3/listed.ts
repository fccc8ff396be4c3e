import type { XmlElement } from '../../s3/command.ts';
import { garbage, textIn } from './documents.ts';

/**
 * How keys in a listing are to be read: as they are, or decoded, when the server says that it honoured `encoding-type=url`.
 * `+` is a space then, as in a form (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).
 */
export function decodeListed(root: XmlElement, who: string): (text: string) => string {
  const isEncoded = textIn(root, 'EncodingType')?.toLowerCase() === 'url';
  return (text) => {
    if (text.includes('\ufffd')) throw garbage(who, 'has a key that XML cannot carry');
    if (!isEncoded) return text;
    try {
      return decodeURIComponent(text.replaceAll('+', ' '));
    } catch (error) {
      throw garbage(who, 'has a key that is not encoded as it says', error);
    }
  };
}
