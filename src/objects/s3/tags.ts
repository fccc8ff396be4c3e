import { objectError } from '../errors.ts';
import type { Tags } from '../object.ts';
import type { XmlElement } from './command.ts';
import { childOf, childrenOf, expectElement, malformed, requiredText } from './xml/find.ts';

/**
 * Tags of objects and buckets as S3 has them; pure
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html).
 */

export const tagsPerObjectMax = 10;
export const tagsPerBucketMax = 50;
/** In UTF-16 units, as AWS counts them. */
const keyLengthMax = 128;
const valueLengthMax = 256;

/** Of a body of tags: 50 tags of the greatest length, in UTF-8 and escaped, and room for the elements around them. */
export const tagsXmlBytesMax = 262_144;

const allowed = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

/**
 * The tags of an `x-amz-tagging` header: a query string, in which `+` is a space. Absent is none.
 * Throws `InvalidArgument` for a header that is not such a string, and `InvalidTag`.
 */
export function parseTagHeader(header: string | undefined): Tags {
  if (header === undefined || header === '') return {};
  const pairs = header.split('&', tagsPerObjectMax + 1).map((pair): readonly [string, string] => {
    const at = pair.indexOf('=');
    return at < 0 ? [decode(pair), ''] : [decode(pair.slice(0, at)), decode(pair.slice(at + 1))];
  });
  return checkedTags(pairs, tagsPerObjectMax);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw objectError('InvalidArgument', { argument: 'x-amz-tagging' }, 'x-amz-tagging is not a URL-encoded query.');
  }
}

/** The tags of a `Tagging` document. Throws `MalformedXML` and `InvalidTag`. */
export function parseTagging(root: XmlElement, countMax: number): Tags {
  const set = childOf(expectElement(root, 'Tagging', ['TagSet']), 'TagSet');
  if (set === undefined) throw malformed('Tagging needs a TagSet.');
  expectElement(set, 'TagSet', ['Tag']);
  return checkedTags(childrenOf(set, 'Tag').map(parseTag), countMax);
}

/** One `Tag` element, also in the filter of a lifecycle rule. */
export function parseTag(element: XmlElement): readonly [string, string] {
  expectElement(element, 'Tag', ['Key', 'Value']);
  return [requiredText(element, 'Key'), requiredText(element, 'Value')];
}

/** Pairs as tags, once they keep the limits. Throws `InvalidTag`. */
export function checkedTags(pairs: readonly (readonly [string, string])[], countMax: number): Tags {
  if (pairs.length > countMax) throw invalid(`There can be at most ${countMax} tags.`, { maximum_value: countMax });
  const seen = new Set<string>();
  for (const [key, value] of pairs) {
    if (key.length === 0 || key.length > keyLengthMax) {
      throw invalid(`The key of a tag has 1 to ${keyLengthMax} characters.`, { tag: key.slice(0, keyLengthMax) });
    }
    if (value.length > valueLengthMax) {
      throw invalid(`The value of a tag has at most ${valueLengthMax} characters.`, {
        tag: key.slice(0, keyLengthMax),
      });
    }
    if (!allowed.test(key) || !allowed.test(value)) {
      throw invalid('Tags have letters, digits, spaces and + - = . _ : / @ only.', { tag: key.slice(0, keyLengthMax) });
    }
    if (key.startsWith('aws:'))
      throw invalid('Keys that begin with aws: are reserved.', { tag: key.slice(0, keyLengthMax) });
    if (seen.has(key)) throw invalid('A key is there twice.', { tag: key.slice(0, keyLengthMax) });
    seen.add(key);
  }
  return Object.fromEntries(pairs);
}

function invalid(sentence: string, details: Readonly<Record<string, unknown>>): Error {
  return objectError('InvalidTag', details, sentence);
}

/** The `Tagging` document of tags. */
export function writeTagging(tags: Tags): XmlElement {
  const children = Object.entries(tags).map(([key, value]) => writeTag(key, value));
  return { name: 'Tagging', children: [{ name: 'TagSet', children }] };
}

export function writeTag(key: string, value: string): XmlElement {
  return {
    name: 'Tag',
    children: [
      { name: 'Key', text: key },
      { name: 'Value', text: value },
    ],
  };
}
