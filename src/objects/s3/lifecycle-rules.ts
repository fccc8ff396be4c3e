import { randomUUID } from 'node:crypto';
import { objectError } from '../errors.ts';
import type { Tags } from '../object.ts';
import type { XmlElement } from './command.ts';
import { parseActions, type LifecycleActions } from './lifecycle-actions.ts';
import { checkedTags, parseTag, tagsPerObjectMax } from './tags.ts';
import { childOf, childrenOf, expectElement, integerIn, malformed, textIn, wordIn } from './xml/find.ts';

/**
 * Which objects end when, or move to another storage class; the rules of a bucket's lifecycle
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html).
 */
export interface LifecycleRule extends LifecycleActions {
  readonly id: string;
  readonly isEnabled: boolean;
  readonly filter: LifecycleFilter;
  /** Whether the prefix stood in the rule itself, as the first version of the API had it. */
  readonly hasOwnPrefix: boolean;
}

/** What a rule applies to: every part must hold. Empty is every object. */
export interface LifecycleFilter {
  readonly prefix?: string;
  readonly tags?: Tags;
  /** Exclusive bounds, in bytes. */
  readonly sizeGreaterThan?: number;
  readonly sizeLessThan?: number;
}

/** They are part of the settings of the bucket, which are read with it. */
export const lifecycleXmlBytesMax = 524_288;
const rulesMax = 1000;
const idLengthMax = 255;
const keyBytesMax = 1024;

const actions = [
  'Expiration',
  'NoncurrentVersionExpiration',
  'AbortIncompleteMultipartUpload',
  'Transition',
  'NoncurrentVersionTransition',
];

/**
 * The rules of a `LifecycleConfiguration`; a rule without an ID is given one.
 * Throws `MalformedXML`, `InvalidArgument` and `InvalidRequest`.
 */
export function parseLifecycle(root: XmlElement): readonly LifecycleRule[] {
  const elements = childrenOf(expectElement(root, 'LifecycleConfiguration', ['Rule']), 'Rule');
  if (elements.length === 0) throw malformed('LifecycleConfiguration needs a Rule.');
  if (elements.length > rulesMax) throw malformed(`There can be at most ${rulesMax} rules.`);
  const rules = elements.map(parseRule);
  if (new Set(rules.map(({ id }) => id)).size < rules.length) {
    throw objectError('InvalidArgument', { argument: 'ID' }, 'Two rules have the same ID.');
  }
  return rules;
}

function parseRule(element: XmlElement): LifecycleRule {
  expectElement(element, 'Rule', ['ID', 'Prefix', 'Filter', 'Status', ...actions]);
  const id = textIn(element, 'ID') ?? '';
  if (id.length > idLengthMax) {
    throw objectError('InvalidArgument', { argument: 'ID' }, `An ID has at most ${idLengthMax} characters.`);
  }
  const status = wordIn(element, 'Status', ['Enabled', 'Disabled']);
  if (status === undefined) throw malformed('Rule needs a Status.');
  const [own, inner] = [textIn(element, 'Prefix'), childOf(element, 'Filter')];
  if ((own === undefined) === (inner === undefined)) throw malformed('Rule has either a Filter or a Prefix.');
  const filter = inner === undefined ? checkedFilter({ prefix: own! }) : parseFilter(inner);
  return {
    id: id === '' ? randomUUID() : id,
    isEnabled: status === 'Enabled',
    filter,
    hasOwnPrefix: own !== undefined,
    ...parseActions(element, { hasTags: filter.tags !== undefined }),
  };
}

const parts = ['Prefix', 'Tag', 'ObjectSizeGreaterThan', 'ObjectSizeLessThan'];

function parseFilter(element: XmlElement): LifecycleFilter {
  expectElement(element, 'Filter', [...parts, 'And']);
  if ((element.children?.length ?? 0) > 1) throw malformed('Filter has one part, or And.');
  const and = childOf(element, 'And');
  if (and !== undefined && !and.children?.length) throw malformed('And is not empty.');
  const holder = and === undefined ? element : expectElement(and, 'And', parts);
  const [prefix] = [textIn(holder, 'Prefix')];
  const tags = childrenOf(holder, 'Tag').map(parseTag);
  const sizeGreaterThan = integerIn(holder, 'ObjectSizeGreaterThan');
  const sizeLessThan = integerIn(holder, 'ObjectSizeLessThan');
  return checkedFilter({
    ...(prefix === undefined ? {} : { prefix }),
    ...(tags.length === 0 ? {} : { tags: checkedTags(tags, tagsPerObjectMax) }),
    ...(sizeGreaterThan === undefined ? {} : { sizeGreaterThan }),
    ...(sizeLessThan === undefined ? {} : { sizeLessThan }),
  });
}

function checkedFilter(filter: LifecycleFilter): LifecycleFilter {
  const { prefix = '', sizeGreaterThan = 0, sizeLessThan = Infinity } = filter;
  if (Buffer.byteLength(prefix) > keyBytesMax) throw bad('Prefix', `A prefix has at most ${keyBytesMax} bytes.`);
  if (sizeGreaterThan < 0) throw bad('ObjectSizeGreaterThan', 'A size is not negative.');
  if (sizeLessThan <= 0) throw bad('ObjectSizeLessThan', 'Nothing is smaller than that.');
  if (sizeLessThan <= sizeGreaterThan) throw bad('ObjectSizeLessThan', 'No size is between those bounds.');
  return filter;
}

function bad(argument: string, sentence: string): Error {
  return objectError('InvalidArgument', { argument }, sentence);
}
